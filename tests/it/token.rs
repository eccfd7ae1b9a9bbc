//! Token API: the administrator's login.

use serde_json::{Value, json};

use crate::harness::{ADMIN_PASSWORD, Request, Server, almost, hours, seconds};

fn delete(server: &Server, body: &str) -> crate::harness::Answer {
    server
        .anyone()
        .send(Request::new("DELETE", "/api/token").body(body))
}

fn is_valid(server: &Server, token: &str) -> bool {
    let answer = server
        .anyone()
        .get(&format!("/api/token?token={token}"))
        .gives(200)
        .json();
    assert_eq!(answer["valid"], json!(!answer["expiry_time"].is_null()));
    answer["valid"] == json!(true)
}

#[test]
fn the_administrator_gets_a_token_for_a_day() {
    let server = Server::start();
    let login = json!({"username": "admin", "password": ADMIN_PASSWORD});
    let answer = server.anyone().post("/api/token", login).gives(200);
    let token = answer.string("/token");
    assert!(token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let end = server.now().seconds() + 24 * 3600;
    assert_eq!(answer.number("/expiry_time"), end);
    let seen = server
        .anyone()
        .get(&format!("/api/token?token={token}"))
        .gives(200);
    assert_eq!(seen.json(), json!({"valid": true, "expiry_time": end}));
    server.pass(almost(hours(24)));
    assert!(is_valid(&server, &token));
    server.pass(seconds(1));
    let seen = server
        .anyone()
        .get(&format!("/api/token?token={token}"))
        .gives(200);
    assert_eq!(seen.json(), json!({"valid": false, "expiry_time": null}));
}

#[test]
fn wrong_credentials_are_said_in_plain_text() {
    let server = Server::start();
    for (name, password) in [
        ("admin", "admin"),
        ("root", ADMIN_PASSWORD),
        ("", ""),
        ("admin", ""),
    ] {
        let login = json!({"username": name, "password": password});
        server
            .anyone()
            .post("/api/token", login)
            .fails(401, "invalid credentials");
    }
    for (body, word) in [
        ("", "JSON object"),
        ("{", "JSON"),
        (r#"{"username":"admin"}"#, "password"),
    ] {
        server.anyone().post("/api/token", body).names(400, word);
    }
}

#[test]
fn only_the_administrators_tokens_are_valid() {
    let server = Server::start();
    let others = [
        server.user("ana@example.org").session().token,
        server.hub().token,
        "x".repeat(64),
    ];
    for token in others {
        assert!(!is_valid(&server, &token));
    }
    let unknown = server.anyone().get("/api/token?token=unknown").gives(200);
    assert_eq!(
        unknown.json(),
        json!({"valid": false, "expiry_time": Value::Null})
    );
    for path in ["/api/token", "/api/token?token=", "/api/token?other=1"] {
        server.anyone().get(path).names(400, "token");
    }
    // This route reads the token only from the query string.
    server.admin().get("/api/token").names(400, "token");
}

#[test]
fn the_documents_own_logout_really_logs_out() {
    let server = Server::start();
    let token = server.admin().token;
    let body = format!("{{\n    \"token\": \"{token}\",\n}}");
    delete(&server, &body).gives(200).empty();
    assert!(!is_valid(&server, &token));
}

#[test]
fn logging_out_always_succeeds() {
    let server = Server::start();
    let (by_body, by_header, bystander) = (server.admin(), server.admin(), server.admin());
    let body = json!({"token": by_body.token}).to_string();
    delete(&server, &body).gives(200);
    delete(&server, &body).gives(200);
    let request = Request::new("DELETE", "/api/token").header("X-Token", &by_header.token);
    server.anyone().send(request).gives(200).empty();
    for body in [
        "",
        "{",
        "null",
        r#"{"token":7}"#,
        r#"{"token":"unknown"}"#,
        "\0",
        "[[[[",
    ] {
        delete(&server, body).gives(200).empty();
    }
    let huge = "x".repeat(1 << 20);
    delete(&server, &huge).gives(200);
    let text = Request::new("DELETE", "/api/token")
        .header("Content-Type", "text/plain")
        .body("x");
    server.anyone().send(text).gives(200);
    assert!(!is_valid(&server, &by_body.token) && !is_valid(&server, &by_header.token));
    assert!(is_valid(&server, &bystander.token));
}

#[test]
fn the_token_in_the_body_goes_before_the_one_in_the_header() {
    let server = Server::start();
    let (named, shown) = (server.admin(), server.admin());
    let request = Request::new("DELETE", "/api/token").body(json!({"token": named.token}));
    shown.send(request).gives(200);
    assert!(!is_valid(&server, &named.token) && is_valid(&server, &shown.token));
}
