//! Tests the commands that ask the admin API, with the real program: of a running server, and of a
//! store without one.

mod keys;
mod machines;
mod manual;
mod settings;
mod streams;
mod terminal;

use std::path::Path;

use serde_json::Value;

use super::moment::poll;
use super::process::{self, Process, run_in};

/// Runs a command that must succeed, and returns what it printed.
#[track_caller]
fn run(home: &Path, command: &str) -> String {
    let (code, said) = run_in(home, command, "");
    assert_eq!(code, Some(0), "{command}: {said}");
    said
}

/// Runs a command with `--json`, and returns what it printed.
#[track_caller]
fn json(home: &Path, command: &str) -> Value {
    let said = run(home, &format!("{command} --json"));
    let line = said.lines().find(|line| line.starts_with('{'));
    let line = line.unwrap_or_else(|| panic!("{said}"));
    serde_json::from_str(line).unwrap()
}

/// Runs a command that must fail with this code and sentence.
#[track_caller]
fn fails(home: &Path, command: &str, code: i32, sentence: &str) {
    let (ended, said) = run_in(home, command, "");
    assert_eq!(ended, Some(code), "{command}: {said}");
    assert!(said.contains(sentence), "{said}");
}

/// A server whose control socket answers.
#[track_caller]
fn started() -> Process {
    started_with("")
}

#[track_caller]
fn started_with(settings: &str) -> Process {
    let process = Process::start(settings);
    let home = process.home().to_owned();
    poll(|| home.join("data/control.sock").exists().then_some(()));
    process
}

/// Reads what the story below has left behind.
fn looks_at(home: &Path, id: &str) {
    let said = run(home, "explain --email ana@example.org");
    assert!(
        said.contains("strangers: no wait") && said.contains("make_reset"),
        "{said}"
    );
    let audit = json(home, &format!("audit list --user {id}"));
    let actors = audit["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["actor"]);
    let uid = rustix::process::geteuid().as_raw();
    assert!(
        actors.into_iter().all(|it| *it == format!("control:{uid}")),
        "{audit}"
    );
    assert_eq!(json(home, "token list")["tokens"], serde_json::json!([]));
    assert_eq!(run(home, "event list"), run(home, "event list"));
    assert_eq!(json(home, "status")["health"]["status"], "ok");
    let said = run(home, "status");
    assert!(
        said.contains("store\n  ") && said.contains("  users: 1\n"),
        "{said}"
    );
    let said = run(home, "status --disk");
    assert!(
        said.contains("events stored: 0\n") && said.contains("BYTES WRITTEN"),
        "{said}"
    );
}

fn story(home: &Path) {
    let ana = json(home, "user add ana@example.org --name Ana");
    let id = ana["id"].as_str().unwrap().to_owned();
    let table = run(home, "user list --search ana");
    assert!(
        table.contains("ADDRESS") && table.contains("ana@example.org"),
        "{table}"
    );
    assert_eq!(json(home, "user show ANA@example.org")["id"], *id);
    assert_eq!(
        json(home, &format!("user edit {id} --name Anna"))["name"],
        "Anna"
    );
    assert_eq!(json(home, "user disable ana@example.org")["disabled"], true);
    fails(
        home,
        "user reset-link ana@example.org",
        4,
        "the account is disabled",
    );
    run(home, "user enable ana@example.org");
    let link = run(home, "user reset-link ana@example.org --lifetime 600");
    assert!(link.contains("It works once, until "), "{link}");
    looks_at(home, &id);
    fails(
        home,
        "user show nobody@example.org",
        3,
        "no account has the address",
    );
    fails(
        home,
        "token show 2c4f0e0a-8b0e-4d4f-9a0b-0d0c0b0a0908",
        3,
        "Nothing has this id",
    );
    fails(
        home,
        "audit list --action think",
        4,
        "action: must be one of log_in",
    );
    fails(
        home,
        "user delete ana@example.org",
        1,
        "nothing was changed",
    );
    run(home, "user delete ana@example.org --yes");
    assert_eq!(json(home, "user list")["users"], serde_json::json!([]));
}

#[test]
fn commands_ask_the_running_server() {
    let process = started();
    story(process.home());
    assert!(!process.said().contains("ERROR"), "{}", process.said());
}

#[test]
fn without_a_server_commands_open_the_store_and_say_so() {
    let mut process = Process::start("");
    process.terminate();
    process.ends();
    let home = process.home().to_owned();
    story(&home);
    let said = run(&home, "user list");
    assert!(said.contains("no server runs"), "{said}");
    // What they did is there for the next server.
    let process = process.again("");
    let audit = json(process.home(), "audit list --action delete_user");
    assert_eq!(audit["entries"].as_array().unwrap().len(), 1);
}
