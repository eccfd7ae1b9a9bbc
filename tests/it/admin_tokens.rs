//! Every road by which the administrator ends tokens ends them at the next request.

use serde_json::{Value, json};

use crate::harness::{Actor, Server, User};

/// Requests that need a live token, of Ephemeride and of Angen.
fn answers(token: &Actor) -> [u16; 3] {
    [
        token.get("/v1/user").status(),
        token.get("/v1/sessions").status(),
        token.report(&["seen"]).status(),
    ]
}

#[track_caller]
fn all_live(tokens: &[Actor]) {
    for token in tokens {
        let answers = answers(token);
        assert!(
            answers.iter().all(|it| (200..300).contains(it)),
            "{answers:?}"
        );
    }
}

#[track_caller]
fn all_ended(tokens: &[Actor]) {
    for token in tokens {
        let answers = answers(token);
        assert!(
            answers.iter().all(|it| (400..500).contains(it)),
            "{answers:?}"
        );
        // Core: an ended token has no successor. Angen: neither has an ended pair.
        let successor = token.refresh().status();
        assert!((400..500).contains(&successor), "{successor}");
        let pair = token.renew_pair().status();
        assert!((400..500).contains(&pair), "{pair}");
    }
}

fn one_by_one(admin: &Actor, ana: &User) {
    let path = format!("/api/admin/tokens?holder={}", ana.id);
    let page = admin.get(&path).gives(200).json();
    for token in page["tokens"].as_array().unwrap() {
        let id = token["id"].as_str().unwrap();
        admin.delete(&format!("/api/admin/tokens/{id}")).gives(204);
    }
}

fn post(admin: &Actor, ana: &User, what: &str, body: Value) {
    let path = format!("/api/admin/users/{}/{what}", ana.id);
    let status = admin.post(&path, body).status();
    assert!((200..300).contains(&status), "{what}: {status}");
}

#[test]
fn every_road_ends_the_tokens_at_the_next_request() {
    type Road = fn(&Actor, &User);
    let roads: [Road; 6] = [
        one_by_one,
        |admin, ana| {
            let path = format!("/api/admin/users/{}/tokens", ana.id);
            admin.delete(&path).gives(204);
        },
        |admin, ana| post(admin, ana, "password", json!({"password": "by the admin"})),
        |admin, ana| post(admin, ana, "disable", json!({})),
        |admin, ana| {
            let path = format!("/api/admin/users/{}", ana.id);
            admin.patch(&path, json!({"disabled": true})).gives(200);
        },
        |admin, ana| {
            let path = format!("/api/admin/users/{}", ana.id);
            admin.delete(&path).gives(204);
        },
    ];
    for road in roads {
        let server = Server::start();
        let (admin, ana) = (server.admin(), server.user("ana@example.org"));
        let bystander = [server.user("ben@example.org").session()];
        let tokens = [ana.session(), ana.access(), ana.angen()];
        all_live(&tokens);
        road(&admin, &ana);
        all_ended(&tokens);
        all_live(&bystander);
        // A restart brings none of them back.
        server.restart();
        all_ended(&tokens);
        all_live(&bystander);
    }
}
