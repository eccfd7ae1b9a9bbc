//! Limits in the admin API: who waits, and letting them try again.

use serde_json::{Value, json};

use crate::harness::{Actor, PASSWORD, Server};

const STRICT: &str = "limits.rates = true\nserver.trusted_proxies = [\"127.0.0.1\"]\n\
    limits.wrong_passwords = \"3, then 1 per 60s\"\nlimits.reset_requests = \"1, then 1 per 60s\"";

fn waits(admin: &Actor) -> Vec<Value> {
    let listed = admin.get("/api/admin/limits").gives(200).json();
    listed["waits"].as_array().unwrap().clone()
}

fn lift(admin: &Actor, wait: &Value) {
    let path = format!("/api/admin/limits/{}", wait["id"].as_str().unwrap());
    admin.delete(&path).gives(204);
}

fn log_in(from: &Actor, password: &str) -> u16 {
    let login = json!({"email": "ana@example.org", "password": password});
    from.post("/v1/auth", login).status()
}

#[test]
fn a_network_that_guessed_too_often_waits_until_it_is_let_in() {
    let server = Server::with(STRICT);
    let ana = server.user("ana@example.org");
    let admin = server.admin();
    assert_eq!(waits(&admin), [json!(null); 0]);
    let stranger = server.anyone().at_address("198.51.100.7");
    for _ in 0..3 {
        assert_eq!(log_in(&stranger, "wrong"), 401);
    }
    assert_eq!(log_in(&stranger, PASSWORD), 429);
    let listed = waits(&admin);
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["limit"], json!("wrong_passwords"));
    assert_eq!(listed[0]["network"], json!("198.51.100.7"));
    assert_eq!(listed[0]["wait_seconds"], json!(60));
    lift(&admin, &listed[0]);
    let again = format!("/api/admin/limits/{}", listed[0]["id"].as_str().unwrap());
    admin.delete(&again).gives(404);
    assert_eq!(waits(&admin), [json!(null); 0]);
    assert_eq!(log_in(&stranger, PASSWORD), 201);
    let audit = admin
        .get("/api/admin/audit?action=lift_limit")
        .gives(200)
        .json();
    assert_eq!(
        audit["entries"][0]["target"],
        json!("wrong_passwords - 198.51.100.7")
    );
    admin.delete("/api/admin/limits/AAAA").gives(404);
    assert_eq!(ana.email, "ana@example.org");
}

#[test]
fn strangers_to_an_account_and_requests_for_mails_wait_too() {
    let server = Server::with(STRICT);
    let (ana, admin) = (server.user("ana@example.org"), server.admin());
    for number in 0..5 {
        let stranger = server.anyone().at_address(&format!("198.51.100.{number}"));
        log_in(&stranger, "wrong");
    }
    let stranger = server.anyone().at_address("198.51.100.9");
    assert_eq!(log_in(&stranger, PASSWORD), 429);
    stranger.ask_reset("ana@example.org");
    let listed = waits(&admin);
    let find = |limit: &str| {
        listed
            .iter()
            .find(|it| it["limit"] == json!(limit))
            .unwrap()
    };
    assert_eq!(find("logins_by_strangers")["user_id"], json!(ana.id));
    assert_eq!(find("reset_requests")["network"], json!("198.51.100.9"));
    lift(&admin, find("reset_requests"));
    lift(&admin, find("logins_by_strangers"));
    assert_eq!(log_in(&stranger, PASSWORD), 201);
}
