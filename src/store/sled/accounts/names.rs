//! The words of names: an account is found by the beginning of its name, and of each word in it.

use crate::model::{Name, User, UserId};
use crate::store::Result;
use crate::store::sled::engine::keys::{Field, Fields, Key};
use crate::store::sled::engine::registry::KeyKind;
use crate::store::sled::engine::transaction::Transaction;

/// Words of a name that it is found by.
const WORDS: usize = 8;
/// Bytes of a name from such a word on.
const WORD_BYTES: usize = 64;

/// A name from one of its words on, in lower case, and the account that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NameKey {
    pub(crate) text: String,
    pub(crate) user: UserId,
}

impl Key for NameKey {
    type Value = ();
    const KIND: KeyKind = KeyKind::Name;

    fn write(&self, to: &mut Vec<u8>) {
        self.text.write(to);
        // No name contains it: a shorter text sorts before a longer one.
        to.push(0);
        self.user.write(to);
    }

    fn read(from: &mut Fields<'_>) -> Option<NameKey> {
        let bytes = Vec::<u8>::read(from)?;
        let (text, user) = bytes.split_last_chunk::<16>()?;
        let text = text.strip_suffix(&[0])?;
        Some(NameKey {
            text: String::from_utf8(text.to_vec()).ok()?,
            user: UserId(uuid::Uuid::from_bytes(*user)),
        })
    }
}

/// A text as names are compared with: in lower case.
pub(crate) fn folded(text: &str) -> String {
    text.to_lowercase()
}

/// The keys of an account's name.
fn keys_of(name: &Name, user: UserId) -> Vec<NameKey> {
    let name = folded(name.as_str());
    let is_start = |(at, _): &(usize, char)| {
        let before = name.get(..*at).and_then(|text| text.chars().next_back());
        before.is_none_or(|it| !it.is_alphanumeric())
    };
    let words = name.char_indices().filter(|(_, it)| it.is_alphanumeric());
    let mut keys: Vec<NameKey> = words
        .filter(is_start)
        .take(WORDS)
        .filter_map(|(at, _)| name.get(at..))
        .map(|text| NameKey {
            text: text
                .get(..text.floor_char_boundary(WORD_BYTES))
                .unwrap_or_default()
                .to_owned(),
            user,
        })
        .collect();
    if keys.is_empty() {
        keys.push(NameKey { text: name, user });
    }
    keys
}

/// The first key of an account's name: accounts are sorted by it.
pub(crate) fn first_of(user: &User) -> Option<NameKey> {
    keys_of(&user.name, user.id).into_iter().next()
}

/// Adds the words of an account's name.
pub(crate) fn add(tx: &mut Transaction<'_>, user: &User) -> Result<()> {
    let keys = keys_of(&user.name, user.id);
    keys.iter().try_for_each(|key| tx.put(key, &()))
}

/// Removes the words of an account's name.
pub(crate) fn remove(tx: &mut Transaction<'_>, user: &User) {
    for key in keys_of(&user.name, user.id) {
        tx.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str) -> Vec<String> {
        let user = UserId::from_random([1; 16]);
        let keys = keys_of(&Name::parse(name).unwrap(), user);
        for key in &keys {
            assert_eq!(NameKey::parse(&key.bytes()).as_ref(), Some(key));
        }
        keys.into_iter().map(|key| key.text).collect()
    }

    #[test]
    fn a_name_is_found_by_each_of_its_words_in_any_case() {
        assert_eq!(
            words("Ana María Gil"),
            ["ana maría gil", "maría gil", "gil"]
        );
        assert_eq!(
            words("O'Neill-Smith"),
            ["o'neill-smith", "neill-smith", "smith"]
        );
        assert_eq!(words("…"), ["…"]);
        assert_eq!(words(&"ü".repeat(100))[0].len(), WORD_BYTES);
        assert_eq!(words("a b c d e f g h i j").len(), WORDS);
    }
}
