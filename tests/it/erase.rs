//! Removing events: the server removes the matching events with their counts, and nothing else.

use serde_json::Value;

use crate::harness::{Actor, Server, User, seconds};

fn id_of(user: &User) -> String {
    user.session().get("/v1/user").gives(200).string("/id")
}

fn names(admin: &Actor) -> Vec<String> {
    let listed = admin.get("/api/admin/events?order=asc").gives(200).json();
    let events = listed["events"].as_array().unwrap().iter();
    events
        .map(|event| event["name"].as_str().unwrap().to_owned())
        .collect()
}

fn erase(admin: &Actor, query: &str) -> u64 {
    let answer = admin.delete(&format!("/api/admin/events?{query}"));
    answer.gives(200).json()["deleted"].as_u64().unwrap()
}

fn total(admin: &Actor) -> Value {
    let summary = admin.get("/api/admin/events/summary").gives(200).json();
    summary["total"].clone()
}

#[test]
fn a_users_events_go_with_their_counts_and_nobody_elses_do() {
    let server = Server::start();
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    let admin = server.admin();
    ana.session().report(&["a", "b", "a"]).gives(201);
    ben.session().report(&["a", "c"]).gives(201);
    server.pass(seconds(1));
    ana.session().report(&["b"]).gives(201);
    assert_eq!(erase(&admin, &format!("user_id={}", id_of(&ana))), 4);
    server.restart();
    let admin = server.admin();
    assert_eq!(names(&admin), ["a", "c"]);
    assert_eq!(total(&admin), 2);
    assert_eq!(server.counts(), [("a".into(), 1), ("c".into(), 1)].into());
    assert_eq!(erase(&admin, &format!("user_id={}", id_of(&ana))), 0);
}

#[test]
fn the_events_of_an_account_that_is_gone_can_be_found_and_removed() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (id, session) = (id_of(&ana), ana.session());
    session.report(&["a"]).gives(201);
    session.delete("/v1/user").gives(204);
    let admin = server.admin();
    let path = format!("/api/admin/events?user_id={id}");
    let found = admin.get(&path).gives(200).json();
    assert_eq!(found["events"][0]["user_id"], id.as_str());
    assert_eq!(erase(&admin, &format!("user_id={id}")), 1);
    assert_eq!(total(&admin), 0);
}

#[test]
fn several_conditions_remove_what_fits_them_all() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    ana.report(&["a", "b"]).gives(201);
    server.pass(seconds(60));
    let then = server.now().rfc3339();
    ana.report(&["a", "b"]).gives(201);
    let admin = server.admin();
    assert_eq!(erase(&admin, &format!("name=a&before={then}")), 1);
    assert_eq!(names(&admin), ["b", "a", "b"]);
    assert_eq!(erase(&admin, "name=b"), 2);
    assert_eq!(names(&admin), ["a"]);
}

#[test]
fn cursors_stay_good_while_events_around_them_go() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    ana.report(&["a", "b", "c", "b", "d"]).gives(201);
    let admin = server.admin();
    let first = admin.get("/api/admin/events?order=asc&limit=3").gives(200);
    let next = first.string("/next");
    assert_eq!(erase(&admin, "name=b"), 2);
    let rest = admin.get(&format!("/api/admin/events?order=asc&cursor={next}"));
    let rest = rest.gives(200).json();
    assert_eq!(rest["events"].as_array().unwrap().len(), 1);
    assert_eq!(rest["events"][0]["name"], "d");
}

#[test]
fn a_request_that_says_too_little_or_too_much_removes_nothing() {
    let server = Server::start();
    server
        .user("ana@example.org")
        .session()
        .report(&["a"])
        .gives(201);
    let admin = server.admin();
    for (query, field) in [
        ("", "user_id"),
        ("user_id=", "user_id"),
        ("user_id=me", "user_id"),
        ("name=", "name"),
        ("before=yesterday", "before"),
        ("name=a&befor=2026-01-01", "befor"),
    ] {
        let answer = admin.delete(&format!("/api/admin/events?{query}"));
        answer.names(400, field);
    }
    assert_eq!(names(&admin), ["a"]);
}
