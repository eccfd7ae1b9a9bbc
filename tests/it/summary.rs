//! The administrator's summary: how many events were reported, in buckets of time.

use std::time::Duration;

use doorward::model::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Actor, Server, User, almost, days, hours, seconds};

fn summary(server: &Server, query: &str) -> Value {
    let path = format!("/api/admin/events/summary?{query}");
    server.admin().get(&path).gives(200).json()
}

/// The number that each bucket holds under the key `what`.
fn column(summary: &Value, what: &str) -> Vec<u64> {
    let buckets = summary["buckets"].as_array().unwrap().iter();
    buckets.map(|it| it[what].as_u64().unwrap()).collect()
}

fn begins(summary: &Value) -> Vec<&str> {
    let buckets = summary["buckets"].as_array().unwrap().iter();
    buckets.map(|it| it["from"].as_str().unwrap()).collect()
}

/// Turns the clock forward to a moment.
fn pass_until(server: &Server, moment: &str) {
    server.pass(Timestamp::parse(moment).unwrap().since(server.now()));
}

/// A session of a new user.
fn reporter(server: &Server) -> Actor {
    server.user("ana@example.org").session()
}

fn about(users: &[User], name: &str) -> Value {
    let event = |user: &User| json!({"name": name, "user_id": user.id});
    json!(users.iter().map(event).collect::<Vec<_>>())
}

#[test]
fn events_are_summed_by_day_with_their_names() {
    let server = Server::start();
    let ana = reporter(&server);
    ana.report(&["a", "b", "a"]).gives(201);
    server.pass(days(1));
    ana.report(&["a"]).gives(201);
    server.pass(days(1));
    ana.report(&["c", "b"]).gives(201);
    let answer = summary(&server, "from=2026-02-28");
    assert_eq!(
        answer,
        json!({
            "by": "day", "tz": "Z",
            "from": "2026-02-28T00:00:00Z", "to": "2026-03-03T12:00:00Z",
            "total": 6, "users": 1,
            "names": [
                {"name": "a", "count": 3}, {"name": "b", "count": 2}, {"name": "c", "count": 1}
            ],
            "more_names": 0,
            "buckets": [
                {"from": "2026-02-28T00:00:00Z", "count": 0, "users": 0, "names": {}},
                {"from": "2026-03-01T00:00:00Z", "count": 3, "users": 1, "names": {"a": 2, "b": 1}},
                {"from": "2026-03-02T00:00:00Z", "count": 1, "users": 1, "names": {"a": 1}},
                {"from": "2026-03-03T00:00:00Z", "count": 2, "users": 1, "names": {"b": 1, "c": 1}},
            ],
        })
    );
    let of_a = summary(&server, "from=2026-02-28&name=a");
    assert_eq!(column(&of_a, "count"), [0, 2, 1, 0]);
    assert_eq!(column(&of_a, "users"), [0, 1, 1, 0]);
    assert_eq!(of_a["names"], json!([{"name": "a", "count": 3}]));
    let nothing = summary(&server, "from=2026-02-28&name=never");
    assert_eq!(column(&nothing, "count"), [0; 4]);
    assert_eq!(
        (&nothing["names"], &nothing["total"]),
        (&json!([]), &json!(0))
    );
}

#[test]
fn nothing_asked_is_thirty_days_and_other_buckets_have_ranges_of_their_own() {
    let server = Server::start();
    reporter(&server).report(&["a"]).gives(201);
    for (query, buckets, first) in [
        ("", 30, "2026-01-31T00:00:00Z"),
        ("by=hour", 48, "2026-02-27T13:00:00Z"),
        ("by=month&tz=Europe/Berlin", 12, "2025-04-01T00:00:00+02:00"),
    ] {
        let answer = summary(&server, query);
        let begins = begins(&answer);
        assert_eq!((begins.len(), begins[0]), (buckets, first), "{query}");
        assert_eq!(column(&answer, "count").last(), Some(&1), "{query}");
    }
}

#[test]
fn totals_are_exact_across_a_restart_and_after_the_events_are_gone() {
    let server = Server::with("events.retention = \"1d\"");
    let ana = reporter(&server);
    for hour in 0..30_usize {
        ana.report(&vec!["a"; hour % 7 + 1]).gives(201);
        if hour % 4 == 0 {
            server.restart_with("events.retention = \"1d\"");
        }
        server.pass(hours(1));
    }
    let sent: Vec<u64> = (0..30).map(|hour| hour % 7 + 1).collect();
    let by_hour = |server: &Server| {
        let answer = summary(
            server,
            "by=hour&from=2026-03-01T12:00:00Z&to=2026-03-02T18:00:00Z",
        );
        assert_eq!(column(&answer, "users"), [1; 30]);
        column(&answer, "count")
    };
    assert_eq!(by_hour(&server), sent);
    server.pass(days(20));
    server.sweep();
    assert!(server.events().is_empty());
    assert_eq!(by_hour(&server), sent);
}

#[test]
fn counts_are_swept_when_their_own_time_is_over() {
    let server = Server::with("events.retention = \"1d\"\nevents.keep_counts = \"10d\"");
    let ana = reporter(&server);
    let names: Vec<String> = (0..200).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    for _ in 0..3 {
        ana.report(&names).gives(201);
        server.pass(hours(1));
    }
    // It is one second before 13:00; at 13:00 the end of the first hour is ten days ago.
    server.pass(almost(days(9) + hours(22)));
    let counts = |server: &Server| {
        server.sweep();
        let range = "by=hour&from=2026-03-01T12:00:00Z&to=2026-03-01T15:00:00Z";
        let answer = summary(server, range);
        (column(&answer, "count"), column(&answer, "users"))
    };
    assert_eq!(counts(&server), (vec![200; 3], vec![1; 3]));
    server.pass(seconds(1));
    assert_eq!(counts(&server), (vec![0, 200, 200], vec![0, 1, 1]));
    server.pass(hours(1));
    assert_eq!(counts(&server), (vec![0, 0, 200], vec![0, 0, 1]));
    assert_eq!(summary(&server, "name=n7")["total"], 1);
}

#[test]
fn the_day_on_which_clocks_go_forward_has_23_hours_and_the_other_25() {
    for (start, day, expected) in [
        ("2026-03-27T23:00:00Z", "28", [24, 23, 24]),
        ("2026-10-23T22:00:00Z", "24", [24, 25, 24]),
    ] {
        let server = Server::with("tokens.session_idle_lifetime = \"1000d\"");
        let ana = reporter(&server);
        pass_until(&server, start);
        let month = &start[..8];
        for _ in 0..expected.iter().sum() {
            ana.report(&["tick"]).gives(201);
            server.pass(hours(1));
        }
        let query = format!("tz=Europe/Berlin&from={month}{day}");
        assert_eq!(column(&summary(&server, &query), "count"), expected);
        let utc = summary(&server, &format!("tz=Z&from={month}{day}"));
        assert_ne!(column(&utc, "count"), expected);
        let hours = summary(&server, &format!("{query}&by=hour"));
        assert_eq!(
            column(&hours, "count"),
            vec![
                1;
                expected
                    .iter()
                    .map(|it| usize::try_from(*it).unwrap())
                    .sum()
            ]
        );
    }
}

#[test]
fn an_hour_belongs_to_the_day_in_which_it_begins() {
    let server = Server::start();
    let ana = reporter(&server);
    // One hour of UTC holds the half hours before and after midnight in Kolkata (UTC+05:30).
    pass_until(&server, "2026-03-05T18:00:00Z");
    ana.report(&["before"]).gives(201);
    server.pass(Duration::from_mins(59));
    ana.report(&["behind"]).gives(201);
    server.pass(Duration::from_mins(1));
    ana.report(&["next"]).gives(201);
    server.pass(seconds(1));
    for tz in ["%2B05:30", "+05:30", "Asia/Kolkata"] {
        let query = format!("tz={tz}&from=2026-03-05&to=2026-03-07");
        let answer = summary(&server, &query);
        assert_eq!(column(&answer, "count"), [2, 1], "{tz}");
        assert_eq!(
            begins(&answer),
            ["2026-03-05T00:00:00+05:30", "2026-03-06T00:00:00+05:30"]
        );
    }
    let answer = summary(&server, "tz=-08:00&from=2026-03-05T09:30:00-08:00");
    assert_eq!(begins(&answer), ["2026-03-05T09:30:00-08:00"]);
    assert_eq!(column(&answer, "count"), [3]);
}

#[test]
fn users_are_counted_once_within_the_error_that_is_promised() {
    let server = Server::start();
    let sign_up = |number: usize| server.user(&format!("u{number}@example.org"));
    let users: Vec<User> = (0..120).map(sign_up).collect();
    let reporter = users[0].session();
    let report = |users: &[User], name: &str| {
        let path = "/api/events/simple_clientapp";
        reporter.post(path, about(users, name)).gives(201);
    };
    report(&users[..3], "few");
    report(&users, "many");
    server.pass(days(1));
    report(&users[..60], "many");
    report(&users[..3], "few");
    let answer = summary(&server, "from=2026-03-01");
    let users = column(&answer, "users");
    let is_about = |counted: u64, users: u64| counted.abs_diff(users) <= users / 5;
    assert!(is_about(users[0], 120), "{users:?}");
    assert!(is_about(users[1], 60), "{users:?}");
    assert_eq!(answer["users"], users[0]);
    let few = summary(&server, "from=2026-03-01&name=few");
    assert_eq!(
        (column(&few, "users"), &few["users"]),
        (vec![3, 3], &json!(3))
    );
}

#[test]
fn fifty_names_are_listed_and_the_rest_is_counted() {
    let server = Server::start();
    let ana = reporter(&server);
    let names: Vec<String> = (0..60).map(|number| format!("n{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    ana.report(&names).gives(201);
    ana.report(&names[55..]).gives(201);
    let answer = summary(&server, "from=2026-03-01");
    let listed = answer["names"].as_array().unwrap();
    assert_eq!((listed.len(), &answer["more_names"]), (50, &json!(10)));
    assert_eq!(listed[0], json!({"name": "n55", "count": 2}));
    assert_eq!(listed[5], json!({"name": "n00", "count": 1}));
    let bucket = &answer["buckets"][0];
    assert_eq!(bucket["count"], 65);
    assert_eq!(bucket["names"].as_object().unwrap().len(), 50);
}

#[test]
fn a_wrong_question_names_the_wrong_field() {
    let server = Server::start();
    for (query, field) in [
        ("by=week", "by"),
        ("tz=Bonn", "tz"),
        ("tz=+25:00", "tz"),
        ("from=yesterday", "from"),
        ("from=2027-01-01", "from"),
        ("to=2026-02-30", "to"),
        ("from=2026-02-02&to=2026-02-01", "to"),
        ("by=hour&from=2026-01-01", "from"),
        ("from=%2B12026-01-01", "from"),
    ] {
        let path = format!("/api/admin/events/summary?{query}");
        server.admin().get(&path).names(400, field);
    }
}

#[test]
fn only_the_administrator_reads_the_summary() {
    let server = Server::start();
    let path = "/api/admin/events/summary";
    server.anyone().get(path).gives(401);
    reporter(&server).get(path).gives(403);
    server.hub().get(path).gives(403);
    server.admin().get(path).gives(200);
}
