//! Tokens that end while the body of their request is still on its way.

use serde_json::json;

use super::line::{Line, bearer, post};
use crate::harness::{Actor, PASSWORD, Server};

const MACHINES: &str = "/api/admin/machine-tokens";

/// Sends the head of a request, and its body only after `meanwhile`.
#[track_caller]
fn with_a_late_body(
    server: &Server,
    path: &str,
    token: &Actor,
    body: &str,
    meanwhile: impl FnOnce(),
) -> u16 {
    let headers = [&bearer(&token.token), "Expect: 100-continue"];
    let request = post(path, &headers, body);
    let mut line = Line::to(server);
    // The server asks for the body: it has checked the token.
    line.say(request.strip_suffix(body).unwrap()).hears(100);
    meanwhile();
    line.say(body).hear().status
}

#[test]
fn a_session_that_ends_before_its_body_has_come_makes_nothing() {
    let server = Server::with("tokens.user_machine_tokens = true");
    let ana = server.user("ana@example.org");
    let (stolen, own) = (ana.session(), ana.session());
    let path = "/v1/machine-tokens";
    let body = r#"{"name":"spy"}"#;
    let status = with_a_late_body(&server, path, &stolen, body, || {
        let change = json!({"current_password": PASSWORD, "password": "another password"});
        own.patch("/v1/user/password", change).gives(204);
    });
    assert_eq!(status, 404);
    let made = own.get(path).gives(200);
    assert_eq!(made.json()["machine_tokens"], json!([]));
    assert_eq!(with_a_late_body(&server, path, &own, body, || {}), 201);
}

#[test]
fn an_administrators_token_that_ends_before_its_body_has_come_makes_nothing() {
    let server = Server::start();
    let (stolen, admin) = (server.admin(), server.admin());
    let body = r#"{"name":"door","scopes":["admin"]}"#;
    let end = || drop(stolen.delete("/api/token").gives(200));
    let status = with_a_late_body(&server, MACHINES, &stolen, body, end);
    assert_eq!(status, 401);
    assert_eq!(
        with_a_late_body(&server, MACHINES, &admin, body, || {}),
        201
    );
}

#[test]
fn a_body_in_two_parts_is_late_too() {
    let server = Server::start();
    let session = server.user("ana@example.org").session();
    let request = post(
        "/api/events/simple_clientapp",
        &[&bearer(&session.token)],
        r#"{"events":[{"name":"a"}]}"#,
    );
    let (first, rest) = request.split_at(request.len() - 5);
    let mut line = Line::to(&server);
    line.say(first);
    // An answer on another connection: the first part is under way for long enough.
    server.settle();
    session.delete("/api/auth").gives(204);
    line.say(rest).hears(401);
    assert_eq!(server.counts().get("a"), None);
}
