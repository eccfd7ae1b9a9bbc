//! Passwords in the configuration file and in files of their own.

use std::path::Path;

use doorward::config::Credential;

use super::{NOW, file_with, load, mistakes, parse};

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA\
                    $lVXB6fKyBAwM0p4RxFI9nbzpWzGCVpQ0y+HqXVYuk8E";

#[test]
fn an_empty_list_says_nothing_beside_a_file() {
    let (_directory, path) = file_with("a password\n", 0o600);
    let config = parse(&format!("[hub]\npasswords = []\npasswords_file = {path:?}"));
    assert_eq!(config.hub.passwords.len(), 1);
}

#[test]
fn a_hash_that_costs_too_much_is_refused_with_its_bounds() {
    let said = |cost: &str| {
        let hash = HASH.replace("m=19456,t=2,p=1", cost);
        assert_ne!(hash, HASH);
        mistakes(&format!("admin.password_hash = \"{hash}\""))
    };
    assert_eq!(
        said("m=4294967295,t=2,p=1"),
        [
            "line 1: `admin.password_hash` is a hash with 4294967295 KiB of memory; 8 to 1048576 are accepted"
        ]
    );
    assert_eq!(
        said("m=19456,t=1000000,p=1"),
        ["line 1: `admin.password_hash` is a hash with 1000000 passes; 1 to 100 are accepted"]
    );
}

#[test]
fn no_complaint_and_no_debug_holds_a_secret() {
    let wrong = "[admin]\npassword = \"hunter22\"\npassword_hash = \"$argon2id$hunter22\"\n\
                 [hub]\npasswords = [\"$argon2hunter22\", { hunter22 = 1 }]\npasswords_file = \"x\"\n\
                 [accounts]\ninvites = [\"hunter22\", \"hunter22\", { code = \"hunter22\", uses = 0 }]\n";
    let said = mistakes(wrong);
    assert!(
        said.len() >= 6 && !said.join(" ").contains("hunter22"),
        "{said:#?}"
    );
    for broken in [
        "password = hunter22",
        "password hunter22",
        "password \"hunter22\"",
        "password = \"hunter22",
        "password = 'x' hunter22",
        "password = \"\"\"\nhunter22\nhunter22 = 1\n",
        "password = [\nhunter22,\n",
        "password = { hunter22",
        "password = \"\\hunter22\"",
    ] {
        let said = mistakes(&format!("[admin]\n{broken}\n"));
        assert!(!said.join(" ").contains("hunter22"), "{broken}: {said:#?}");
    }
    let fine = format!("admin.password = \"hunter22\"\nhub.passwords = [\"hunter22\", \"{HASH}\"]");
    let shown = format!("{:?}", parse(&fine));
    assert!(
        !shown.contains("hunter22") && !shown.contains("argon2id"),
        "{shown}"
    );
}

#[test]
fn passwords_may_stand_in_files_that_only_their_owner_reads() {
    let (_directory, path) = file_with("a password\n", 0o600);
    let config = parse(&format!("admin.password_file = {path:?}"));
    assert_eq!(
        config.admin.password,
        Some(Credential::Plain(doorward::model::Secret::new(
            "a password"
        )))
    );

    let (_directory, path) = file_with(&format!("one\r\n\n{HASH}\n"), 0o600);
    let config = parse(&format!("hub.passwords_file = {path:?}"));
    assert_eq!(config.hub.passwords.len(), 2);
    assert_eq!(config.hub.passwords[1], Credential::Hash(HASH.into()));
}

#[test]
fn a_password_file_that_will_not_do_is_a_mistake() {
    for (text, mode, expected) in [
        (
            "secret\n",
            0o640,
            "which others than its owner may read; `chmod 600` it",
        ),
        ("\n", 0o600, "which is empty"),
        ("one\ntwo\n", 0o600, "which must hold one line only"),
        (
            "$argon2id$cut off\n",
            0o600,
            "whose line 1 is not a whole Argon2id hash",
        ),
    ] {
        let (_directory, path) = file_with(text, mode);
        let said = mistakes(&format!("\nadmin.password_file = {path:?}"));
        assert!(
            said[0].starts_with("line 2: ") && said[0].contains(expected),
            "{said:?}"
        );
    }
    let said = mistakes("admin.password_file = \"missing\"\nserver.tls.cert = \"missing\"");
    assert!(
        said[0].contains("names \"/base/missing\": No such file"),
        "{said:?}"
    );
    assert!(
        said[1].contains("names \"/base/missing\": No such file"),
        "{said:?}"
    );
    assert!(
        said[2].contains("`server.tls.cert` needs `server.tls.key` beside it"),
        "{said:?}"
    );
}

#[test]
fn the_mode_of_a_systemd_credential_does_not_matter() {
    let (credentials, secret) = file_with("a password\n", 0o644);
    let (_directory, path) = file_with(&format!("admin.password_file = {secret:?}"), 0o600);
    assert!(load(&path, None, NOW).is_err());
    assert!(load(&path, Some(Path::new("/proc")), NOW).is_err());
    let loaded = load(&path, Some(credentials.path()), NOW).unwrap();
    assert!(loaded.config.admin.password.is_some() && loaded.warnings.is_empty());
}

#[test]
fn a_secret_that_everybody_can_read_earns_a_warning() {
    for (text, mode, warnings) in [
        ("hub.passwords = [\"in clear\"]", 0o644, 1),
        ("hub.passwords = [\"in clear\"]", 0o640, 0),
        ("server.name = \"harmless\"", 0o644, 0),
        (&format!("hub.passwords = [\"{HASH}\"]"), 0o644, 0),
    ] {
        let (_directory, path) = file_with(text, mode);
        let loaded = load(&path, None, NOW).unwrap();
        assert_eq!(loaded.warnings.len(), warnings, "{text} {mode:o}");
    }
}

#[test]
fn every_line_that_is_no_password_is_a_mistake_with_its_number() {
    let (_directory, path) = file_with("# of the observatory\none\n#two\n$argon2 cut\n", 0o600);
    let said = mistakes(&format!("hub.passwords_file = {path:?}"));
    let [comment, disabled, hash] = said.as_slice() else {
        panic!("{said:#?}")
    };
    assert!(comment.contains("whose line 1 begins with #"), "{comment}");
    assert!(
        disabled.contains("whose line 3 begins with #"),
        "{disabled}"
    );
    assert!(hash.contains("whose line 4 is not a whole"), "{hash}");
    assert!(!said.join(" ").contains("two"), "{said:#?}");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_password() {
    for key in ["admin.password_file", "hub.passwords_file"] {
        let (_directory, path) = file_with("\u{feff}a password\n", 0o600);
        let said = mistakes(&format!("{key} = {path:?}"));
        assert!(
            said[0].contains("begins with a byte order mark"),
            "{said:?}"
        );
        let (_directory, path) = file_with("#a password\n", 0o600);
        let said = mistakes(&format!("{key} = {path:?}"));
        assert!(said[0].contains("whose line 1 begins with #"), "{said:?}");
    }
}

#[test]
fn a_blank_at_the_end_of_a_password_and_a_common_one_earn_a_warning() {
    let (_directory, secrets) = file_with("one \ntwo\n\tthree\nPassw0rd\n", 0o600);
    let (_directory, path) = file_with(&format!("hub.passwords_file = {secrets:?}"), 0o600);
    let warnings = load(&path, None, NOW).unwrap().warnings;
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings[0].contains(":1: `hub.passwords_file` holds a password with a blank"));
    assert!(warnings[2].contains("holds a password that is among the most common"));
}
