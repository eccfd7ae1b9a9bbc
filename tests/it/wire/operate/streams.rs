//! Tests the commands that read the streams of the admin API.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;

use serde_json::{Value, json};

use super::manual::shell;
use super::poll;
use super::process::{Killed, Process};
use super::{fails, json, run, started};
use crate::harness::{ADMIN_PASSWORD, Request};

/// Logs in as the administrator: an entry of the audit log, and the token.
pub(super) fn log_in(process: &Process) -> String {
    let body = json!({"username": "admin", "password": ADMIN_PASSWORD});
    let request = Request::new("POST", "/api/token").body(body);
    let answer = request.send(process.address);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["token"].as_str().unwrap().to_owned()
}

/// Reports so many events `started` about a user.
pub(super) fn report(process: &Process, token: &str, user: &str, count: usize) {
    let event = json!({"name": "started", "user_id": user, "details": {"why": "x".repeat(200)}});
    let request = Request::new("POST", "/api/events/complex_clientapp")
        .body(json!(vec![event; count]))
        .header("X-Token", token);
    assert_eq!(request.send(process.address).status, 201);
}

/// The first line of a command that never ends, while `act` makes something happen again and again.
pub(super) fn first_line(mut command: Command, act: impl Fn()) -> String {
    let mut child = Killed(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut out = BufReader::new(child.0.stdout.take().unwrap());
    let (said, hears) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        said.send(line)
    });
    poll(|| {
        act();
        hears.try_recv().ok()
    })
}

/// Runs a line of a shell to its end.
fn sh(home: &Path, line: &str) -> (Output, String) {
    let ran = shell(home, line).output().unwrap();
    let said = String::from_utf8(ran.stderr.clone()).unwrap();
    (ran, said)
}

/// Exports events to a file in `home`, and returns its lines.
fn exported(home: &Path, file: &str) -> Vec<Value> {
    let (ran, said) = sh(home, &format!("doorward event export --output {file}"));
    assert!(ran.status.success() && ran.stdout.is_empty(), "{said}");
    let text = fs::read_to_string(home.join(file)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// A server with an account, and 4,000 events about it.
fn with_events() -> Process {
    let process = started();
    let ana = json(process.home(), "user add ana@example.org --name Ana");
    let token = log_in(&process);
    for _ in 0..4 {
        report(&process, &token, ana["id"].as_str().unwrap(), 1_000);
    }
    process
}

/// How many lines a command prints.
#[track_caller]
fn count(home: &Path, command: &str) -> usize {
    let (ran, said) = sh(home, command);
    assert!(ran.status.success(), "{said}");
    String::from_utf8(ran.stdout).unwrap().lines().count()
}

/// What the commands below say, whose reader has enough after a line.
fn read_a_line_of(home: &Path, command: &str) -> String {
    let (_, said) = sh(
        home,
        &format!("{{ {command}; echo code $? >&2; }} | head -n 1"),
    );
    said
}

#[test]
fn an_export_is_a_whole_file_with_and_without_a_server() {
    let mut process = with_events();
    let home = process.home().to_owned();
    let first = exported(&home, "first");
    assert_eq!(first.len(), 4_000);
    let taken = "is there already, and is not replaced";
    fails(&home, "event export --output /etc/passwd", 1, taken);
    let unknown = "format: must be ndjson or csv";
    fails(&home, "event export --format xml", 4, unknown);
    let csv = "doorward event export --user ana@example.org --format csv";
    let audit = "doorward audit export --user ana@example.org --action sign_up";
    assert_eq!((count(&home, csv), count(&home, audit)), (4_001, 1));

    process.terminate();
    process.ends();
    assert_eq!(exported(&home, "second"), first);
    assert_eq!((count(&home, csv), count(&home, audit)), (4_001, 1));
    let only = "only a running server has live streams";
    fails(&home, "event live", 1, only);
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let mut process = with_events();
    let home = process.home().to_owned();
    let commands = ["doorward event export", "doorward event list --limit 4000"];
    for command in commands {
        assert_eq!(read_a_line_of(&home, command), "code 0\n");
    }
    process.terminate();
    process.ends();
    for command in commands {
        let said = read_a_line_of(&home, command);
        assert!(said.ends_with("meanwhile\ncode 0\n"), "{said}");
    }
}

#[test]
fn events_are_counted_by_time_and_name() {
    let process = with_events();
    let summary = run(
        process.home(),
        "event summary --by month --tz Europe/Berlin",
    );
    assert!(summary.contains("4000 events about 1 users"), "{summary}");
    let summary = json(process.home(), "event summary --name started");
    assert_eq!(
        (&summary["total"], &summary["by"]),
        (&json!(4_000), &json!("day"))
    );
}

#[test]
fn live_streams_print_a_line_for_each_message() {
    let process = started();
    let home = process.home();
    let ana = json(home, "user add ana@example.org --name Ana");
    let ana = ana["id"].as_str().unwrap();
    let token = log_in(&process);
    let act = || report(&process, &token, ana, 1);
    let table = first_line(
        shell(home, "exec doorward event live --user ana@example.org"),
        act,
    );
    assert!(
        table.contains(&format!("  started  {ana}  admin  ")),
        "{table}"
    );
    let line = first_line(shell(home, "exec doorward event live --json"), act);
    let event: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["name"], "started");
    let entry = first_line(
        shell(home, "exec doorward audit live --action log_in"),
        || {
            log_in(&process);
        },
    );
    assert!(entry.contains("  log_in  success  1  admin  "), "{entry}");
    fails(
        home,
        "audit live --action think",
        4,
        "action: must be one of",
    );
}

/// A server that begins an answer of events and breaks it off.
fn breaks_off(home: &Path) -> std::thread::JoinHandle<()> {
    fs::create_dir(home.join("data")).unwrap();
    let socket = UnixListener::bind(home.join("data/control.sock")).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = socket.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
    })
}

#[test]
fn an_export_that_breaks_off_is_an_error_and_leaves_no_file() {
    let home = tempfile::tempdir().unwrap();
    let server = breaks_off(home.path());
    let (ran, said) = sh(home.path(), "doorward event export --output events");
    server.join().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("the answer was broken off"), "{said}");
    let names = fs::read_dir(home.path()).unwrap();
    let names = names
        .map(|it| it.unwrap().file_name())
        .filter(|it| *it != "data");
    assert_eq!(names.collect::<Vec<_>>(), ["manual.toml"]);
}
