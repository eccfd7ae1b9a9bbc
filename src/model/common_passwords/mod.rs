//! The passwords that people choose most often, and attackers try first. The list is that of
//! Django; `tests/shell/common_passwords.sh` makes its file, and LICENSE beside it is its licence.

use super::text;

/// The passwords in lower case, one a line, compressed.
const LIST: &[u8] = include_bytes!("list.zst");
/// The size of the list when it is decompressed.
const LIST_BYTES: usize = 162_384;

/// Whether a password is on the list, ignoring case. It decompresses the list each time, because
/// only new passwords are looked up: that takes half a millisecond, hashing one takes twenty.
pub fn is_common_password(password: &str) -> bool {
    let password = text::caseless(password);
    list()
        .split(|byte| *byte == b'\n')
        .any(|it| it == password.as_bytes())
}

fn list() -> Vec<u8> {
    zstd::bulk::decompress(LIST, LIST_BYTES).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_whole_in_the_form_of_comparisons_and_small() {
        let list = String::from_utf8(list()).unwrap();
        assert_eq!(list.lines().count(), 19_640);
        for password in list.lines() {
            assert_eq!(text::caseless(password).as_str(), password);
        }
        assert_eq!(list.len(), LIST_BYTES);
        assert!(LIST.len() <= 100 * 1024);
    }

    #[test]
    fn common_passwords_are_found_whatever_their_case() {
        for (password, expected) in [
            ("password", true),
            ("PassWord1", true),
            ("ПАРОЛЬ", true),
            ("correct horse battery staple", false),
            ("passwor", false),
        ] {
            assert_eq!(is_common_password(password), expected, "{password:?}");
        }
    }
}
