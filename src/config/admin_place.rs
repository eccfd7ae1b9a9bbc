//! Finds the line of a configuration that sets the administrator's password, and replaces it.

use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::complaint::position;
use super::{Credential, parse};

/// The keys, of which a configuration has at most one.
const KEYS: [&str; 3] = ["password", "password_hash", "password_file"];

/// Where a configuration sets the administrator's password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminPlace {
    /// The key in its section `admin`.
    pub key: &'static str,
    /// Its line, counted from 1.
    pub line: usize,
    /// The key and its value, as bytes of the text.
    entry: Range<usize>,
}

/// Where `text` sets the administrator's password; none if it does not.
pub fn admin_place(text: &str) -> Option<AdminPlace> {
    let (document, _) = DeTable::parse_recoverable(text);
    let DeValue::Table(section) = document.get_ref().get("admin")?.get_ref() else {
        return None;
    };
    KEYS.into_iter().find_map(|key| {
        let (name, value) = section.get_key_value(key)?;
        Some(AdminPlace {
            key,
            line: position(text, name.span().start).0,
            entry: name.span().start..value.span().end,
        })
    })
}

impl AdminPlace {
    /// `text` with this hash in the place of the password. None if that cannot be done by replacing
    /// one entry; everything else in the file stays as it is.
    pub fn replaced(&self, text: &str, hash: &str, base_dir: &Path) -> Option<String> {
        let (before, after) = (text.get(..self.entry.start)?, text.get(self.entry.end..)?);
        let replaced = format!("{before}{}{after}", hash_line(hash));
        let config = parse(&replaced, base_dir).ok()?;
        (config.admin.password == Some(Credential::Hash(hash.to_owned()))).then_some(replaced)
    }
}

/// The entry of the section `admin` for a hash.
pub fn hash_line(hash: &str) -> String {
    format!("password_hash = \"{hash}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA\
                        $lVXB6fKyBAwM0p4RxFI9nbzpWzGCVpQ0y+HqXVYuk8E";

    #[test]
    fn only_the_entry_with_the_password_is_replaced() {
        for (before, line) in [
            (
                "[admin]\npassword = \"an old one, long enough\" # mine\n",
                2,
            ),
            (
                "# a note\nadmin.password = 'an old one, long enough'\n[log]\nlevel = \"warn\"\n",
                2,
            ),
            (
                "admin = { username = \"root\", password = \"an old one, long enough\" }\n",
                1,
            ),
            (
                "[admin]\n\npassword = \"\"\"an old one,\nlong enough\"\"\"\nusername = \"a\"\n",
                3,
            ),
        ] {
            let place = admin_place(before).unwrap();
            assert_eq!((place.key, place.line), ("password", line), "{before}");
            let after = place.replaced(before, HASH, Path::new("")).unwrap();
            let config = parse(&after, Path::new("")).unwrap();
            assert_eq!(
                config.admin.password,
                Some(Credential::Hash(HASH.to_owned()))
            );
            let old = parse(before, Path::new("")).unwrap();
            assert_eq!(config.admin.username, old.admin.username);
            assert!(!after.contains("an old one"), "{after}");
            let comments = |text: &str| text.matches('#').count();
            assert_eq!(comments(&after), comments(before));
        }
        assert_eq!(
            admin_place("[admin]\nusername = \"a\"\n[hub]\npasswords = []"),
            None
        );
    }

    #[test]
    fn a_text_that_would_not_be_right_afterwards_is_left_alone() {
        let text = "[admin]\npassword = \"an old one, long enough\"\n";
        let place = admin_place(text).unwrap();
        assert_eq!(place.replaced(text, "no hash", Path::new("")), None);
    }
}
