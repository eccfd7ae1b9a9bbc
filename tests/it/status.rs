//! How the server does, in the admin API.

use serde_json::{Value, json};

use crate::harness::{Actor, Server, hours};

fn status(admin: &Actor) -> Value {
    admin.get("/api/admin/status").gives(200).json()
}

#[test]
fn the_status_counts_what_happens() {
    let server = Server::start();
    let admin = server.admin();
    let before = status(&admin);
    assert_eq!(
        (
            &before["health"]["status"],
            &before["clock"]["status"],
            &before["store"]["users"]
        ),
        (&json!("ok"), &json!("trusted"), &json!(0))
    );
    let ana = server.user("ana@example.org");
    ana.session().get("/v1/user").gives(200);
    server.anyone().get("/v1/user").gives(401);
    server.anyone().ask_reset("ana@example.org");
    server.pass(hours(1));
    let after = status(&admin);
    assert_eq!(
        (&after["store"]["users"], &after["outbox"]["waiting"]),
        (&json!(1), &json!(1))
    );
    // The admin's token, and two sessions: one of the signup.
    assert_eq!(after["store"]["tokens"], 3);
    let more = |pointer: &str| {
        let count = |of: &Value| of.pointer(pointer).unwrap().as_u64().unwrap();
        count(&after) - count(&before)
    };
    assert_eq!(more("/requests/client_errors"), 1);
    assert_eq!(more("/uptime_seconds"), 3_600);
    assert!(more("/requests/answered") >= 5 && more("/writer/groups") >= 3);
    assert_eq!(after["started_at"], before["started_at"]);
    let store = &after["store"];
    let bytes = |key: &str| store[key].as_u64().unwrap();
    assert_eq!(
        bytes("disk_bytes"),
        bytes("live_bytes") + bytes("dead_bytes")
    );
}
