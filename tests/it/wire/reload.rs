//! Tests of the signals that reload the configuration of the real program.

use rustix::process::Signal;

use super::line::{HEALTH, Line};
use super::moment::poll;
use super::process::Process;

const DONE: &str = "the configuration was reloaded";
const NOT_DONE: &str = "the configuration has mistakes: nothing was changed";

/// Sends SIGHUP after the file has changed, and returns what the process then says, up to the line
/// that holds `last`.
fn reloaded(process: &Process, settings: &str, last: &str) -> String {
    let before = process.said().len();
    process.rewrite(settings);
    process.signal(Signal::HUP);
    poll(|| {
        let said = process.said();
        let fresh = said.get(before..)?;
        fresh.contains(last).then(|| fresh.to_owned())
    })
}

fn root(process: &Process) -> String {
    let mut line = Line::to_address(process.address);
    let root = line.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n").hears(200);
    String::from_utf8(root.body).unwrap()
}

#[test]
fn sighup_changes_what_can_change_and_names_what_cannot() {
    let process = Process::start("server.name = \"before\"\n");
    let said = reloaded(
        &process,
        "server.name = \"after\"\nstorage.commit_delay = \"50ms\"\nlog.level = \"debug\"\n",
        DONE,
    );
    assert!(
        said.contains("`storage.commit_delay` stays 0ns until a restart"),
        "{said}"
    );
    assert!(root(&process).contains("\"after\""));
    // The log of a connection that ends early shows the new level.
    let mut line = Line::to_address(process.address);
    line.say("rubbish\r\n\r\n").hears(400);
    poll(|| {
        process
            .said()
            .contains("a connection ended early")
            .then_some(())
    });
}

#[test]
fn a_file_with_mistakes_changes_nothing_and_each_is_logged() {
    let process = Process::start("server.name = \"before\"\n");
    let wrong = "server.name = 7\nlog.levle = \"debug\"\n";
    let said = reloaded(&process, wrong, NOT_DONE);
    assert!(
        said.contains("`server.name` must be a text in quotes, not 7"),
        "{said}"
    );
    assert!(said.contains("did you mean `log.level`?"), "{said}");
    assert!(root(&process).contains("\"before\""));
    reloaded(&process, "server.name = \"after\"\n", DONE);
    assert!(root(&process).contains("\"after\""));
}

#[test]
fn the_other_signals_of_users_change_nothing() {
    let process = Process::start("");
    process.signal(Signal::USR1);
    process.signal(Signal::USR2);
    reloaded(&process, "", DONE);
    Line::to_address(process.address).say(HEALTH).hears(200);
}
