//! Angen: tokens in pairs, and telemetry events.

use std::collections::BTreeMap;

use doorward::model::Principal;
use serde_json::{Value, json};

use crate::harness::{Actor, PASSWORD, Server, days, hours, seconds};

const SIMPLE: &str = "/api/events/simple_clientapp";
const COMPLEX: &str = "/api/events/complex_clientapp";

fn counts(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

/// Fails unless the store holds neither counts nor events.
#[track_caller]
fn assert_nothing_stored(server: &Server) {
    assert_eq!(
        (server.counts(), server.events()),
        (BTreeMap::new(), Vec::new())
    );
}

#[test]
fn a_token_is_given_as_documented() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    server.pass(seconds(1));
    let login = json!({"id": ana.id, "password": PASSWORD, "user_agent": "some client"});
    let answer = server.anyone().post("/api/request_token", login).gives(201);
    assert_eq!(answer.json()["result"], "success");
    assert_eq!(answer.json()["token"]["user_id"], ana.id.as_str());
    assert_eq!(answer.json()["token"]["expires_at"], "2026-04-01T12:00:01Z");
    let (token, renewal) = (
        answer.string("/token/identifier_code"),
        answer.string("/token/renewal_code"),
    );
    assert_ne!(token, renewal);
    for code in [&token, &renewal] {
        let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        assert!(code.len() >= 64 && code.bytes().all(is_safe), "{code}");
    }
    let listed = server
        .anyone()
        .with_token(&token)
        .get("/v1/sessions")
        .gives(200);
    assert_eq!(listed.string("/0/user_agent"), "some client");
}

#[test]
fn a_user_may_be_named_by_address_too() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let login = json!({"email": "ANA@example.org", "password": PASSWORD, "user_agent": "x"});
    let answer = server.anyone().post("/api/request_token", login).gives(201);
    assert_eq!(answer.string("/token/user_id"), ana.id);
}

#[test]
fn wrong_credentials_are_bad_authentication_and_missing_ones_bad_parameters() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let ask = |body: Value| server.anyone().post("/api/request_token", body);
    let unknown = "c52bf5c1-1120-4e38-b807-f274db281ebc";
    for (id, password) in [
        (ana.id.as_str(), "wrong"),
        (unknown, PASSWORD),
        ("no id", PASSWORD),
    ] {
        ask(json!({"id": id, "password": password, "user_agent": "x"}))
            .fails(401, "Bad authentication");
    }
    for (body, field) in [
        (json!({"password": "p", "user_agent": "x"}), "id"),
        (json!({"id": ana.id, "user_agent": "x"}), "password"),
        (json!({"id": ana.id, "password": "p"}), "user_agent"),
        (json!({"id": 7, "password": "p", "user_agent": "x"}), "id"),
    ] {
        ask(body).fails(400, "Bad parameters").names(400, field);
    }
}

#[test]
fn renewing_ends_the_old_pair_and_gives_a_fresh_one() {
    let server = Server::start();
    let old = server.user("ana@example.org").angen();
    server.pass(days(30));
    let answer = old.renew_pair().gives(201);
    assert_eq!(answer.json()["result"], "success");
    assert_eq!(answer.string("/token/expires_at"), "2026-05-01T12:00:00Z");
    let new = server
        .anyone()
        .with_token(&answer.string("/token/identifier_code"));
    assert!(!old.is_let_in() && new.is_let_in());
    let listed = new.get("/v1/sessions").gives(200);
    assert_eq!(listed.string("/0/user_agent"), "a client");
    old.renew_pair().fails(401, "No token");
    server.pass(days(30));
    assert!(new.is_let_in());
}

#[test]
fn the_renewal_code_may_be_called_renewal() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    pair.post("/api/renew_token", json!({"renewal": pair.renewal}))
        .gives(201);
}

#[test]
fn only_its_own_renewal_code_renews_a_live_pair() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (pair, other) = (ana.angen(), ana.angen());
    let renew =
        |actor: &Actor, code: &str| actor.post("/api/renew_token", json!({"renewal_code": code}));
    for code in ["", "wrong", &other.renewal, &pair.token] {
        renew(&pair, code).fails(401, "No token");
    }
    renew(&server.anyone(), &pair.renewal).fails(401, "No token");
    renew(&ana.session(), &pair.renewal).fails(401, "No token");
    pair.post("/api/renew_token", json!({}))
        .fails(400, "Bad parameters")
        .names(400, "renewal_code");
    assert!(pair.is_let_in() && other.is_let_in());
    server.pass(days(31));
    renew(&pair, &pair.renewal).fails(401, "No token");
}

#[test]
fn simple_events_are_stored_as_documented() {
    let server = Server::start();
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    let body = format!(
        r#"{{
  "events": [
    %{{"name": "event type 1"}},
    %{{"name": "event type 2"}},
    %{{"name": "event type 1", "user_id": "{}"}}
  ]
}}"#,
        ben.id
    );
    let answer = ana.angen().post(SIMPLE, body).gives(201);
    assert_eq!(
        answer.json(),
        json!({"result": "Event(s) created", "count": 3})
    );
    assert_eq!(
        server.counts(),
        counts(&[("event type 1", 2), ("event type 2", 1)])
    );
    let events = server.events();
    let stored: Vec<_> = events
        .iter()
        .map(|it| (it.name.as_str(), it.subject.unwrap()))
        .collect();
    let ids =
        [&ana.id, &ana.id, &ben.id].map(|id| id.parse().map(doorward::model::UserId).unwrap());
    assert_eq!(
        stored,
        [
            ("event type 1", ids[0]),
            ("event type 2", ids[1]),
            ("event type 1", ids[2])
        ]
    );
    for event in &events {
        assert_eq!(
            (event.reporter, event.details.as_deref()),
            (Some(Principal::User(ids[0])), None)
        );
        assert_eq!(event.at, server.now());
    }
}

#[test]
fn complex_events_are_stored_as_documented() {
    let server = Server::start();
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    let body = format!(
        r#"{{
  "events": [
    %{{"name": "event type 1", "details": {{"count": 12}}}},
    %{{"name": "event type 2", "details": {{"count": 14}}}},
    %{{"name": "event type 1", "user_id": "{}", "details": {{"count": 9}}}}
  ]
}}"#,
        ben.id
    );
    let answer = ana.angen().post(COMPLEX, body).gives(201);
    assert_eq!(
        answer.json(),
        json!({"result": "Event(s) created", "count": 3})
    );
    let details: Vec<_> = server
        .events()
        .into_iter()
        .map(|it| it.details.unwrap())
        .collect();
    assert_eq!(
        details,
        [r#"{"count": 12}"#, r#"{"count": 14}"#, r#"{"count": 9}"#]
    );
}

#[test]
fn the_bare_list_and_the_empty_list_are_fine() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    let answer = pair
        .post(SIMPLE, json!([{"name": "a"}, {"name": "b"}]))
        .gives(201);
    assert_eq!(
        answer.json(),
        json!({"result": "Event(s) created", "count": 2})
    );
    for body in [json!({"events": []}), json!([])] {
        let answer = pair.post(SIMPLE, body).gives(201);
        assert_eq!(
            answer.json(),
            json!({"result": "No events created", "count": 0})
        );
    }
    assert_eq!(server.counts(), counts(&[("a", 1), ("b", 1)]));
}

#[test]
fn events_need_a_token_that_lives() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    server.anyone().report(&["a"]).fails(401, "Unauthorised");
    server
        .anyone()
        .with_token("made up")
        .report(&["a"])
        .fails(401, "Unauthorised");
    server.pass(days(31));
    pair.report(&["a"]).fails(401, "Unauthorised");
    assert_nothing_stored(&server);
}

#[test]
fn a_bad_event_is_named_and_nothing_of_its_batch_is_stored() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    let good = json!({"name": "good", "details": {}});
    let nobody = "d9b39e1a-00fe-4b9e-9e99-4dc4e964ceaa";
    for (bad, field) in [
        (json!({"details": {}}), "events[2].name"),
        (json!({"name": "", "details": {}}), "events[2].name"),
        (
            json!({"name": "a".repeat(256), "details": {}}),
            "events[2].name",
        ),
        (json!({"name": 7, "details": {}}), "events[2].name"),
        (json!({"name": "a"}), "events[2].details"),
        (json!({"name": "a", "details": null}), "events[2].details"),
        (json!({"name": "a", "details": []}), "events[2].details"),
        (json!({"name": "a", "details": "{}"}), "events[2].details"),
        (
            json!({"name": "a", "details": {"x": "a".repeat(16 * 1024)}}),
            "events[2].details",
        ),
        (
            json!({"name": "a", "details": {}, "user_id": "ana"}),
            "events[2].user_id",
        ),
        (
            json!({"name": "a", "details": {}, "user_id": nobody}),
            "events[2].user_id",
        ),
        (
            json!({"name": "a", "details": {}, "user_id": 7}),
            "events[2].user_id",
        ),
        (json!("good"), "events[2]"),
    ] {
        let answer = pair.post(COMPLEX, json!({"events": [good, good, bad, good]}));
        assert!(
            answer.reason().starts_with(&format!("{field}: ")),
            "{}",
            answer.reason()
        );
        answer.names(400, field);
    }
    let refused = json!({"events": [{"name": "a"}, {"name": "b", "details": {}}]});
    pair.post(SIMPLE, refused)
        .names(400, "events[1].details: would be lost");
    assert_nothing_stored(&server);
}

#[test]
fn details_are_kept_as_they_come_but_not_nested_without_end_nor_with_a_key_twice() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    let report = |details: &str| {
        let body = format!(r#"{{"events":[{{"name":"a","details":{details}}}]}}"#);
        pair.post(COMPLEX, body)
    };
    let nested = |depth| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    report(&nested(6_000)).names(400, "nested deeper than 128 levels");
    report(r#"{"a":{"b":1,"c":2,"b":3}}"#).names(400, "`b` is there twice");
    report(r#"{"a":1"#).gives(400);
    assert_nothing_stored(&server);
    let odd = "{ \"a\\u0062\" : [ 1.0e+3, -0.0, 12345678901234567890123 ],\t\"\": null }";
    for details in [&nested(100), odd] {
        report(details).gives(201);
        assert_eq!(
            server.events().pop().unwrap().details.as_deref(),
            Some(details)
        );
    }
}

#[test]
fn names_are_counted_in_characters_and_details_in_bytes() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    let longest = "ü".repeat(255);
    let details = format!(r#"{{"x":"{}"}}"#, "a".repeat(16 * 1024 - 8));
    assert_eq!(details.len(), 16 * 1024);
    let body = format!(r#"[{{"name":"{longest}","details":{details}}}]"#);
    pair.post(COMPLEX, body).gives(201);
    let event = server.events().pop().unwrap();
    assert_eq!((event.name, event.details.unwrap()), (longest, details));
}

#[test]
fn a_request_brings_ten_thousand_events_and_eight_megabytes_at_most() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    let events = |count: usize| Value::from(vec![json!({"name": "many"}); count]);
    pair.post(SIMPLE, events(10_001)).names(400, "events: ");
    assert_nothing_stored(&server);
    let answer = pair.post(SIMPLE, events(10_000)).gives(201);
    assert_eq!(answer.number("/count"), 10_000);
    assert_eq!(
        (server.counts(), server.events().len()),
        (counts(&[("many", 10_000)]), 10_000)
    );
    let mut body = json!([{"name": "padded"}]).to_string();
    body += &" ".repeat((8 << 20) - body.len());
    pair.post(SIMPLE, body.clone()).gives(201);
    pair.post(SIMPLE, body + " ").gives(413);
}

#[test]
fn a_token_without_a_user_must_say_whom_each_event_is_about() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    for (actor, holder) in [
        (server.admin(), Principal::Admin),
        (server.hub(), Principal::Hub),
    ] {
        let named = json!({"name": "a", "user_id": ana.id});
        actor
            .post(SIMPLE, json!([named, {"name": "a"}]))
            .names(400, "events[1].user_id: is needed");
        actor.post(SIMPLE, json!([named])).gives(201);
        assert_eq!(server.events().pop().unwrap().reporter, Some(holder));
    }
    assert_eq!(server.counts(), counts(&[("a", 2)]));
}

#[test]
fn counters_and_events_survive_a_restart_and_know_their_hour() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    pair.report(&["a", "b", "a"]).gives(201);
    server.pass(hours(1));
    pair.report(&["a"]).gives(201);
    server.restart();
    pair.report(&["a", "c"]).gives(201);
    assert_eq!(server.counts(), counts(&[("a", 4), ("b", 1), ("c", 1)]));
    let names: Vec<_> = server.events().into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["a", "b", "a", "a", "a", "c"]);
    let hour = server.now().hour();
    let now: Vec<_> = server
        .hourly_counts()
        .into_iter()
        .filter(|((it, _), _)| *it == hour)
        .map(|((_, name), count)| (name, count))
        .collect();
    assert_eq!(now, [("a".to_owned(), 2), ("c".to_owned(), 1)]);
}

#[test]
fn old_events_are_swept_and_new_ones_kept() {
    let server = Server::with(r#"events.retention = "10d""#);
    let pair = server.user("ana@example.org").angen();
    pair.report(&["old"]).gives(201);
    server.pass(days(5));
    pair.report(&["new"]).gives(201);
    server.pass(days(5) + seconds(1));
    server.sweep();
    let names: Vec<_> = server.events().into_iter().map(|it| it.name).collect();
    assert_eq!(names, ["new"]);
}
