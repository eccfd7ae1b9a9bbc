//! Machine tokens that are rotated, and what is left of the old ones.

use serde_json::json;

use crate::harness::{Actor, Server, hours};
use crate::machines::machine;

const MADE: &str = "/api/admin/machine-tokens";
const REPORT: &str = "/api/events/simple_clientapp";

/// Reports an event with a token, for the user with this id.
fn status(token: &Actor, user: &str) -> u16 {
    let event = json!({"events": [{"name": "a", "user_id": user}]});
    token.post(REPORT, event).status()
}

/// A machine token that reports events, and its id.
fn sensor(server: &Server, admin: &Actor) -> (Actor, String) {
    let asked = json!({"name": "sensor", "scopes": ["events:write"]});
    let made = admin.post(MADE, asked).gives(201);
    let token = server.anyone().with_token(&made.string("/token"));
    (token, made.string("/id"))
}

/// Rotates the token with this id; returns the new one, and its id.
#[track_caller]
fn rotated(server: &Server, id: &str) -> (Actor, String) {
    let made = server
        .admin()
        .post(&format!("{MADE}/{id}/rotate"), json!({}));
    let made = made.gives(201);
    assert_eq!(made.json()["expires_at"], json!(null));
    let token = server.anyone().with_token(&made.string("/token"));
    (token, made.string("/id"))
}

#[test]
fn a_rotation_keeps_the_name_and_the_rights_and_the_old_token_for_a_while() {
    let server = Server::start();
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let (old, id) = sensor(&server, &admin);
    let rotate = |id: &str, body| admin.post(&format!("{MADE}/{id}/rotate"), body);
    let made = rotate(&id, json!({"overlap_seconds": 3600})).gives(201);
    let new = server.anyone().with_token(&made.string("/token"));
    let works = |it: &Actor| status(it, &ana.id);

    assert_eq!((works(&old), works(&new)), (201, 201));
    server.pass(hours(1));
    assert_eq!((works(&old), works(&new)), (401, 201));
    server.pass(hours(10_000));
    assert_eq!(works(&new), 201);

    let admin = server.admin();
    let rotate = |id: &str, body| admin.post(&format!("{MADE}/{id}/rotate"), body);
    let last = rotate(&made.string("/id"), json!({"overlap_seconds": 0})).gives(201);
    assert_eq!(works(&new), 401);
    let last_one = server.anyone().with_token(&last.string("/token"));
    assert_eq!(works(&last_one), 201);
    rotate(&made.string("/id"), json!({})).gives(404);
    let much = json!({"overlap_seconds": u64::MAX});
    rotate(&last.string("/id"), much).names(400, "overlap_seconds");

    // Each is ended alone: the old one after a leak, the new one if nobody has it.
    let next = rotate(&last.string("/id"), json!({})).gives(201);
    let next_one = server.anyone().with_token(&next.string("/token"));
    let path = |id: &str| format!("{MADE}/{id}");
    admin.delete(&path(&last.string("/id"))).gives(204);
    assert_eq!((works(&last_one), works(&next_one)), (401, 201));
    admin.delete(&path(&next.string("/id"))).gives(204);
    assert_eq!(works(&next_one), 401);
}

#[test]
fn a_rotation_whose_answer_was_lost_is_asked_for_again() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (old, id) = sensor(&server, &server.admin());
    server.pass(hours(1) / 12);
    assert_eq!(status(&old, &ana.id), 201);
    server.settle();
    let (lost, _) = rotated(&server, &id);
    let (new, new_id) = rotated(&server, &id);
    // The sensor changes over, and nobody can use the secret that was lost.
    let all = [&old, &lost, &new].map(|it| status(it, &ana.id));
    assert_eq!(all, [201, 401, 201]);
    // Nor does a rotation of one that was never delivered end the one in use.
    server.settle();
    let (lost, lost_id) = rotated(&server, &new_id);
    server.pass(hours(1) / 12);
    assert_eq!(status(&new, &ana.id), 201);
    server.settle();
    let (newest, _) = rotated(&server, &lost_id);
    let all = [&lost, &new, &newest].map(|it| status(it, &ana.id));
    assert_eq!(all, [401, 201, 201]);
    // The last one has the end that the first one had: none.
    server.pass(hours(25));
    let all = [&old, &new, &newest].map(|it| status(it, &ana.id));
    assert_eq!(all, [401, 401, 201]);
}

#[test]
fn a_robot_that_ends_the_one_before_it_does_not_end_itself() {
    let server = Server::start();
    let admin = server.admin();
    let made = admin.post(MADE, json!({"name": "robot", "scopes": ["admin"]}));
    let id = made.gives(201).string("/id");
    let (robot, robot_id) = rotated(&server, &id);
    robot.delete(&format!("{MADE}/{id}")).gives(204);
    robot.get(MADE).gives(200);
    let (_, next_id) = rotated(&server, &robot_id);
    robot
        .delete(&format!("/api/admin/tokens/{next_id}"))
        .gives(204);
    robot.get(MADE).gives(200);
    robot
        .delete(&format!("{MADE}/{robot_id}"))
        .names(409, "own=true");
}

#[test]
fn the_administrator_rotates_no_token_that_a_user_made() {
    let server = Server::with("tokens.user_machine_tokens = true");
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let made = ana
        .session()
        .post("/v1/machine-tokens", json!({"name": "phone"}));
    let made = made.gives(201);
    let id = made.string("/id");
    admin
        .post(&format!("{MADE}/{id}/rotate"), json!({}))
        .gives(404);
    let phone = server.anyone().with_token(&made.string("/token"));
    phone.report(&["ring"]).gives(201);
}

#[test]
fn no_machine_makes_or_rotates_machine_tokens() {
    let server = Server::start();
    let admin = server.admin();
    let robot = machine(&server, &admin, "robot", &["admin"]);
    let id = admin.get(MADE).gives(200).string("/machine_tokens/0/id");
    let asked = json!({"name": "free", "scopes": ["admin", "events:write"]});
    robot.post(MADE, asked).names(403, "a person must");
    robot
        .post(&format!("{MADE}/{id}/rotate"), json!({}))
        .names(403, "a person must");
    robot.get(MADE).gives(200);
    let noted = admin.get("/api/admin/audit?action=use_token&actor=machine:robot");
    let noted = noted.gives(200).json();
    assert_eq!(noted["entries"][0]["outcome"], "outside_scope");
    assert_eq!(noted["entries"][0]["count"], 2);
    let listed = admin.get(MADE).gives(200).json();
    assert_eq!(listed["machine_tokens"].as_array().unwrap().len(), 1);
}
