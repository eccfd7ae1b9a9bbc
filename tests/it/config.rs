//! The configuration file: mistakes and their exact error messages, and the documents generated
//! from the table of settings.
//!
//! `DOORWARD_BLESS=1 cargo test` rewrites `config.example.toml` and the table in
//! `docs/configuration.md`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use doorward::config::{self, Complaints, Config, Loaded, Machine, Preset, Transport};
use doorward::model::Timestamp;

mod checks;
mod secrets;
mod templates;
mod warnings;

/// A moment at which the certificate in `fixtures` is valid.
const NOW: &str = "2026-11-26T12:00:00Z";

fn repository(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn is_blessing() -> bool {
    std::env::var_os("DOORWARD_BLESS").is_some()
}

fn parse(text: &str) -> Config {
    config::parse(text, Path::new("/base")).unwrap_or_else(|wrong| panic!("{wrong}"))
}

fn mistakes(text: &str) -> Vec<String> {
    let complaints = config::parse(text, Path::new("/base"))
        .expect_err(text)
        .to_string();
    complaints.lines().map(str::to_owned).collect()
}

/// Loads a file on a machine that shows this time.
fn load(path: &Path, credentials: Option<&Path>, now: &str) -> Result<Loaded, Complaints> {
    let now = Timestamp::parse(now).unwrap();
    config::load(path, &Machine { credentials, now })
}

/// Writes a file with this text and these permissions into a fresh temporary directory.
fn file_with(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    (directory, path)
}

#[test]
fn the_example_file_holds_every_setting() {
    let path = repository("config.example.toml");
    if is_blessing() {
        fs::write(&path, config::example_file()).unwrap();
    }
    assert_eq!(fs::read_to_string(path).unwrap(), config::example_file());
}

#[test]
fn the_example_file_says_the_same_as_an_empty_one() {
    let read = |text: &str| {
        let mut config = parse(text);
        let shown = std::mem::take(&mut config.shown);
        let values: Vec<_> = shown.into_iter().map(|it| (it.key, it.value)).collect();
        (format!("{config:?}"), values)
    };
    assert_eq!(read(&config::example_file()), read(""));
}

#[test]
fn every_example_of_a_setting_without_default_is_toml() {
    for setting in config::settings() {
        let (Preset::Default(value) | Preset::Example(value)) = setting.preset;
        let text = format!("{} = {value}", setting.key);
        let complaints = config::parse(&text, Path::new("/nowhere"));
        let said = complaints
            .err()
            .map(|it| it.to_string())
            .unwrap_or_default();
        assert!(
            !said.contains("TOML") && !said.contains("unknown"),
            "{said}"
        );
    }
}

#[test]
fn the_guide_holds_the_table_of_settings() {
    let path = repository("docs/configuration.md");
    let guide = fs::read_to_string(&path).unwrap();
    let (before, rest) = guide.split_once("<!-- settings:begin -->\n").unwrap();
    let (table, after) = rest.split_once("<!-- settings:end -->").unwrap();
    let expected = config::markdown_table();
    if is_blessing() {
        let blessed =
            format!("{before}<!-- settings:begin -->\n{expected}<!-- settings:end -->{after}");
        fs::write(&path, blessed).unwrap();
    } else {
        assert_eq!(table, expected);
    }
}

#[test]
fn every_mistake_is_reported_with_its_line() {
    let text = r#"[server]
listen = ["127.0.0.1:8080", "localhost:80", 80]
nam = "door"
name = 7
allowed_origins = ["https://app.example.org/"]
public_url = unquoted

[tokenz]
anything = 1

[tokens]
admin_lifetme = "24h"
hub_lifetime = "0s"
session_idle_lifetime = "forever"
per_user = -1

[admin]
password = "first"
password_hash = "$argon2id$nonsense"

[hub]
passwords = ["", 12345678]
level = "info"

[limits]
signups = "5 per hour"
event_body = "1GiB"
rates = "no"

[mail]
transport = "pigeon"
from = "nobody"
"#;
    let expected = r#"line 2: `server.listen` must be an IP address and a port, such as "127.0.0.1:8080" or "[::]:8080", not "localhost:80"
line 2: `server.listen` must be a text in quotes, not 80
line 3: unknown key `server.nam`; did you mean `server.name`?
line 4: `server.name` must be a text in quotes, not 7
line 5: `server.allowed_origins` must be "*" or an origin without a path or a slash at its end, such as "https://app.example.org" or "tauri://localhost", not "https://app.example.org/"
line 6: not TOML at column 14: string values must be quoted, expected literal string
line 8: unknown section `tokenz`; did you mean `tokens`?
line 12: unknown key `tokens.admin_lifetme`; did you mean `tokens.admin_lifetime`?
line 13: `tokens.hub_lifetime` must be at least "1s", not "0s"
line 14: `tokens.session_idle_lifetime` must be a number and a unit in quotes, from "1s" to "3650d", not "forever"
line 15: `tokens.per_user` must be a whole number from 1 to 100000, not -1
line 19: `admin.password_hash` is not a whole Argon2id hash (`$argon2id$v=19$…`); `doorward hash-password` makes one
line 19: `admin.password_hash` says the same as `admin.password` in line 18; keep one of them
line 22: `hub.passwords` must not be empty
line 22: `hub.passwords` must be a text in quotes
line 23: unknown key `hub.level`; did you mean `log.level`?
line 26: `limits.signups` must be written like "10, then 1 per 6s", not "5 per hour"
line 27: `limits.event_body` must be at most "64MiB", not "1GiB"
line 28: `limits.rates` must be true or false, not "no"
line 31: `mail.transport` must be "smtp", "file" or "log", not "pigeon"
line 32: `mail.from` must be a sender such as "doorward <doorward@example.org>", not "nobody""#;
    assert_eq!(mistakes(text).join("\n"), expected);
}

#[test]
fn no_text_is_too_broken_to_be_judged() {
    let example = config::example_file();
    for cut in (0..example.len())
        .step_by(11)
        .filter(|at| example.is_char_boundary(*at))
    {
        let (before, after) = example.split_at(cut);
        for text in [before, after, &format!("{before}\"[\u{0}{after}")] {
            let _ = config::parse(text, Path::new("/base"));
        }
    }
}

#[test]
fn a_file_that_is_hardly_toml_is_reported_wherever_it_breaks() {
    let said = mistakes("[server\nname = \"a\"\nname = \"b\"\nlisten = [\"::1:1\"\n");
    assert!(
        said.len() > 1 && said.iter().any(|it| it.starts_with("line 1: not TOML")),
        "{said:?}"
    );
    let said = mistakes("server = 3\nlog.level = \"loud\"\n[[storage]]\npath = \"x\"\n");
    assert!(
        said[0].starts_with("line 1: `server` is a section"),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("line 2: `log.level` must be \"off\""),
        "{said:?}"
    );
    assert!(
        said[2].starts_with("line 3: `storage` is a section"),
        "{said:?}"
    );
}

#[test]
fn values_arrive_where_they_belong() {
    let config = parse(
        r#"
        server.listen = ["127.0.0.1:0", "[::1]:0"]
        server.public_url = "https://door.example.org/"
        server.trusted_proxies = ["10.0.0.1", "fd00::/8"]
        storage.path = "elsewhere"
        reset.reset_link = "https://example.org/{token}"
        tokens.access_lifetime = "90s"
        accounts.hash_memory = "7MiB"
        mail.transport = "file"
        limits.signups = "2, then 1 per 500ms"
        log.level = "off"
        "#,
    );
    assert_eq!(config.server.listen.len(), 2);
    assert_eq!(config.server.public_url, "https://door.example.org");
    assert_eq!(config.server.trusted_proxies[0].prefix_len(), 32);
    assert_eq!(config.storage.path, Path::new("/base/elsewhere"));
    assert_eq!(config.tokens.access_lifetime, Duration::from_secs(90));
    assert_eq!(config.accounts.hash_memory, 7 << 20);
    assert_eq!(config.mail.transport, Transport::File);
    assert_eq!(config.mail.path, Path::new("/base/mail"));
    assert_eq!(config.limits.signups.period, Duration::from_millis(500));
    assert_eq!(config.log.level, log::LevelFilter::Off);
}

#[test]
fn an_invite_is_a_code_or_a_table() {
    let config = parse(
        r#"accounts.invites = ["one", { code = "ten", uses = 10, expires = 2027-01-01T00:00:00Z }]"#,
    );
    let [(single, once), (shared, often)] = config.accounts.invites.as_slice() else {
        panic!()
    };
    assert_eq!(
        (single.as_str(), once.uses, once.expires_at),
        ("one", 1, None)
    );
    assert_eq!((shared.as_str(), often.uses), ("ten", 10));
    assert_eq!(often.expires_at.unwrap().rfc3339(), "2027-01-01T00:00:00Z");

    let said = mistakes(
        "[accounts]\ninvites = [\n 5,\n { uses = 2 },\n { code = \"a\", use = 2 },\n \
         { code = \"b\", expires = 2027-01-01 },\n]\n",
    );
    for (line, part) in [
        "must hold",
        "without a `code`",
        "did you mean `uses`",
        "`expires`",
    ]
    .iter()
    .enumerate()
    .map(|(number, part)| (&said[number], part))
    {
        assert!(line.contains(part), "{line}");
    }
    assert!(said[3].starts_with("line 6: "), "{said:?}");
}

#[test]
fn counts_are_kept_at_least_as_long_as_events() {
    let wrong = "`events.keep_counts` must not be shorter than `events.retention`";
    for (text, line) in [
        ("[events]\nretention = \"10d\"\nkeep_counts = \"9d\"", 3),
        ("[events]\nretention = \"2000d\"", 2),
        ("[events]\nkeep_counts = \"89d\"", 2),
    ] {
        assert_eq!(mistakes(text), [format!("line {line}: {wrong}")], "{text}");
    }
    let unreadable = mistakes("events.keep_counts = \"long\"");
    assert_eq!(unreadable.len(), 1, "{unreadable:?}");
    let equal = parse("events.retention = \"2000d\"\nevents.keep_counts = \"2000d\"");
    assert_eq!(equal.events.retention, equal.events.keep_counts);
}

#[test]
fn complaints_name_the_file() {
    let (directory, path) = file_with("a = 1\n", 0o600);
    let said = load(&path, None, NOW).unwrap_err().to_string();
    assert_eq!(said, format!("{}:1: unknown key `a`", path.display()));
    let missing = directory.path().join("missing");
    let said = load(&missing, None, NOW).unwrap_err().to_string();
    assert!(
        said.starts_with(&format!("{}: there is no such file", missing.display())),
        "{said}"
    );
    fs::write(&path, b"# fine\n\xff").unwrap();
    let said = load(&path, None, NOW).unwrap_err().to_string();
    assert!(said.ends_with(":2: the file must be UTF-8 text"), "{said}");
}

#[test]
fn the_file_is_the_one_the_environment_names() {
    assert_eq!(
        config::default_path(Some("/x.toml".into())),
        Path::new("/x.toml")
    );
    for nothing in [None, Some("".into())] {
        assert_eq!(
            config::default_path(nothing),
            Path::new("/etc/doorward/config.toml")
        );
    }
}

#[test]
fn the_readme_says_of_its_keys_what_the_guide_says() {
    let readme = fs::read_to_string(repository("README.md")).unwrap();
    let table = config::markdown_table();
    let rows: Vec<&str> = readme.lines().filter(|it| it.starts_with("| `")).collect();
    assert_eq!(rows.len(), 10);
    for row in rows {
        assert!(table.lines().any(|it| it == row), "{row}");
    }
}
