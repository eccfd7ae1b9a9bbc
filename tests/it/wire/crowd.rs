//! Tests the limits on connections and on password checks that wait.

use std::collections::VecDeque;
use std::time::Duration;

use crate::harness::{Server, seconds};

use super::line::{HEALTH, Line, bearer, post};
use super::moment::poll;
use super::process::Process;

/// A connection that has had one answer and stays open.
fn kept(server: &Server) -> Line {
    let mut line = Line::to(server);
    line.say(HEALTH).hears(200);
    line
}

#[test]
fn an_address_has_its_share_of_connections_and_gets_it_back() {
    let server = Server::with("limits.connections_per_address = 2");
    let (mut first, mut second) = (kept(&server), kept(&server));
    for _ in 0..3 {
        let mut third = Line::to(&server);
        third.say(HEALTH).is_over();
        first.say(HEALTH).hears(200);
        second.say(HEALTH).hears(200);
    }
    drop(first);
    let mut third = poll(|| {
        let mut line = Line::to(&server);
        let is_answered = line.say(HEALTH).hears_anything();
        is_answered.then_some(line)
    });
    Line::to(&server).is_over();
    third.say(HEALTH).hears(200);
    second.say(HEALTH).hears(200);
}

#[test]
fn a_trusted_proxy_speaks_for_many() {
    let server = Server::with(
        "limits.connections_per_address = 2\nserver.trusted_proxies = [\"127.0.0.1\"]",
    );
    let mut lines: Vec<_> = (0..5).map(|_| kept(&server)).collect();
    for line in &mut lines {
        line.say(HEALTH).hears(200);
    }
}

#[test]
fn the_connection_that_is_idle_for_longest_makes_room() {
    let server = Server::with("limits.connections = 2");
    let (mut first, mut second) = (kept(&server), kept(&server));
    server.clock.advance(seconds(1));
    first.say(HEALTH).hears(200);
    let mut third = kept(&server);
    second.is_over();
    first.say(HEALTH).hears(200);
    third.say(HEALTH).hears(200);
}

#[test]
fn a_request_that_waits_for_its_answer_is_not_cut_off_for_another() {
    let server = Server::with(
        "limits.connections = 1\naccounts.hash_memory = \"4MiB\"\naccounts.hash_passes = 100",
    );
    let login = r#"{"email":"ana@example.org","password":"a guess"}"#;
    let request = post("/v1/auth", &["Expect: 100-continue"], login);
    let (head, body) = request.split_at(request.len() - login.len());
    let mut busy = Line::to(&server);
    busy.say(head).hears(100);
    busy.say(body);
    // The server hashes for more than 100 ms.
    assert!(!busy.stirs_within(Duration::from_millis(20)));
    let mut waiting = Line::to(&server);
    waiting.say(HEALTH);
    busy.hears(401);
    waiting.hears(200);
    busy.is_over();
}

#[test]
fn bodies_that_stall_close_the_door_for_nobody() {
    let server = Server::with("limits.connections = 32\nlimits.connections_per_address = 8");
    let ana = server.user("ana@example.org").session();
    let stall = "POST /v1/auth HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{";
    // Four addresses that fill the server, twice over, and come back as soon as they are cut off.
    let mut stalled: VecDeque<Line> = VecDeque::new();
    for n in 0..128 {
        if stalled.len() == 32 {
            stalled.pop_front();
        }
        let mut line = Line::from_host(2 + n % 4, &server);
        line.say(stall);
        stalled.push_back(line);
        let check = bearer(&ana.token);
        let check = format!("GET /v1/user HTTP/1.1\r\nHost: a\r\n{check}\r\n\r\n");
        let mut good = Line::to(&server);
        good.say(check);
        assert!(good.stirs_within(Duration::from_secs(5)), "round {n}");
        good.hears(200);
    }
}

#[test]
fn a_client_that_does_not_read_its_answer_makes_room() {
    let server = Server::with("limits.connections = 1");
    let user = server.user("ana@example.org").session();
    let details = "x".repeat(16_000);
    let event = format!(r#"{{"name":"long","details":{{"x":"{details}"}}}}"#);
    let events = format!("[{}]", vec![event; 500].join(","));
    let path = "/api/events/complex_clientapp";
    user.post(path, events.as_str()).gives(201);
    let token = bearer(&server.admin().token);
    let path = "/api/admin/events?limit=1000";
    let mut deaf = Line::to(&server);
    deaf.say(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{token}\r\n\r\n"));
    assert!(deaf.stirs_within(Duration::from_secs(5)));
    let mut good = Line::to(&server);
    good.say(HEALTH);
    assert!(good.stirs_within(Duration::from_secs(5)));
    good.hears(200);
}

#[test]
fn the_oldest_silent_connection_makes_room() {
    // For each active connection, four silent ones are allowed.
    let server = Server::with("limits.connections = 1");
    let mut silent: Vec<_> = (0..5).map(|_| Line::to(&server)).collect();
    silent[0].is_over();
    for line in &mut silent[1..] {
        line.say(HEALTH).hears(200);
    }
}

#[test]
fn a_full_queue_of_passwords_is_503_and_holds_up_nobody_else() {
    // Two threads with half a second per password need about a minute for a full queue.
    let process = Process::start(
        "limits.connections_per_address = 1000\n\
         accounts = { hash_memory = \"64MiB\", hash_passes = 20 }",
    );
    let login = post(
        "/v1/auth",
        &[],
        r#"{"email":"a@example.org","password":"a guess"}"#,
    );
    let mut waiting = Vec::new();
    let refused = (0..600).find_map(|count| {
        let mut line = Line::to_address(process.address);
        line.say(&login);
        let stirs = count >= 256 && line.stirs_within(Duration::from_millis(100));
        let (first, later) = if stirs {
            (Some(line), None)
        } else {
            (None, Some(line))
        };
        waiting.extend(later);
        first
    });
    let answer = refused.expect("the queue has an end").hears(503);
    let retry: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(retry > 0);
    let mut line = Line::to_address(process.address);
    line.say(HEALTH);
    assert!(
        line.stirs_within(Duration::from_secs(5)),
        "it does not wait for them"
    );
    line.hears(200);
    let still = waiting
        .iter_mut()
        .map(|line| !line.stirs_within(Duration::from_millis(1)));
    assert!(still.filter(|waits| *waits).count() > 200);
}
