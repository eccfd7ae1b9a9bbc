//! `Idempotency-Key`: the server stores a request once, even if the client sends it again.

use serde_json::json;

use crate::harness::{Actor, Answer, Request, Server, almost, hours, seconds};

fn keyed(actor: &Actor, key: &str, body: &str) -> Answer {
    let request = Request::new("POST", "/api/events/simple_clientapp");
    actor.send(request.header("Idempotency-Key", key).body(body))
}

/// The counts of the names `a` and `b`.
fn counts(server: &Server) -> [u64; 2] {
    let counts = server.counts();
    ["a", "b"].map(|name| counts.get(name).copied().unwrap_or(0))
}

#[test]
fn a_request_with_a_key_is_stored_once() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    let body = r#"{"events":[{"name":"a"},{"name":"b"}]}"#;
    for _ in 0..3 {
        let answer = keyed(&pair, "key 1", body).gives(201);
        assert_eq!(
            answer.json(),
            json!({"result": "Event(s) created", "count": 2})
        );
    }
    keyed(&pair, "key 1", r#"{"events":[{"name":"a"}]}"#).names(422, "Idempotency-Key");
    keyed(&pair, "key 2", body).gives(201);
    for key in ["", &"k".repeat(256)] {
        keyed(&pair, key, body).names(400, "Idempotency-Key");
    }
    assert_eq!(counts(&server), [2, 2]);
}

#[test]
fn an_empty_list_uses_a_key_like_any_other() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    let empty = |path: &str, key: &str, body: &str| {
        let request = Request::new("POST", path).header("Idempotency-Key", key);
        pair.send(request.body(body))
    };
    for kind in ["simple", "complex"] {
        let path = format!("/api/events/{kind}_clientapp");
        for body in ["[]", r#"{"events":[]}"#] {
            let key = format!("{kind} {body}");
            for _ in 0..2 {
                let answer = empty(&path, &key, body).gives(201);
                let expected = json!({"result": "No events created", "count": 0});
                assert_eq!(answer.json(), expected);
            }
            keyed(&pair, &key, r#"[{"name":"a"}]"#).names(422, "Idempotency-Key");
        }
    }
    keyed(&pair, "used", r#"[{"name":"a"}]"#).gives(201);
    keyed(&pair, "used", "[]").names(422, "Idempotency-Key");
    assert_eq!(counts(&server), [1, 0]);
}

#[test]
fn a_list_whose_events_are_all_stored_already_uses_a_key_like_any_other() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    let body = r#"[{"name":"a","id":"00000000-0000-4000-8000-000000000001"}]"#;
    for key in ["first", "second", "second"] {
        keyed(&pair, key, body).gives(201);
    }
    keyed(&pair, "second", r#"[{"name":"b"}]"#).names(422, "Idempotency-Key");
    assert_eq!(counts(&server), [1, 0]);
}

#[test]
fn a_key_belongs_to_its_holder_whatever_the_token() {
    let server = Server::start();
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    let body = r#"[{"name":"a"}]"#;
    keyed(&ana.angen(), "key", body).gives(201);
    keyed(&ana.session(), "key", body).gives(201);
    assert_eq!(counts(&server), [1, 0]);
    keyed(&ben.angen(), "key", body).gives(201);
    assert_eq!(counts(&server), [2, 0]);
}

#[test]
fn a_key_is_remembered_for_a_day_across_restarts_and_sweeps() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    let body = r#"[{"name":"a"}]"#;
    keyed(&pair, "key", body).gives(201);
    server.restart();
    server.pass(almost(hours(24)));
    server.sweep();
    keyed(&pair, "key", body).gives(201);
    keyed(&pair, "key", r#"[{"name":"b"}]"#).gives(422);
    assert_eq!(counts(&server), [1, 0]);
    server.pass(seconds(1));
    keyed(&pair, "key", body).gives(201);
    assert_eq!(counts(&server), [2, 0]);
}

#[test]
fn a_refused_request_does_not_use_its_key_up() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    keyed(&pair, "key", r#"[{"name":""}]"#).gives(400);
    keyed(&pair, "key", r#"[{"name":"a"}]"#).gives(201);
}

#[test]
fn a_repetition_is_answered_as_the_first_time_even_if_its_subject_is_gone() {
    let server = Server::start();
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    let (pair, bens) = (ana.angen(), ben.session());
    let body = format!(r#"[{{"name":"a","user_id":"{}"}}]"#, ben.id);
    keyed(&pair, "key", &body).gives(201);
    bens.delete("/v1/user").gives(204);
    keyed(&pair, "key", &body).gives(201);
    keyed(&pair, "another", &body).names(400, "events[0].user_id");
    assert_eq!(counts(&server), [1, 0]);
}
