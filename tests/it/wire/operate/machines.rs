//! Tests `doorward machine-token`.

use serde_json::json;

use super::process::Process;
use super::{fails, json, run, started};
use crate::harness::Request;

/// The status of a report of an event about a user, with a machine token.
fn report(process: &Process, token: &str, user: &str) -> u16 {
    let body = json!([{"name": "started", "user_id": user}]);
    let request = Request::new("POST", "/api/events/simple_clientapp").body(body);
    let request = request.header("Authorization", &format!("Bearer {token}"));
    request.send(process.address).status
}

/// The secret that a command has printed.
fn secret(said: &str) -> &str {
    let line = said.lines().find(|line| line.starts_with("dw_"));
    line.unwrap_or_else(|| panic!("{said}"))
}

#[test]
fn a_machine_token_is_made_rotated_and_ended_by_its_name() {
    let process = started();
    let home = process.home();
    let ana = json(home, "user add ana@example.org --name Ana");
    let ana = ana["id"].as_str().unwrap();
    let made = run(
        home,
        "machine-token make sensor-1 --scope events:write,events:read --network 127.0.0.0/8 \
         --expires 90d",
    );
    assert!(
        made.contains("the token sensor-1 is good until 20"),
        "{made}"
    );
    assert_eq!(report(&process, secret(&made), ana), 201);

    let shown = json(home, "machine-token show sensor-1");
    assert_eq!(shown["scopes"], json!(["events:write", "events:read"]));
    assert_eq!(shown["networks"], json!(["127.0.0.0/8"]));
    let table = run(home, "machine-token list");
    assert!(
        table.contains("LAST USED") && table.contains("sensor-1"),
        "{table}"
    );

    let rotated = run(home, "machine-token rotate sensor-1 --overlap 3600");
    assert_ne!(secret(&rotated), secret(&made));
    let newest = json(home, "machine-token show sensor-1");
    assert_ne!(newest["id"], shown["id"]);
    for token in [&made, &rotated] {
        assert_eq!(report(&process, secret(token), ana), 201);
    }

    fails(home, "machine-token end sensor-1", 1, "nothing was changed");
    run(home, "machine-token end sensor-1 --yes");
    for token in [&made, &rotated] {
        assert_eq!(report(&process, secret(token), ana), 401);
    }
}

#[test]
fn a_machine_token_of_an_account_is_made_by_its_address() {
    let process = started();
    let home = process.home();
    let ana = json(home, "user add ana@example.org --name Ana");
    let made = json(
        home,
        "machine-token make phone --scope events:write --user ana@example.org --expires 2099-01-01",
    );
    assert_eq!(made["expires_at"], "2099-01-01T00:00:00.000Z");
    let shown = json(
        home,
        &format!("machine-token show {}", made["id"].as_str().unwrap()),
    );
    assert_eq!(shown["user_id"], ana["id"]);

    let again = "machine-token make phone --scope events:write";
    fails(home, again, 4, "the server says: ");
    fails(
        home,
        "machine-token make x --scope think",
        4,
        "scopes: must be of events:write",
    );
    fails(
        home,
        "machine-token make x --scope admin --expires soon",
        4,
        "expires_at: must be",
    );
    fails(home, "machine-token make x", 2, "--scope");
    fails(
        home,
        "machine-token show nothing",
        3,
        "no machine token has the name nothing",
    );
}

#[test]
fn a_name_that_looks_like_an_id_is_a_name_and_an_id_is_of_one_secret() {
    let process = started();
    let home = process.home();
    let ana = json(home, "user add ana@example.org --name Ana");
    let ana = ana["id"].as_str().unwrap();
    let name = "0123456789abcdef0123456789abcdef";
    let made = run(
        home,
        &format!("machine-token make {name} --scope events:write"),
    );
    let old = json(home, &format!("machine-token show {name}"));
    assert_eq!(old["name"], name);
    assert_eq!(old["networks"], json!([]));
    let rotated = run(home, &format!("machine-token rotate {name}"));
    // The old secret has leaked.
    let id = old["id"].as_str().unwrap();
    run(home, &format!("machine-token end {id} --yes"));
    assert_eq!(report(&process, secret(&made), ana), 401);
    assert_eq!(report(&process, secret(&rotated), ana), 201);
    run(home, &format!("machine-token end {name} --yes"));
    assert_eq!(report(&process, secret(&rotated), ana), 401);
}
