//! The server stores an event with an `id` once, however often a client sends it.

use serde_json::{Value, json};

use crate::harness::{Actor, Answer, Request, Server, race, seconds};

const PATH: &str = "/api/events/simple_clientapp";
const DAY: u64 = 24 * 3600;

fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn events(ids: &[u32]) -> Value {
    let events = ids.iter().map(|it| json!({"name": "a", "id": id(*it)}));
    events.collect()
}

#[track_caller]
fn send(actor: &Actor, ids: &[u32]) -> Answer {
    let answer = actor.post(PATH, events(ids)).gives(201);
    assert_eq!(answer.number("/count"), i64::try_from(ids.len()).unwrap());
    answer
}

fn stored(server: &Server) -> u64 {
    let count = server.counts().values().sum();
    assert_eq!(server.events().len() as u64, count);
    count
}

#[test]
fn an_event_that_is_sent_again_is_stored_once_and_answered_as_if_it_were() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    send(&ana, &[1, 2]);
    send(&ana, &[1, 2]);
    send(&ana, &[2, 3, 3]);
    assert_eq!(stored(&server), 3);
    let mixed = json!([{"name": "a", "id": id(1)}, {"name": "a"}, {"name": "a", "id": null}]);
    ana.post(PATH, mixed).gives(201);
    assert_eq!(stored(&server), 5);
}

#[test]
fn an_id_belongs_to_its_reporter() {
    let server = Server::start();
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    send(&ana.session(), &[1]);
    send(&ana.angen(), &[1]);
    send(&ben.session(), &[1]);
    let about_ana = json!([{"name": "a", "id": id(1), "user_id": ana.id}]);
    for other in [server.admin(), server.hub()] {
        other.post(PATH, about_ana.clone()).gives(201);
    }
    assert_eq!(stored(&server), 4);
}

#[test]
fn an_id_is_remembered_today_and_tomorrow_across_restarts_and_sweeps() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let to_midnight = DAY - u64::try_from(server.now().seconds()).unwrap() % DAY;
    send(&ana, &[1]);
    server.restart();
    server.pass(seconds(to_midnight + DAY - 1));
    server.sweep();
    send(&ana, &[1]);
    assert_eq!(stored(&server), 1);
    server.pass(seconds(1));
    server.sweep();
    send(&ana, &[1]);
    assert_eq!(stored(&server), 2);
}

#[test]
fn the_same_event_in_many_requests_at_once_is_stored_once() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    race(8, |n| send(&ana, &[1, 2, 3, 4 + u32::try_from(n).unwrap()]));
    assert_eq!(stored(&server), 3 + 8);
}

#[test]
fn a_malformed_id_and_too_many_events_are_refused_whole() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let bad = json!([{"name": "a", "id": id(1)}, {"name": "a"}, {"name": "a", "id": "7"}]);
    let refused = ana.post(PATH, bad).gives(400);
    assert_eq!(refused.string("/reason"), "events[2].id: must be a UUID");
    ana.post(PATH, json!([{"name": "a", "id": 7}]))
        .names(400, "[0].id: must be a string");
    // The server does not parse anything after the ten thousandth event.
    let crowd = [vec![r#"{"name":"a"}"#; 10_001], vec!["nonsense"]]
        .concat()
        .join(",");
    for body in [format!("[{crowd}]"), format!("{{\"events\":[{crowd}]}}")] {
        let refused = ana.post(PATH, body).gives(400);
        assert_eq!(
            refused.string("/reason"),
            "events: must be at most 10000 in a request"
        );
    }
    assert_eq!(stored(&server), 0);
}

#[test]
fn a_key_that_was_used_for_another_request_leaves_no_id_behind() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let keyed = |ids: &[u32]| {
        let request = Request::new("POST", PATH).header("Idempotency-Key", "key");
        ana.send(request.body(events(ids)))
    };
    keyed(&[1]).gives(201);
    keyed(&[2]).gives(422);
    send(&ana, &[2]);
    assert_eq!(stored(&server), 2);
}

#[test]
fn an_event_whose_subject_is_gone_can_be_sent_again() {
    let server = Server::start();
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    let (session, bens) = (ana.session(), ben.session());
    let body = json!([{"name": "a", "id": id(1), "user_id": ben.id}]);
    session.post(PATH, body.clone()).gives(201);
    bens.delete("/v1/user").gives(204);
    session.post(PATH, body).gives(201);
    let later = json!([{"name": "a", "id": id(1)}, {"name": "a", "id": id(2), "user_id": ben.id}]);
    session.post(PATH, later).names(400, "events[1].user_id");
    assert_eq!(stored(&server), 1);
}
