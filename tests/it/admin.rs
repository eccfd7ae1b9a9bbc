//! The administrator's view: the list of stored events and the use of the disk.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Actor, Server, User, seconds};

fn ids(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().unwrap().iter();
    events
        .map(|event| event["id"].as_str().unwrap().to_owned())
        .collect()
}

fn names(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().unwrap().iter();
    events
        .map(|event| event["name"].as_str().unwrap().to_owned())
        .collect()
}

fn list(admin: &Actor, query: &str) -> Value {
    admin
        .get(&format!("/api/admin/events?{query}"))
        .gives(200)
        .json()
}

/// Follows the cursors: the ids of the events on all pages, and the number of pages.
fn pages(admin: &Actor, query: &str) -> (Vec<String>, usize) {
    let (mut all, mut count, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let page = list(admin, &format!("{query}{cursor}"));
        all.extend(ids(&page));
        count += 1;
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (all, count),
        }
    }
}

fn id_of(user: &User) -> String {
    user.session().get("/v1/user").gives(200).string("/id")
}

#[test]
fn events_are_listed_newest_first_with_whom_when_and_what() {
    let server = Server::start();
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    let (ana_id, ben_id) = (id_of(&ana), id_of(&ben));
    ana.session().report(&["first"]).gives(201);
    server.pass(seconds(60));
    let details = r#"{"n": 1.10, "deep":{"a":[1,2]}}"#;
    let body = format!(r#"[{{"name":"second","user_id":"{ben_id}","details":{details}}}]"#);
    ana.session()
        .post("/api/events/complex_clientapp", body.as_str())
        .gives(201);
    let body = json!([{"name": "third", "user_id": ben_id}]);
    server
        .admin()
        .post("/api/events/simple_clientapp", body)
        .gives(201);

    let answer = server.admin().get("/api/admin/events").gives(200);
    assert!(
        answer.text().contains(details),
        "details go out byte for byte"
    );
    let listed = answer.json();
    assert_eq!(names(&listed), ["third", "second", "first"]);
    let event = |index: usize| &listed["events"][index];
    assert_eq!(
        (&event(0)["user_id"], &event(0)["reporter_id"]),
        (&json!(ben_id), &json!("admin"))
    );
    assert_eq!(
        (&event(1)["user_id"], &event(1)["reporter_id"]),
        (&json!(ben_id), &json!(ana_id))
    );
    assert_eq!(
        (&event(2)["details"], &event(2)["user_id"]),
        (&Value::Null, &json!(ana_id))
    );
    assert_eq!(listed["next"], Value::Null);
}

#[test]
fn filters_narrow_the_list() {
    let server = Server::start();
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    ana.session().report(&["a", "b", "a"]).gives(201);
    let middle = server.now().rfc3339_millis();
    server.pass(seconds(3600));
    ben.session().report(&["a", "c"]).gives(201);
    let admin = server.admin();
    let asked = |query: &str| names(&list(&admin, query));
    assert_eq!(asked("name=a"), ["a", "a", "a"]);
    assert_eq!(asked(&format!("user_id={}", id_of(&ben))), ["c", "a"]);
    assert_eq!(
        asked(&format!("reporter_id={}&name=a", id_of(&ana))),
        ["a", "a"]
    );
    assert_eq!(asked("order=asc&limit=2"), ["a", "b"]);
    let later = server.now().rfc3339_millis();
    assert_eq!(asked(&format!("from={later}")), ["c", "a"]);
    assert_eq!(asked(&format!("from={middle}&to={later}")), ["a", "b", "a"]);
    assert_eq!(asked(&format!("to={middle}")), [""; 0]);
    for nobody in [
        "name=never",
        "reporter_id=hub",
        "user_id=00000000-0000-4000-8000-000000000000",
    ] {
        assert_eq!(asked(nobody), [""; 0], "{nobody}");
    }
}

#[test]
fn pages_hold_every_event_once_while_events_arrive() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    for round in 0..20 {
        ana.report(&vec!["even"; 7 + round]).gives(201);
        server.pass(seconds(1));
    }
    let admin = server.admin();
    let (down, count) = pages(&admin, "limit=10");
    assert_eq!(down.len(), (7..27).sum::<usize>());
    assert_eq!(down.iter().collect::<BTreeSet<_>>().len(), down.len());
    assert!(count > 30, "{count}");
    let (mut up, _) = pages(&admin, "limit=13&order=asc");
    up.reverse();
    assert_eq!(up, down);

    let first = list(&admin, "limit=5");
    ana.report(&["late"; 30]).gives(201);
    let next = first["next"].as_str().unwrap();
    let second = list(&admin, &format!("limit=5&cursor={next}"));
    assert_eq!([ids(&first), ids(&second)].concat(), down[..10]);
    assert_eq!(ids(&list(&admin, "limit=1&name=late")).len(), 1);
}

#[test]
fn large_events_are_read_back_whole_in_both_directions() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let noise = |seed: u32| -> String {
        let mut state = seed;
        let letters = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + u8::try_from(state >> 24).unwrap() % 26)
        });
        letters.take(15_000).collect()
    };
    let events: Vec<Value> = (0..8)
        .map(|n| json!({"name": format!("e{n}"), "details": {"noise": noise(n)}}))
        .collect();
    ana.post("/api/events/complex_clientapp", json!(events))
        .gives(201);
    for query in ["order=asc", "order=desc"] {
        let listed = list(&server.admin(), query);
        let mut found: Vec<&Value> = listed["events"].as_array().unwrap().iter().collect();
        found.sort_by_key(|event| event["name"].as_str().unwrap().to_owned());
        assert_eq!(found.len(), 8);
        for (n, event) in (0..).zip(found) {
            assert_eq!(event["details"]["noise"], noise(n), "{query}");
        }
    }
}

#[test]
fn a_question_that_matches_little_is_answered_in_bounded_pages() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    ana.report(&["rare"]).gives(201);
    for _ in 0..600 {
        ana.report(&["common"]).gives(201);
    }
    let admin = server.admin();
    let first = list(&admin, "name=rare");
    assert_eq!(names(&first), [""; 0]);
    let next = first["next"].as_str().unwrap();
    let second = list(&admin, &format!("name=rare&cursor={next}"));
    assert_eq!(
        (names(&second), &second["next"]),
        (vec!["rare".to_owned()], &Value::Null)
    );
}

#[test]
fn a_wrong_question_names_the_wrong_field() {
    let server = Server::start();
    let admin = server.admin();
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("order=up", "order"),
        ("cursor=nonsense", "cursor"),
        ("user_id=me", "user_id"),
        ("reporter_id=me", "reporter_id"),
        ("from=yesterday", "from"),
        ("to=2026-02-30", "to"),
        ("from=2026-11-20&to=2026-11-19", "to"),
    ] {
        admin
            .get(&format!("/api/admin/events?{query}"))
            .names(400, field);
    }
}

#[test]
fn only_the_administrator_reads_events() {
    let server = Server::start();
    let path = "/api/admin/events";
    server.anyone().get(path).gives(401);
    server
        .user("ana@example.org")
        .session()
        .get(path)
        .gives(403);
    server.hub().get(path).gives(403);
    server.admin().get(path).gives(200);
}

#[test]
fn the_administrator_sees_what_the_disk_is_used_for() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let look = || server.admin().get("/api/admin/storage").gives(200).json();
    ana.report(&["a", "b"]).gives(201);
    let first = look();
    assert!(first["disk_bytes"].as_u64().unwrap() > 0 && first["free_bytes"].as_u64().unwrap() > 0);
    assert_eq!(
        (&first["events_stored"], &first["today"]["events"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(first["today"], first["days"][0]);
    assert_eq!(
        first["today"]["written_bytes"].is_u64(),
        cfg!(target_os = "linux")
    );

    server.restart();
    server.pass(seconds(24 * 3600));
    ana.report(&["a"]).gives(201);
    let second = look();
    assert_eq!(
        (&second["events_stored"], &second["today"]["events"]),
        (&json!(3), &json!(1))
    );
    let days: Vec<u64> = second["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| day["events"].as_u64().unwrap())
        .collect();
    assert_eq!(days, [1, 2]);

    server.pass(seconds(31 * 24 * 3600));
    server.sweep();
    let last = look();
    assert_eq!(
        (
            &last["events_stored"],
            last["days"].as_array().unwrap().len()
        ),
        (&json!(3), 1)
    );
    server.anyone().get("/api/admin/storage").gives(401);
    server.hub().get("/api/admin/storage").gives(403);
}
