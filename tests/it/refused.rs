//! Machine tokens where they are not accepted, and what they leave behind there.

use serde_json::{Value, json};

use crate::harness::{Actor, Request, Server, seconds};
use crate::machines::machine;

const MADE: &str = "/api/admin/machine-tokens";
const USERS: &str = "/api/admin/users";
const PROXY: &str = "server.trusted_proxies = [\"127.0.0.1\"]";
const STRANGER: &str = "203.0.113.9";

/// A token that reads users from these networks, and its public id.
fn reader(server: &Server, networks: &[&str]) -> (Actor, String) {
    let mut asked = json!({"name": "near", "scopes": ["users:read"]});
    if !networks.is_empty() {
        asked["networks"] = json!(networks);
    }
    let made = server.admin().post(MADE, asked).gives(201);
    let token = server.anyone().with_token(&made.string("/token"));
    (token, made.string("/id"))
}

/// The entries of the audit log about refused tokens, the newest first.
fn refusals(server: &Server) -> Vec<Value> {
    let log = server.admin().get("/api/admin/audit?action=use_token");
    let page = log.gives(200).json();
    page["entries"].as_array().unwrap().clone()
}

#[test]
fn a_leaked_token_that_was_replaced_does_not_end_its_successor() {
    let server = Server::with(PROXY);
    let (old, id) = reader(&server, &["10.0.0.0/24"]);
    let rotated = server
        .admin()
        .post(&format!("{MADE}/{id}/rotate"), json!({}))
        .gives(201);
    let new = server.anyone().with_token(&rotated.string("/token"));
    let (old_here, new_here) = (old.at_address("10.0.0.7"), new.at_address("10.0.0.7"));

    let leaked = old.at_address(STRANGER);
    leaked.delete("/api/token").gives(200);
    leaked.delete("/api/auth").gives(401);
    old_here.get(USERS).gives(200);
    new_here.get(USERS).gives(200);
    let noted = refusals(&server);
    assert_eq!(
        (&noted[0]["outcome"], &noted[0]["address"]),
        (&json!("outside_network"), &json!(STRANGER))
    );

    // From its networks it ends, and it alone.
    old_here.delete("/api/token").gives(200);
    old_here.get(USERS).gives(401);
    new_here.get(USERS).gives(200);
    new_here.delete("/api/auth").gives(204);
    new_here.get(USERS).gives(401);
}

#[test]
fn an_address_that_a_proxy_does_not_name_is_in_no_network() {
    let server = Server::with(PROXY);
    let (near, _) = reader(&server, &["127.0.0.0/8"]);
    let free = machine(&server, &server.admin(), "free", &["users:read"]);
    let from = |token: &Actor, header: &str| {
        let request = Request::new("GET", USERS).header("X-Forwarded-For", header);
        token.send(request)
    };
    near.get(USERS).names(403, "outside its networks");
    free.get(USERS).gives(200);
    for unnamed in ["unknown", "127.0.0.1", "127.0.0.9, unknown"] {
        from(&near, unnamed).names(403, "outside its networks");
        from(&free, unnamed).gives(200);
    }
    from(&near, "127.0.0.9").gives(200);

    let server = Server::start();
    reader(&server, &["127.0.0.0/8"]).0.get(USERS).gives(200);
}

#[test]
fn a_refusal_is_in_the_audit_log_and_can_be_explained() {
    let server = Server::with(PROXY);
    let (near, id) = reader(&server, &["10.0.0.0/24"]);
    let refused = near.at_address(STRANGER).get(USERS).gives(403);
    let request = refused.header("x-request-id").unwrap().to_owned();
    for _ in 0..3 {
        near.at_address("10.0.0.7")
            .get("/api/admin/storage")
            .gives(403);
    }
    let mut noted = refusals(&server);
    noted.sort_by_key(|it| it["outcome"].to_string());
    assert_eq!(noted.len(), 2, "{noted:?}");
    for (entry, outcome, count, address) in [
        (&noted[0], "outside_network", 1, STRANGER),
        (&noted[1], "outside_scope", 3, "10.0.0.7"),
    ] {
        assert_eq!(entry["actor"], "machine:near");
        assert_eq!(entry["outcome"], outcome);
        assert_eq!(entry["count"], count);
        assert_eq!(entry["address"], address);
        assert_eq!(entry["target"], json!(format!("near {id}")));
    }

    let explain = |query: String| {
        let path = format!("/api/admin/explain?{query}");
        server.admin().get(&path).gives(200).json()
    };
    let said = |of: &Value| of["explanation"].as_str().unwrap().to_owned();
    let explained = said(&explain(format!("request={request}")));
    assert!(
        explained.contains("use_token by machine:near"),
        "{explained}"
    );
    assert!(explained.ends_with("outside_network"), "{explained}");

    let token = explain(format!("token={}", near.token));
    let explained = said(&token);
    for part in [
        "accepted from 10.0.0.0/24 only with users:read",
        "never used",
        "good without an end",
    ] {
        assert!(explained.contains(part), "{explained}");
    }
    assert_eq!(token["token"]["scopes"], json!(["users:read"]));
    assert_eq!(token["token"]["networks"], json!(["10.0.0.0/24"]));
    assert_eq!(token["token"]["last_address"], Value::Null);
    assert_eq!(token["expires_at"], Value::Null);
}

#[test]
fn use_from_another_address_is_seen_soon() {
    let server = Server::with(PROXY);
    let (free, id) = reader(&server, &[]);
    let last = |address: &str| {
        free.at_address(address).get(USERS).gives(200);
        server.settle();
        let shown = server.admin().get(&format!("{MADE}/{id}")).gives(200);
        shown.string("/last_address")
    };
    assert_eq!(last("10.0.0.7"), "10.0.0.7");
    // Two that share a token do not make a write of every use.
    assert_eq!(last(STRANGER), "10.0.0.7");
    server.pass(seconds(1));
    assert_eq!(last(STRANGER), STRANGER);
}

#[test]
fn a_service_behind_is_told_the_networks_of_a_machine_token() {
    let server = Server::start();
    let (admin, session) = (server.admin(), server.user("ana@example.org").session());
    let told = |token: &Actor| {
        let asked = json!({"token": token.token});
        let told = admin.post("/api/admin/introspect", asked);
        told.gives(200).json()["networks"].clone()
    };
    let (near, _) = reader(&server, &["10.0.0.0/24", "2001:db8::1"]);
    assert_eq!(told(&near), json!(["10.0.0.0/24", "2001:db8::1/128"]));
    let free = machine(&server, &admin, "free", &["users:read"]);
    assert_eq!(told(&free), json!([]));
    assert_eq!(told(&session), Value::Null);
}
