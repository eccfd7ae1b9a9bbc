//! Tests what the program says of a damaged store.

use std::fs::File;
use std::path::Path;

use serde_json::Value;

use super::line::{HEALTH, Line};
use super::process::Process;

/// Asks a process for its health.
fn health(process: &Process) -> String {
    let mut line = Line::to_address(process.address);
    let answer = line.say(HEALTH).hears(200);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    body["status"].as_str().unwrap().to_owned()
}

fn stop(process: &mut Process) {
    process.terminate();
    assert_eq!(process.ends().code(), Some(0), "{}", process.said());
}

fn empty(file: &Path) {
    let file = File::options().write(true).open(file).unwrap();
    file.set_len(0).unwrap();
}

#[test]
fn a_damaged_store_ends_the_start_with_a_sentence_until_its_owner_decides() {
    let mut process = Process::start("");
    assert_eq!(health(&process), "ok");
    stop(&mut process);
    empty(&process.home().join("data/db"));
    let (code, said) = process.second("server.listen = \"127.0.0.1:0\"");
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "the file `db` is damaged: it is empty",
        "0 records can be read",
        "Nothing has been changed.",
        "Put the newest backup back: move",
        "`storage.open_damaged = true`",
        "how to get help",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    let go_on = "storage.open_damaged = true\n";
    let mut process = process.again(go_on);
    assert_eq!(health(&process), "damaged");
    assert!(process.said().contains("the file `db` is damaged"));
    assert!(process.home().join("data/damaged-1/db").exists());
    stop(&mut process);
    let mut process = process.again(go_on);
    assert_eq!(health(&process), "damaged", "a restart settles nothing");
    stop(&mut process);
    let process = process.again("");
    assert_eq!(health(&process), "ok");
    assert!(process.said().contains("the loss is accepted"));
}

#[test]
fn a_damaged_record_is_counted_and_named_and_ends_no_start() {
    const STARTS: [u8; 2] = [b'M', 4];
    let mut process = Process::start("");
    stop(&mut process);
    {
        let db = sled::open(process.home().join("data")).unwrap();
        let mut record = db.get(STARTS).unwrap().unwrap().to_vec();
        *record.last_mut().unwrap() ^= 1;
        db.insert(STARTS, record).unwrap();
    }
    let process = process.again("");
    assert_eq!(health(&process), "damaged");
    let said = process.said();
    assert!(
        said.contains("kind M, key ") && said.contains(": wrong checksum"),
        "{said}"
    );
}
