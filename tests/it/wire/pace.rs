//! Tests of heads that are too long, slow clients, and several requests on one connection.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{PASSWORD, Received, Server};

use super::line::{HEALTH, Line, post};

/// The interval at which a slow client sends a few bytes. It is shorter than the tested deadlines,
/// so a deadline that each byte extends would never end the connection.
const DRIP: Duration = Duration::from_millis(20);
/// The most that a slow client sends: 200 times in 4 s. This is far longer than the tested deadline
/// of 200 ms, and far shorter than the default of 10 s.
const DRIPS: usize = 200;

/// Sends `bytes` every `DRIP` until the server answers or closes. Panics after `DRIPS` times.
#[track_caller]
fn drip(line: &mut Line, bytes: &str) {
    let was_cut = (0..DRIPS).any(|_| line.say(bytes).stirs_within(DRIP));
    assert!(was_cut, "it may go on for ever");
}

fn error_of(answer: &Received) -> Value {
    serde_json::from_slice(&answer.body).unwrap()
}

#[test]
fn a_head_over_32_kib_is_431() {
    let server = Server::start();
    let long = "x".repeat(33 << 10);
    let many = "X-Filler: something\r\n".repeat(2_000);
    for head in [
        format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Filler: {long}\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\nHost: a\r\n{many}\r\n"),
        format!("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Filler: {long}"),
        format!("GET /healthz?{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
    ] {
        let mut line = Line::to(&server);
        line.say(head).hears(431);
        line.is_over();
    }
    let fits = "x".repeat(31 << 10);
    let mut line = Line::to(&server);
    line.say(format!(
        "GET /healthz HTTP/1.1\r\nHost: a\r\nX-Filler: {fits}\r\n\r\n"
    ));
    line.hears(200);
    line.say(HEALTH).hears(200);
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let server = Server::with("limits.header_timeout = \"200ms\"");
    Line::to(&server).is_over();
    // The server also closes an idle connection after a request.
    let mut line = Line::to(&server);
    line.say(HEALTH).hears(200);
    line.is_over();
}

#[test]
fn a_head_that_drips_is_cut_off() {
    let server = Server::with("limits.header_timeout = \"200ms\"");
    let mut first = Line::to(&server);
    first.say("GET /healthz HTTP/1.1\r\nHost: a\r\nX-Filler: ");
    drip(&mut first, "x");
    first.is_over();
    let mut second = Line::to(&server);
    second.say(HEALTH).hears(200);
    second.say("GET /healthz HTTP/1.1\r\n");
    drip(&mut second, "X-Filler: x\r\n");
    second.is_over();
    // Empty lines before a request do not count as the start of one.
    let mut third = Line::to(&server);
    drip(&mut third, "\r\n");
    third.is_over();
}

#[test]
fn a_body_that_stalls_or_drips_is_408() {
    // The drips are faster than the least rate, so that only the timeout ends them.
    let server = Server::with("limits.body_timeout = \"200ms\"\nlimits.least_rate = \"1B\"");
    let length = "Content-Length: 1000\r\n\r\n{";
    let chunks = "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n";
    for (framing, more) in [
        (length, None),
        (length, Some(" ")),
        (chunks, None),
        (chunks, Some("1\r\n \r\n")),
    ] {
        let mut line = Line::to(&server);
        line.say(format!("POST /v1/auth HTTP/1.1\r\nHost: a\r\n{framing}"));
        if let Some(more) = more {
            drip(&mut line, more);
        }
        let answer = line.hears(408);
        assert_eq!(answer.header("connection"), Some("close"));
        assert!(error_of(&answer)["code"].is_string());
        line.is_over();
    }
}

#[test]
fn a_body_that_arrives_below_the_least_rate_is_408_before_its_time_is_over() {
    // A third of this time is the window. The whole time is longer than the client drips.
    let server = Server::with("limits.body_timeout = \"6s\"");
    let mut line = Line::to(&server);
    line.say("POST /v1/auth HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{");
    drip(&mut line, " ");
    line.hears(408);
    line.is_over();
}

#[test]
fn a_body_that_arrives_at_the_least_rate_is_read_to_its_end() {
    // Windows of 400 ms, in each of which two bytes are due; the body takes about two windows.
    let server = Server::with("limits.body_timeout = \"1200ms\"\nlimits.least_rate = \"5B\"");
    let mut line = Line::to(&server);
    line.say("POST /v1/auth HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n");
    for _ in 0..39 {
        assert!(!line.say(" ").stirs_within(DRIP));
    }
    line.say("{").hears(400);
}

#[test]
fn a_refused_body_that_stalls_keeps_its_answer_for_a_moment_only() {
    let server = Server::start();
    let mut line = Line::to(&server);
    line.say(
        "POST /api/events/simple_clientapp HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{",
    );
    line.hears(401);
    line.is_over();
}

#[test]
fn a_connection_that_is_kept_alive_answers_each_request() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let login = format!(r#"{{"email":"{}","password":"{PASSWORD}"}}"#, ana.email);
    let mut line = Line::to(&server);
    let mut names = std::collections::BTreeSet::new();
    for _ in 0..3 {
        for (request, status) in [
            (HEALTH.to_owned(), 200),
            (post("/v1/auth", &[], &login), 201),
            (post("/v1/auth", &[], "{"), 400),
            (post("/v1/auth", &["Content-Type: text/plain"], &login), 415),
            (post("/v1/nothing", &[], &login), 404),
            ("BREW /v1/user HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405),
        ] {
            let answer = line.say(request).hears(status);
            names.insert(answer.header("x-request-id").unwrap().to_owned());
        }
    }
    assert_eq!(names.len(), 18, "every request has a name of its own");
    line.say("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    line.hears(200);
    line.is_over();
}

#[test]
fn requests_that_do_not_wait_for_answers_are_answered_in_order() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let login = format!(r#"{{"email":"{}","password":"{PASSWORD}"}}"#, ana.email);
    // The slowest comes first: the server hashes a password. It answers the others from memory.
    let requests = [
        (post("/v1/auth", &[], &login), 201),
        (HEALTH.to_owned(), 200),
        (post("/v1/auth", &[], "{"), 400),
        (post("/nothing", &[], "{}"), 404),
        (
            "DELETE /healthz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
            405,
        ),
    ];
    let all: String = requests
        .iter()
        .map(|(request, _)| request.as_str())
        .collect();
    let mut whole = Line::to(&server);
    whole.say(all.repeat(20));
    let mut piecewise = Line::to(&server);
    for piece in all.repeat(20).as_bytes().chunks(100) {
        piecewise.say(piece);
    }
    for line in [&mut whole, &mut piecewise] {
        for (request, status) in requests.iter().cycle().take(100) {
            let answer = line.hear();
            assert_eq!(answer.status, *status, "to {request}");
        }
    }
}

#[test]
fn a_body_in_chunks_is_read_to_its_end_and_not_beyond() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let login = format!(r#"{{"email":"{}","password":"{PASSWORD}"}}"#, ana.email);
    let (first, second) = login.split_at(10);
    let (one, two) = (first.len(), second.len());
    let mut line = Line::to(&server);
    let head = "POST /v1/auth HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body =
        format!("{one:x};x=y\r\n{first}\r\n{two:X}\r\n{second}\r\n0\r\nX-Trailer: z\r\n\r\n");
    line.say(format!("{head}{body}{HEALTH}"));
    line.hears(201);
    line.hears(200);
}

#[test]
fn http_1_0_needs_no_host_and_is_closed_unless_it_asks() {
    let server = Server::start();
    let mut line = Line::to(&server);
    line.say("GET /healthz HTTP/1.0\r\n\r\n").hears(200);
    line.is_over();
    let mut line = Line::to(&server);
    for _ in 0..2 {
        line.say("GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        line.hears(200);
    }
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.9", "HTTP", "http/1.1", ""] {
        let mut line = Line::to(&server);
        line.say(format!("GET /healthz {version}\r\nHost: a\r\n\r\n"));
        line.hears(400);
        line.is_over();
    }
    // The start of an HTTP/2 connection (RFC 9113, 3.4). Its client cannot read an answer in
    // HTTP/1.1, so the server closes without one.
    Line::to(&server)
        .say("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .is_over();
}
