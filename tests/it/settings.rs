//! The settings in force, in the admin API.

use serde_json::Value;

use crate::harness::{Actor, Server};

fn setting(admin: &Actor, key: &str) -> Value {
    let all = admin.get("/api/admin/settings").gives(200).json();
    let all = all["settings"].as_array().unwrap();
    all.iter().find(|it| it["key"] == key).unwrap().clone()
}

#[test]
fn every_setting_is_shown_with_its_source_and_no_secret_is() {
    let server =
        Server::with("server.name = \"The door\"\nhub.passwords = [\"a long secret of the hub\"]");
    let admin = server.admin();
    let answer = admin.get("/api/admin/settings").gives(200);
    let all = answer.json()["settings"].as_array().unwrap().clone();
    let keys: Vec<&str> = all.iter().map(|it| it["key"].as_str().unwrap()).collect();
    let expected: Vec<&str> = doorward::config::settings().map(|it| it.key).collect();
    assert_eq!(keys, expected);
    assert!(!answer.text().contains("a long secret"));

    let name = setting(&admin, "server.name");
    assert_eq!(
        (&name["source"], &name["value"]),
        (&"file".into(), &"\"The door\"".into())
    );
    assert!(name["line"].as_u64().is_some());
    let hub = setting(&admin, "hub.passwords");
    assert_eq!(
        (&hub["value"], &hub["is_secret"]),
        (&Value::Null, &true.into())
    );
    let level = setting(&admin, "log.level");
    assert_eq!(
        (&level["source"], &level["line"]),
        (&"default".into(), &Value::Null)
    );
    assert_eq!(setting(&admin, "storage.path")["needs_restart"], true);
}
