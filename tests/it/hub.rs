//! Hub: login with a shared password, and tokens that many tabs can renew.

use serde_json::json;

use crate::harness::{Actor, Request, Server, almost, days, seconds};

#[test]
fn the_root_says_who_answers() {
    let server = Server::start();
    let version = env!("CARGO_PKG_VERSION");
    let answer = server.anyone().get("/").gives(200).json();
    assert_eq!(answer, json!({"name": "doorward", "version": version}));
    let settings = "server.name = \"Test Server\"\nserver.description = \"Example hub server.\"";
    server.restart_with(settings);
    let expected =
        json!({"name": "Test Server", "description": "Example hub server.", "version": version});
    assert_eq!(server.anyone().get("/").gives(200).json(), expected);
}

#[test]
fn any_of_the_passwords_logs_in() {
    let server = Server::start();
    for password in ["open sesame", "the other one"] {
        let answer = server
            .anyone()
            .post("/login", json!({"password": password}))
            .gives(200);
        assert_eq!(answer.string("/expires"), "2026-03-31T12:00:00Z");
        assert!(
            server
                .anyone()
                .with_token(&answer.string("/token"))
                .is_let_in()
        );
    }
    for password in ["", "Open sesame", "open sesamethe other one"] {
        server
            .anyone()
            .post("/login", json!({"password": password}))
            .fails(401, "Wrong password");
    }
    server
        .anyone()
        .post("/login", json!({}))
        .names(400, "password");
}

#[test]
fn a_hub_without_passwords_is_closed() {
    let server = Server::with("hub.passwords = []");
    server
        .anyone()
        .post("/login", json!({"password": ""}))
        .gives(401);
}

#[test]
fn renewing_gives_a_new_token_and_leaves_the_old_one_alone() {
    let server = Server::start();
    let old = server.hub();
    server.pass(days(29));
    let (one, two) = (old.get("/renew").gives(200), old.get("/renew").gives(200));
    assert_eq!(one.string("/expires"), "2026-04-29T12:00:00Z");
    assert!(one.string("/token") != two.string("/token") && one.string("/token") != old.token);
    let new = server.anyone().with_token(&one.string("/token"));
    assert!(old.is_let_in() && new.is_let_in());
    server.pass(days(1));
    old.get("/renew").gives(401);
    new.get("/renew").gives(200);
}

#[test]
fn renewing_needs_a_live_token() {
    let server = Server::start();
    let hub = server.hub();
    server.anyone().get("/renew").gives(401);
    server
        .anyone()
        .with_token("made up")
        .get("/renew")
        .gives(401);
    // The API's document shows the token as the whole value of the header.
    server
        .anyone()
        .with_header("Authorization", &hub.token)
        .get("/renew")
        .gives(200);
    server.pass(almost(days(30)));
    hub.get("/renew").gives(200);
    server.pass(seconds(1));
    hub.get("/renew").gives(401);
}

#[test]
fn other_passwords_end_the_tokens_of_the_old_ones() {
    let server = Server::start();
    let (hub, admin) = (server.hub(), server.admin());
    server.restart();
    hub.get("/renew").gives(200);
    server.restart_with(r#"hub.passwords = ["the other one"]"#);
    hub.get("/renew").gives(401);
    assert!(admin.is_let_in());
}

#[test]
fn head_renews_nothing() {
    let server = Server::start();
    let hub = server.hub();
    let answer = hub.send(Request::new("HEAD", "/renew")).gives(405);
    assert_eq!(answer.header("allow"), Some("GET, OPTIONS"));
    let options = hub.send(Request::new("OPTIONS", "/renew")).gives(204);
    assert_eq!(options.header("allow"), Some("GET, OPTIONS"));
}

#[test]
fn the_least_recently_used_tokens_of_hub_and_administrator_make_room() {
    let server = Server::with("tokens.hub_tokens = 3\ntokens.admin_tokens = 2");
    let first = server.hub();
    let mut renewed = Vec::new();
    for _ in 0..3 {
        server.pass(seconds(61));
        assert!(first.is_let_in());
        server.settle();
        let answer = first.get("/renew").gives(200);
        renewed.push(server.anyone().with_token(&answer.string("/token")));
    }
    assert!(first.is_let_in() && !renewed[0].is_let_in());
    assert!(renewed[1].is_let_in() && renewed[2].is_let_in());
    let admins: Vec<_> = (0..3)
        .map(|_| {
            server.pass(seconds(61));
            server.admin()
        })
        .collect();
    let let_in: Vec<bool> = admins.iter().map(Actor::is_let_in).collect();
    assert_eq!(let_in, [false, true, true]);
}
