//! What a reload changes while the server runs.

use serde_json::json;

use crate::harness::{PASSWORD, Server};

const INVITED: &str = "accounts.invite_required = true\naccounts.invites = ";

fn joins(server: &Server, name: &str, invite: &str) -> u16 {
    let email = format!("{name}@example.org");
    let body = json!({"name": name, "email": email, "password": PASSWORD, "invite": invite});
    server.anyone().post("/v1/user", body).status()
}

#[test]
fn a_reload_changes_names_rules_and_origins() {
    let server = Server::start();
    server.reload("server.name = \"Renamed\"\naccounts.password_min_length = 20");
    let root = server.anyone().get("/").gives(200).json();
    assert_eq!(root["name"], "Renamed");
    assert_eq!(joins(&server, "ana", ""), 400);
    server.reload("");
    let root = server.anyone().get("/").gives(200).json();
    assert_eq!(root["name"], "doorward");
    assert_eq!(joins(&server, "ana", ""), 201);
    let allowed = |server: &Server| {
        let from = server.anyone().with_header("Origin", "https://a.example");
        let answer = from.get("/");
        answer.header("access-control-allow-origin").is_some()
    };
    assert!(!allowed(&server));
    server.reload("server.allowed_origins = [\"https://a.example\"]");
    assert!(allowed(&server));
}

#[test]
fn a_reload_changes_limits() {
    let server = Server::start();
    let ask = |server: &Server| {
        let body = json!({"email": "nobody@example.org", "password": "wrong"});
        server.anyone().post("/v1/auth", body).status()
    };
    assert_eq!([ask(&server), ask(&server)], [401, 401]);
    server.reload("limits.rates = true\nlimits.wrong_passwords = \"1, then 1 per 1h\"");
    assert_eq!([ask(&server), ask(&server)], [401, 429]);
    server.reload("limits.rates = false");
    assert_eq!(ask(&server), 401);
    server.reload("limits.body = \"1KiB\"");
    let long = json!({"email": "x".repeat(2000), "password": "wrong"});
    server.anyone().post("/v1/auth", long).gives(413);
}

#[test]
fn a_reload_brings_invites_and_ends_those_that_are_gone() {
    let server = Server::with(&format!(
        "{INVITED}[\"gone\", {{ code = \"stays\", uses = 2 }}]"
    ));
    assert_eq!(joins(&server, "ana", "stays"), 201);
    server.reload(&format!(
        "{INVITED}[\"new\", {{ code = \"stays\", uses = 2 }}]"
    ));
    assert_eq!(joins(&server, "bob", "gone"), 404);
    assert_eq!(joins(&server, "bob", "new"), 201);
    assert_eq!(joins(&server, "cleo", "stays"), 201);
    assert_eq!(joins(&server, "dan", "stays"), 404);
    server.restart_with(
        INVITED
            .trim_end_matches(" = ")
            .trim_end_matches("accounts.invites"),
    );
    assert_eq!(joins(&server, "dan", "new"), 404);
}

#[test]
fn a_reload_ends_no_session() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    server.reload("tokens.session_idle_lifetime = \"1h\"");
    ana.get("/v1/user").gives(200);
}
