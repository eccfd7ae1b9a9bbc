//! Moves the accounts that an earlier version stored under their addresses as typed to the keys of
//! these addresses: once for each store, at the start.

use crate::store::sled::SledStore;
use crate::store::sled::accounts::users::{EmailKey, UserKey};
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::keys::{self, Key, MetaKey, meta};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::{Error, Result};

/// Present when all addresses of the store were moved.
const MOVED: MetaKey<()> = meta(MetaSlot::AddressesMoved);
/// How many addresses one step looks at: few enough for a step of ordinary size.
const STEP_ADDRESSES: usize = 256;

impl SledStore {
    /// Moves all addresses, if that was not done before. On a full disk it is left to a later
    /// start: until then these accounts are found by their addresses as typed at signup.
    pub(crate) async fn move_addresses(&self) -> Result<()> {
        let mut from = Some(keys::first::<EmailKey>()).filter(|_| !is_done(&self.tree));
        while let Some(start) = from {
            let step = move |tx: &mut Transaction<'_>| move_some(tx, &start);
            from = match self.change(WriteClass::Change, step).await {
                Err(Error::Full) => None,
                moved => moved?,
            };
        }
        Ok(())
    }
}

/// A damaged mark costs no more than another pass.
fn is_done(from: &impl Read) -> bool {
    matches!(from.fetch(&MOVED), Ok(Some(())))
}

/// Moves some addresses from a key on. Returns the key to go on from; none: all are done.
fn move_some(tx: &mut Transaction<'_>, from: &[u8]) -> Result<Option<Vec<u8>>> {
    let entries = tx.raw_range(from, &keys::end::<EmailKey>(), STEP_ADDRESSES)?;
    for (bytes, _) in &entries {
        // ASCII is its own form.
        if let Some(key) = EmailKey::parse(bytes).filter(|it| !it.key.is_ascii()) {
            move_one(tx, &key)?;
        }
    }
    if entries.is_empty() {
        tx.put(&MOVED, &())?;
    }
    Ok(entries.last().map(|(key, _)| keys::after(key)))
}

/// Moves one address, unless its key belongs to another account: then both accounts stay where they
/// are. Damaged records stay too.
fn move_one(tx: &mut Transaction<'_>, old: &EmailKey) -> Result<()> {
    let Ok(Some(id)) = tx.fetch(old) else {
        return Ok(());
    };
    let Ok(Some(user)) = tx.fetch(&UserKey { id }) else {
        return Ok(());
    };
    let key = user.email.key();
    if key == old.key {
        return Ok(());
    }
    let new = EmailKey { key };
    if tx.raw(&new.bytes())?.is_some() {
        log::warn!(
            "account {id} and another account have one address in two spellings: account {id} is \
             found only by the spelling that it has now"
        );
        return Ok(());
    }
    tx.put(&new, &id)?;
    tx.remove(old);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Email, Name, Timestamp, User, UserId, UserNumber};
    use crate::model::{End, EndReason};
    use crate::store::sled::StoreOptions;
    use crate::store::sled::accounts::users;
    use crate::store::sled::engine::open::{self, OpenOptions};
    use crate::store::{AccountStore, Maintenance};

    fn account(number: u8, address: &str) -> User {
        User {
            id: UserId::from_random([number; 16]),
            number: UserNumber(number.into()),
            email: Email::parse(address).unwrap(),
            name: Name::parse("Somebody").unwrap(),
            password_hash: String::new(),
            disabled: false,
            epoch: 0,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            invite: None,
        }
    }

    /// Stores an account as an earlier version did: under its address as typed, in lower case.
    fn put_as_typed(tx: &mut Transaction<'_>, user: &User) {
        let key = user.email.shown().to_ascii_lowercase();
        tx.put(&EmailKey { key }, &user.id).unwrap();
        tx.put(&UserKey { id: user.id }, user).unwrap();
    }

    fn owner(tx: &Transaction<'_>, address: &str) -> Option<UserId> {
        users::owner_of(tx, &Email::parse(address).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_store_of_an_earlier_version_is_moved_at_its_next_start() {
        let directory = tempfile::tempdir().unwrap();
        let open = || SledStore::open(directory.path(), StoreOptions::default());
        let store = open().await.unwrap();
        assert!(is_done(&store.tree));
        let user = account(1, "ana@m\u{fc}nchen.example");
        let (id, key) = (user.id, user.email.key());
        let before = move |tx: &mut Transaction<'_>| {
            put_as_typed(tx, &user);
            tx.remove(&MOVED);
            Ok(())
        };
        store.change(WriteClass::Change, before).await.unwrap();
        assert_eq!(store.find_user_by_email(&key).await.unwrap(), None);
        store.close().await;
        drop(store);
        let store = open().await.unwrap();
        let found = store.find_user_by_email(&key).await.unwrap();
        assert_eq!(found.map(|user| user.id), Some(id));
        assert!(is_done(&store.tree));
        store.close().await;
    }

    #[test]
    fn accounts_of_an_earlier_version_are_found_by_every_spelling_of_their_addresses() {
        let directory = tempfile::tempdir().unwrap();
        let opened = open::open(directory.path(), &OpenOptions::default()).unwrap();
        let mut tx = Transaction::new(&opened.tree);
        let users: Vec<User> = (1..)
            .zip([
                "Ana@Example.org",
                "ben@mu\u{308}nchen.example",
                "C\u{301}leo@example.org",
                "dora@m\u{fc}nchen.example",
                "dora@xn--mnchen-3ya.example",
                "e\u{e9}@xn--zz.example",
            ])
            .map(|(number, address)| account(number, address))
            .collect();
        for user in &users {
            put_as_typed(&mut tx, user);
        }
        assert!(!is_done(&tx));
        let mut from = Some(keys::first::<EmailKey>());
        while let Some(start) = from {
            from = move_some(&mut tx, &start).unwrap();
        }
        assert!(is_done(&tx));
        for (address, number) in [
            ("ana@example.org", 0),
            ("ben@m\u{fc}nchen.example", 1),
            ("BEN@M\u{dc}NCHEN.example", 1),
            ("ben@xn--mnchen-3ya.example", 1),
            ("\u{106}leo@example.org", 2),
            // Two accounts with one address: the second has its key, the first its spelling.
            ("dora@m\u{fc}nchen.example", 3),
            ("dora@xn--mnchen-3ya.example", 4),
            ("dora@mu\u{308}nchen.example", 4),
            ("E\u{e9}@xn--zz.example", 5),
        ] {
            assert_eq!(owner(&tx, address), Some(users[number].id), "{address:?}");
        }
        // The end of one of the two does not take the address of the other.
        let end = End::by_server(Timestamp::default(), EndReason::AccountDeleted);
        users::remove(&mut tx, &users[3], &end).unwrap();
        assert_eq!(owner(&tx, "dora@m\u{fc}nchen.example"), Some(users[4].id));
        users::remove(&mut tx, &users[1], &end).unwrap();
        assert_eq!(owner(&tx, "ben@mu\u{308}nchen.example"), None);
    }
}
