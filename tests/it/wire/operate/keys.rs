//! Tests `doorward key`.

use serde_json::{Value, json};

use super::process::Process;
use super::{fails, json, run, started};
use crate::harness::Request;

/// The ids of the keys that others verify access tokens with.
fn published(process: &Process) -> Vec<Value> {
    let answer = Request::new("GET", "/.well-known/jwks.json").send(process.address);
    let set: Value = serde_json::from_slice(&answer.body).unwrap();
    let keys = set["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].clone()).collect()
}

#[test]
fn a_key_is_made_ahead_of_its_use_rotated_and_removed() {
    let process = started();
    let home = process.home();
    let keys = |command: &str| json(home, command)["signing_keys"].clone();
    let first = keys("key list")[0]["id"].clone();
    let next = keys("key next")[1].clone();
    assert_eq!(next["status"], "next");
    assert_eq!(published(&process), [first.clone(), next["id"].clone()]);
    let rotated = keys("key rotate");
    assert_eq!(
        (&rotated[0]["id"], &rotated[0]["status"]),
        (&next["id"], &json!("current"))
    );
    assert_eq!(
        (&rotated[1]["id"], &rotated[1]["status"]),
        (&first, &json!("old"))
    );

    let (first, next) = (first.as_str().unwrap(), next["id"].as_str().unwrap());
    let table = run(home, "key list");
    assert!(
        table.contains("USED FROM") && table.contains(first),
        "{table}"
    );
    fails(
        home,
        &format!("key remove {first}"),
        1,
        "nothing was changed",
    );
    run(home, &format!("key remove {first} --yes"));
    assert_eq!(published(&process), [next]);
    fails(
        home,
        &format!("key remove {next} --yes"),
        4,
        "the server says: ",
    );
    fails(home, "key remove unknown --yes", 3, "Nothing has this id");
}
