//! The audit log over HTTP: what it holds after logins, failures and changes, who may read it, and
//! its export and live stream.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Actor, PASSWORD, Received, Server, read_chunk};
use crate::wire::moment::PATIENCE;

/// The entries that a query of the administrator finds.
fn entries(admin: &Actor, query: &str) -> Vec<Value> {
    let page = admin.get(&format!("/api/admin/audit{query}")).gives(200);
    page.json()["entries"].as_array().unwrap().clone()
}

/// Action, outcome and count of each entry.
fn told(entries: &[Value]) -> Vec<(String, String, u64)> {
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let told = |it: &Value| {
        (
            text(&it["action"]),
            text(&it["outcome"]),
            it["count"].as_u64().unwrap(),
        )
    };
    entries.iter().map(told).collect()
}

fn wrong_login(server: &Server, email: &str) {
    let login = json!({"email": email, "password": "a wrong password"});
    server.anyone().post("/v1/auth", login).gives(401);
}

#[test]
fn logins_failures_and_changes_are_written_down() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let session = ana.session();
    for _ in 0..3 {
        wrong_login(&server, "ana@example.org");
    }
    wrong_login(&server, "nobody@example.org");
    let change = json!({"current_password": PASSWORD, "password": "another password"});
    session.patch("/v1/user/password", change).gives(204);
    let admin = server.admin();
    let all = entries(&admin, "?order=asc");
    let mut told = told(&all);
    told.sort();
    let line = |action: &str, outcome: &str, count| (action.to_owned(), outcome.to_owned(), count);
    let expected = [
        line("change_password", "success", 1),
        line("log_in", "success", 1),
        line("log_in", "success", 1),
        line("log_in", "unknown_account", 1),
        line("log_in", "wrong_password", 3),
        line("sign_up", "success", 1),
    ];
    assert_eq!(told, expected);
    let wrong = &entries(&admin, "?outcome=wrong_password")[0];
    assert_eq!(wrong["user_id"], json!(ana.id));
    assert_eq!(
        (&wrong["actor"], &wrong["address"]),
        (&json!("anonymous"), &json!("127.0.0.1"))
    );
    assert!(wrong["request_id"].is_string());
    // No entry holds a secret.
    let text = serde_json::to_string(&all).unwrap();
    for secret in [PASSWORD, "a wrong password", &session.token, &admin.token] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn a_user_reads_only_what_concerns_the_own_account() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    server.user("ben@example.org").session();
    wrong_login(&server, "ana@example.org");
    let admin = server.admin();
    entries(&admin, "");
    let own = ana.get("/v1/audit").gives(200).json();
    let own = own["entries"].as_array().unwrap();
    let told: Vec<String> = told(own).into_iter().map(|it| it.1).collect();
    assert_eq!(told, ["wrong_password", "success", "success"]);
    let page = ana.get("/api/v1/audit?limit=1").gives(200).json();
    assert_eq!(page["entries"].as_array().unwrap().len(), 1);
    let next = page["next"].as_str().unwrap();
    ana.get(&format!("/v1/audit?cursor={next}")).gives(200);
    admin.get("/v1/audit").gives(403);
    server.anyone().get("/v1/audit").gives(401);
    ana.get("/api/admin/audit").gives(403);
}

#[test]
fn a_user_does_not_see_the_address_of_the_administrator() {
    let server = Server::start();
    let user = server.user("ana@example.org");
    let (ana, admin) = (user.session(), server.admin());
    let path = format!("/api/admin/users/{}", user.id);
    admin.patch(&path, json!({"name": "Anna"})).gives(200);
    let own = ana.get("/v1/audit").gives(200).json();
    let (by_admin, by_ana) = (&own["entries"][0], &own["entries"][1]);
    assert_eq!(by_admin["actor"], json!("admin"));
    assert_eq!(
        (&by_admin["address"], &by_admin["user_agent"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(by_ana["address"], json!("127.0.0.1"));
    assert_eq!(
        entries(&admin, "?action=update_user")[0]["address"],
        json!("127.0.0.1")
    );
}

#[test]
fn a_wrong_query_names_the_parameter() {
    let server = Server::start();
    let admin = server.admin();
    for (query, field) in [
        ("actor=root", "actor"),
        ("action=think", "action"),
        ("outcome=bad", "outcome"),
        ("user_id=ana", "user_id"),
        ("cursor=AAAA", "cursor"),
        ("limit=0", "limit"),
        ("from=2026-11-20&to=2026-11-19", "to"),
        ("acton=log_in", "acton"),
    ] {
        let answer = admin.get(&format!("/api/admin/audit?{query}")).gives(400);
        assert_eq!(answer.json()["error"]["field"], json!(field), "{query}");
    }
}

#[test]
fn an_export_holds_every_entry_and_a_stream_the_next_one() {
    let server = Server::start();
    for number in 0..5 {
        server.user(&format!("user{number}@example.org"));
    }
    let admin = server.admin();
    let lines = admin.get("/api/admin/audit/export").gives(200).text();
    let signed_up = lines.lines().filter(|line| line.contains(r#""sign_up""#));
    assert_eq!(signed_up.count(), 5);
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["action"], json!("log_in"));

    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (path, token) = ("/api/admin/audit/live?action=sign_up", &admin.token);
    let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Token: {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    assert_eq!(Received::read_head(&mut stream).unwrap().status, 200);
    let mut next = || String::from_utf8(read_chunk(&mut stream).unwrap().unwrap()).unwrap();
    assert_eq!(next(), ":\n\n");
    server.user("new@example.org");
    let heard = next();
    assert!(heard.starts_with("event: entry\nid: "), "{heard}");
    assert!(heard.contains(r#""action":"sign_up""#), "{heard}");
}

#[test]
fn old_entries_are_swept_and_failures_survive_a_stop() {
    let server = Server::with("audit.retention = \"1h\"");
    server.user("ana@example.org");
    wrong_login(&server, "ana@example.org");
    server.restart_with("audit.retention = \"1h\"");
    let admin = server.admin();
    assert_eq!(entries(&admin, "?outcome=wrong_password").len(), 1);
    server.pass(Duration::from_secs(3601));
    server.sweep();
    let admin = server.admin();
    assert_eq!(told(&entries(&admin, "")).len(), 1);
}
