//! Tests of clients that hang up. With `limits.connections = 1`, the server answers the next
//! connection only when it is done with the one before.

use std::time::Duration;

use crate::harness::{PASSWORD, Server};

use super::line::{HEALTH, Line, bearer, post};

const EVENTS: &str = "/api/events/simple_clientapp";
const THREE: &str = r#"{"events":[{"name":"a"},{"name":"b"},{"name":"c"}]}"#;

fn narrow() -> Server {
    Server::with("limits.connections = 1")
}

fn sign_up(email: &str) -> String {
    format!(r#"{{"name":"Ana","email":"{email}","password":"{PASSWORD}"}}"#)
}

/// Starts a request, waits for `100 Continue`, sends the body without its last three bytes, and
/// hangs up.
fn break_off(server: &Server, path: &str, header: &str, body: &str) {
    let request = post(path, &[header, "Expect: 100-continue"], body);
    let (head, body) = request.split_at(request.len() - body.len());
    let mut line = Line::to(server);
    line.say(head).hears(100);
    line.say(&body[..body.len() - 3]);
    drop(line);
    wait_until_done(server);
}

fn wait_until_done(server: &Server) {
    Line::to(server).say(HEALTH).hears(200);
}

/// Sends a whole request and hangs up after at most 1 µs to 3.8 ms, depending on the round.
fn send_and_leave(server: &Server, request: &str, round: u64) {
    let mut line = Line::to(server);
    line.say(request);
    line.stirs_within(Duration::from_micros(1 + 200 * (round % 20)));
    drop(line);
    wait_until_done(server);
}

#[test]
fn who_hangs_up_within_the_body_leaves_nothing_behind() {
    let server = narrow();
    let ana = server.user("ana@example.org").angen();
    let counted = server.counts();
    // The bytes that arrive are complete JSON: only blanks at the end are missing.
    break_off(
        &server,
        "/v1/user",
        "X: x",
        &(sign_up("ben@example.org") + "   "),
    );
    let (token, key) = (bearer(&ana.token), "Idempotency-Key: a key");
    let headers = format!("{token}\r\n{key}");
    break_off(&server, EVENTS, &headers, &format!("{THREE}    "));
    assert_eq!((server.counts(), server.events().len()), (counted, 0));
    server
        .anyone()
        .log_in("ben@example.org", PASSWORD)
        .gives(401);
    server.user("ben@example.org");
    // The idempotency key is still unused.
    let mut line = Line::to(&server);
    let other = r#"[{"name":"d"}]"#;
    line.say(post(EVENTS, &[&headers], other)).hears(201);
    assert_eq!(server.events().len(), 1);
}

#[test]
fn chunks_without_an_end_leave_nothing_behind() {
    let server = narrow();
    let body = sign_up("ana@example.org");
    let length = body.len();
    let head = "POST /v1/user HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    for end in ["", "\r\n", "\r\n0", "\r\n0\r\n"] {
        let mut line = Line::to(&server);
        line.say(head).hears(100);
        line.say(format!("{length:x}\r\n{body}{end}"));
        drop(line);
        wait_until_done(&server);
        server
            .anyone()
            .log_in("ana@example.org", PASSWORD)
            .gives(401);
    }
    server.user("ana@example.org");
}

#[test]
fn who_hangs_up_after_the_body_has_an_account_or_none() {
    let server = narrow();
    for round in 0..40 {
        let email = format!("user{round}@example.org");
        send_and_leave(&server, &post("/v1/user", &[], &sign_up(&email)), round);
        match server.anyone().sign_up(&email).status() {
            201 => {}
            409 => {
                let session = server.anyone().log_in(&email, PASSWORD).gives(201);
                let session = server.anyone().with_token(&session.string("/id"));
                session.get("/v1/user").gives(200);
            }
            other => panic!("neither there nor free: {other}"),
        }
    }
}

#[test]
fn who_hangs_up_after_the_body_has_reported_all_or_nothing_and_may_ask_again() {
    let server = narrow();
    let token = bearer(&server.user("ana@example.org").session().token);
    for round in 1..=40 {
        let key = format!("Idempotency-Key: {round}");
        let request = post(EVENTS, &[&token, &key], THREE);
        send_and_leave(&server, &request, round);
        let stored = server.events().len() as u64;
        assert!(
            stored == 3 * round || stored == 3 * (round - 1),
            "{stored} in round {round}"
        );
        Line::to(&server).say(&request).hears(201);
        let counts = server.counts();
        for name in ["a", "b", "c"] {
            assert_eq!(counts[name], round, "{name}");
        }
        assert_eq!(server.events().len() as u64, 3 * round);
    }
}

#[test]
fn who_does_not_wait_for_the_answer_frees_its_place() {
    let server = Server::with("limits.connections_per_address = 2");
    for round in 0..50 {
        let mut line = Line::to(&server);
        // Half of the clients hang up in the middle of the head.
        let request = if round % 2 == 0 {
            HEALTH
        } else {
            &HEALTH[..20]
        };
        line.say(request);
        drop(line);
    }
    super::moment::poll(|| Line::to(&server).say(HEALTH).hears_anything().then_some(()));
}
