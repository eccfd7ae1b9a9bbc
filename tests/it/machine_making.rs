//! What a machine token is made with, and what making one does to those before it.

use serde_json::{Value, json};

use crate::harness::{Server, hours};

const MADE: &str = "/api/admin/machine-tokens";
const OWN: &str = "/v1/machine-tokens";

#[test]
fn networks_are_those_that_addresses_are_compared_with() {
    let server = Server::with("server.trusted_proxies = [\"127.0.0.1\"]");
    let admin = server.admin();
    let asked = json!({
        "name": "mapped", "scopes": ["users:read"],
        "networks": ["::ffff:10.0.0.7/104", "10.0.0.0/8", "::ffff:192.0.2.1", "192.0.2.1"],
    });
    let made = admin.post(MADE, asked).gives(201);
    let listed = admin
        .get(&format!("{MADE}/{}", made.string("/id")))
        .gives(200);
    assert_eq!(
        listed.json()["networks"],
        json!(["10.0.0.0/8", "192.0.2.1/32"])
    );
    let machine = server.anyone().with_token(&made.string("/token"));
    for (address, status) in [("10.9.0.7", 200), ("192.0.2.1", 200), ("192.0.2.2", 403)] {
        machine
            .at_address(address)
            .get("/api/admin/users")
            .gives(status);
    }
}

#[test]
fn no_networks_at_all_are_left_out_and_not_an_empty_list() {
    let server = Server::with("tokens.user_machine_tokens = true");
    let (admin, ana) = (server.admin(), server.user("ana@example.org").session());
    let asked =
        |networks: Value| json!({"name": "a", "scopes": ["users:read"], "networks": networks});
    admin
        .post(MADE, asked(json!([])))
        .names(400, "leave it out");
    admin.post(MADE, asked(json!(null))).gives(201);
    let asked = |networks: Value| json!({"name": "a", "networks": networks});
    ana.post(OWN, asked(json!([]))).names(400, "leave it out");
    ana.post(OWN, asked(json!(null))).gives(201);
}

#[test]
fn own_machine_tokens_of_earlier_passwords_are_removed_when_one_is_made() {
    let server = Server::with(
        "tokens.user_machine_tokens = true\ntokens.per_user = 3\nlimits.rates = false",
    );
    let ana = server.user("ana@example.org");
    let session = ana.session();
    let (mut password, mut newest) = (ana.password.clone(), String::new());
    for round in 0..4 {
        for number in 0..3 {
            let made = session.post(OWN, json!({"name": format!("m{round}-{number}")}));
            newest = made.gives(201).string("/token");
        }
        let next = format!("another password {round}");
        let change = json!({"current_password": password, "password": next});
        session.patch("/v1/user/password", change).gives(204);
        password = next;
    }
    let admin = server.admin();
    let path = format!("/api/admin/tokens?holder={}&kind=machine", ana.id);
    let page = admin.get(&path).gives(200).json();
    assert_eq!(page["tokens"].as_array().unwrap().len(), 3);
    session.post(OWN, json!({"name": "m"})).gives(201);
    let page = admin.get(&path).gives(200).json();
    assert_eq!(page["tokens"].as_array().unwrap().len(), 1);
    // How they ended is remembered.
    let explained = admin.get(&format!("/api/admin/explain?token={newest}"));
    let explained = explained.gives(200);
    assert_eq!(
        explained.string("/ended/reason"),
        "revoked",
        "{}",
        explained.text()
    );
}

#[test]
fn a_name_is_of_one_live_token_also_after_the_clock_goes_back() {
    let server = Server::start();
    let soon = server.now().after(hours(1)).rfc3339_millis();
    let make = |end: Option<&str>| {
        let asked = json!({"name": "s", "scopes": ["users:read"], "expires_at": end});
        let made = server.admin().post(MADE, asked).gives(201);
        server.anyone().with_token(&made.string("/token"))
    };
    let old = make(Some(&soon));
    server.clock.set_ahead(hours(2));
    let new = make(None);
    server.clock.set_right();
    old.get("/api/admin/users").gives(401);
    new.get("/api/admin/users").gives(200);
}

#[test]
fn the_audit_log_says_what_a_machine_token_may_do() {
    let server = Server::start();
    let admin = server.admin();
    let asked = json!({
        "name": "sensor", "scopes": ["users:read", "events:write"], "networks": ["10.0.0.0/8"],
    });
    let id = admin.post(MADE, asked).gives(201).string("/id");
    let log = admin
        .get("/api/admin/audit?action=make_machine_token")
        .gives(200);
    let expected = format!("sensor {id}: events:write users:read from 10.0.0.0/8");
    assert_eq!(log.string("/entries/0/target"), expected);
}

#[test]
fn a_token_without_an_end_has_none_in_any_answer() {
    let server = Server::with("tokens.user_machine_tokens = true");
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let session = ana.session();
    let made = session.post(OWN, json!({"name": "phone"})).gives(201);
    let asked = json!({"name": "gate", "scopes": ["admin"], "user_id": ana.id});
    let gate = admin.post(MADE, asked).gives(201);
    // A user sees the own one, and none that somebody else made.
    let sessions = session.get("/v1/sessions").gives(200).json();
    let ids: Vec<_> = sessions
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["id"])
        .collect();
    assert!(
        ids.contains(&&json!(made.string("/id"))) && !ids.contains(&&json!(gate.string("/id")))
    );
    let phone = sessions
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["kind"] == "machine");
    assert_eq!(phone.unwrap()["expires_at"], json!(null));
    let explain = format!("/api/admin/explain?token={}", made.string("/token"));
    let explained = admin.get(&explain).gives(200);
    assert!(
        explained.text().contains("good without an end"),
        "{}",
        explained.text()
    );
    let of_other = format!("/v1/session/{}", gate.string("/id"));
    session.delete(&of_other).gives(404);
    let gate = server.anyone().with_token(&gate.string("/token"));
    gate.get(MADE).gives(200);
    let path = format!("{OWN}/{}", made.string("/id"));
    session.delete(&path).gives(204);
    for text in [explained.text(), admin.get(&explain).gives(200).text()] {
        assert!(!text.contains("9999"), "{text}");
    }
}
