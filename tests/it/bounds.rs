//! Bounds on the names, ids and idempotency keys that reports make the server remember.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::{Actor, Answer, Server, User, days, hours};

/// Ids of one reporter that fit into its quarter of the quarter of `events.max_bytes = "1MiB"`, 48
/// bytes each.
const IDS: u64 = (1 << 20) / 4 / 4 / 48;

/// Events with `noise` that take more than three quarters of `events.max_bytes = "1MiB"`.
const LARGE: u64 = 3_200;

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|it| format!("{prefix}-{it}")).collect()
}

fn report(user: &User, names: &[String]) {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    user.session().report(&names).gives(201);
}

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    let owned = pairs
        .iter()
        .map(|(name, count)| ((*name).to_owned(), *count));
    owned.collect()
}

#[test]
fn one_reporter_cannot_use_up_the_names_of_the_others() {
    let settings = "events.max_names = 20\nevents.names_per_reporter = 2";
    let server = Server::with(settings);
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    report(&ana, &numbered("a", 30));
    // The share of a reporter outlives a restart.
    server.restart_with(settings);
    report(&ana, &numbered("c", 1));
    report(&ben, &numbered("b", 2));
    let expected = counts(&[
        ("(other)", 29),
        ("a-0", 1),
        ("a-1", 1),
        ("b-0", 1),
        ("b-1", 1),
    ]);
    assert_eq!(server.counts(), expected);
    let events: Vec<Value> = numbered("admin", 5)
        .iter()
        .map(|name| json!({"name": name, "user_id": ana.id}))
        .collect();
    let admin = server.admin();
    admin
        .post("/api/events/simple_clientapp", json!({"events": events}))
        .gives(201);
    assert_eq!(server.counts().len(), expected.len() + 5);
}

#[test]
fn names_whose_events_are_erased_give_their_places_back() {
    let server = Server::with("events.max_names = 3");
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    report(&ana, &numbered("junk", 9));
    report(&ben, &numbered("mine", 1));
    let path = format!("/api/admin/events?user_id={}", ana.id);
    server.admin().delete(&path).gives(200);
    report(&ben, &numbered("later", 2));
    // The event whose name was refused stays what it was.
    assert_eq!(
        server.counts(),
        counts(&[("(other)", 1), ("later-0", 1), ("later-1", 1)])
    );
    server.restart_with("events.max_names = 3");
    report(&ben, &numbered("later", 1));
    assert_eq!(
        server.counts(),
        counts(&[("(other)", 1), ("later-0", 2), ("later-1", 1)])
    );
}

#[test]
fn names_whose_events_and_counters_have_expired_give_their_places_back() {
    let server = Server::with(
        "events.max_names = 2\nevents.retention = \"1h\"\nevents.keep_counts = \"3h\"",
    );
    let ana = server.user("ana@example.org");
    report(&ana, &numbered("old", 3));
    server.pass(hours(2));
    server.sweep();
    // The counters still refer to them.
    report(&ana, &numbered("new", 1));
    assert_eq!(
        server.counts(),
        counts(&[("(other)", 2), ("old-0", 1), ("old-1", 1)])
    );
    server.pass(hours(6));
    server.sweep();
    report(&ana, &numbered("new", 2));
    assert_eq!(server.counts(), counts(&[("new-0", 1), ("new-1", 1)]));
}

fn report_ids(actor: &Actor, ids: std::ops::Range<u64>) -> Answer {
    let events: Vec<Value> = ids
        .map(|id| json!({"name": "a", "id": format!("00000000-0000-4000-8000-{id:012}")}))
        .collect();
    actor.post("/api/events/simple_clientapp", json!({"events": events}))
}

#[test]
fn ids_and_keys_are_remembered_for_their_time_and_refused_beyond_their_bound() {
    let settings = "events.max_bytes = \"1MiB\"";
    let server = Server::with(settings);
    let ana = server.user("ana@example.org").session();
    report_ids(&ana, 0..IDS).gives(201);
    let refused = report_ids(&ana, IDS..IDS + 1).gives(503);
    assert!(refused.header("retry-after").is_some());
    // Another reporter has a share of its own, until all is taken.
    for name in ["ben", "eve", "kim"] {
        let another = server.user(&format!("{name}@example.org")).session();
        report_ids(&another, 0..IDS).gives(201);
    }
    let last = server.user("lea@example.org").session();
    report_ids(&last, 0..9).gives(503);
    let with_key = ana.with_header("Idempotency-Key", "a key");
    with_key.report(&["b"]).gives(503);
    // Nothing of its time is forgotten, and reports without ids and keys go on.
    server.restart_with(settings);
    let repeated = report_ids(&ana, 0..IDS).gives(201);
    assert_eq!(repeated.number("/count"), i64::try_from(IDS).unwrap());
    report_ids(&ana, IDS..IDS + 1).gives(503);
    ana.report(&["b"]).gives(201);
    assert_eq!(server.counts(), counts(&[("a", 4 * IDS), ("b", 1)]));
    server.pass(days(3));
    server.sweep();
    report_ids(&ana, IDS..IDS + 1).gives(201);
    with_key.report(&["b"]).gives(201);
}

/// Text that hardly compresses, different for each `seed`.
fn noise(seed: u64) -> String {
    let next = |it: &u64| Some(it.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    let numbers = std::iter::successors(Some(seed + 1), next);
    let numbers: Vec<u8> = numbers.take(60).flat_map(u64::to_be_bytes).collect();
    numbers
        .iter()
        .map(|byte| char::from(b'a' + byte % 26))
        .collect()
}

#[test]
fn ids_count_towards_what_events_may_take() {
    let server = Server::with("events.max_bytes = \"1MiB\"");
    let ana = server.user("ana@example.org").session();
    let kept = |name: &str| {
        server.pass(hours(2));
        server.sweep();
        server.events().iter().filter(|it| it.name == name).count()
    };
    let events = |range: std::ops::Range<u64>| {
        let events = range.map(|at| json!({"name": "large", "details": {"text": noise(at)}}));
        json!({"events": events.collect::<Vec<Value>>()})
    };
    for some in 0..4 {
        let events = events(some * LARGE / 4..(some + 1) * LARGE / 4);
        ana.post("/api/events/complex_clientapp", events).gives(201);
    }
    assert_eq!(kept("large"), usize::try_from(LARGE).unwrap());
    for name in ["ben", "eve", "kim", "lea"] {
        let reporter = server.user(&format!("{name}@example.org")).session();
        report_ids(&reporter, 0..IDS).gives(201);
    }
    assert!(kept("large") < usize::try_from(LARGE).unwrap());
}
