//! Runs the examples of the manual, one after the other, as a shell does.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json as value;

use super::process::{Process, SETTINGS};
use super::streams::{first_line, log_in, report};
use super::{json, started_with};
use crate::harness::Request;

/// The examples of the section of docs/operations.md about the commands.
fn examples() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = fs::read_to_string(file).unwrap();
    let (_, section) = text.split_once("\n## Commands\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks = section.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    lines.map(str::to_owned).collect()
}

/// A shell for a line of the manual, in a directory whose server it commands.
pub(super) fn shell(home: &Path, line: &str) -> Command {
    let config = home.join("manual.toml");
    fs::write(&config, SETTINGS).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_doorward")).parent().unwrap();
    let others = env::var_os("PATH").unwrap();
    let paths = env::split_paths(&others).collect::<Vec<PathBuf>>();
    let paths = [vec![program.to_owned()], paths].concat();
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", line])
        .current_dir(home)
        .env("PATH", env::join_paths(paths).unwrap())
        .env("DOORWARD_CONFIG", config);
    shell
}

/// The server of the manual: its mail does not leave, and a second wrong password has to wait.
const SETTINGS_OF_SERVER: &str = "limits.rates = true\n\
    limits.wrong_passwords = \"1, then 1 per 1h\"\n\
    mail.transport = \"smtp\"\nmail.host = \"127.0.0.1\"\nmail.port = 1\n\
    mail.security = \"none\"\nmail.from = \"doorward@example.org\"\n";

/// The words of the manual that stand for an id: the command that lists the ids, its key, and which
/// row is meant.
const IDS: [(&str, &str, &str, usize); 5] = [
    ("TOKEN", "token list", "tokens", 0),
    ("INVITE", "invite list", "invites", 0),
    ("KEY", "key list", "signing_keys", 1),
    ("MAIL", "outbox list", "mails", 0),
    ("WAIT", "limit list", "waits", 0),
];

/// A line of the manual, with the ids of what is there.
fn with_ids(home: &Path, line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let known = IDS.iter().find(|(name, ..)| *name == word);
        let id = known.map(|(_, list, key, row)| json(home, list)[key][row]["id"].clone());
        id.map_or(word.to_owned(), |id| {
            let missing = || panic!("there is no {word} for {line}");
            id.as_str().map_or_else(missing, str::to_owned)
        })
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Two logins with a wrong password: the second, and all that follow, have to wait.
fn guess(process: &Process) {
    let body = value!({"email": "ana@example.org", "password": "a wrong password"});
    for _ in 0..2 {
        let request = Request::new("POST", "/v1/auth").body(body.clone());
        request.send(process.address);
    }
}

#[test]
fn the_examples_of_the_manual_work_one_after_the_other() {
    let process = started_with(SETTINGS_OF_SERVER);
    let home = process.home();
    let examples = examples();
    assert!(examples.len() > 10, "{examples:?}");
    let token = log_in(&process);
    guess(&process);
    for line in examples {
        let line = with_ids(home, &line);
        if line.contains(" live") {
            let user = json(home, "user show ana@example.org")["id"].clone();
            let line = first_line(shell(home, &format!("exec {line}")), || {
                report(&process, &token, user.as_str().unwrap(), 1);
                log_in(&process);
            });
            assert!(
                line.contains("started") || line.contains("log_in"),
                "{line}"
            );
            continue;
        }
        let ran = shell(home, &line).output().unwrap();
        let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
        assert!(ran.status.success(), "{line}: {said}");
    }
}
