//! Rules for tokens of every kind, whichever API issued them.

use doorward::http::Handler;
use serde_json::json;

use crate::harness::{PASSWORD, Request, Server, days, hours, seconds};
use crate::routes::path_of;

#[test]
fn a_token_is_found_in_any_of_the_four_headers() {
    let server = Server::start();
    let session = server.user("ana@example.org").session().token;
    let anyone = server.anyone();
    let bearer = format!("Bearer {session}");
    let headers = [
        ("Authorization", &bearer),
        ("Authorization", &session),
        ("token", &session),
        ("X-Token", &session),
    ];
    for (name, value) in headers {
        anyone.with_header(name, value).get("/v1/user").gives(200);
        anyone
            .with_header(name, value)
            .with_header("X-Token", "")
            .get("/v1/user")
            .gives(200);
        anyone
            .with_header(name, value)
            .with_header("Token", &session)
            .get("/v1/user")
            .gives(200);
        let two = anyone
            .with_header(name, value)
            .with_header("X-Token", "another");
        two.get("/v1/user").fails(400, "BadRequest");
    }
    // A token in the query string does not count.
    anyone
        .get(&format!("/v1/user?token={session}"))
        .fails(401, "Unauthorized");
}

#[test]
fn an_expired_access_token_says_so_on_every_endpoint_that_takes_it() {
    let server = Server::start();
    let access = server.user("ana@example.org").access();
    server.pass(hours(1));
    let mut taken = 0;
    for served in &server.served().routes {
        if matches!(served.route.run, Handler::Open(_)) {
            continue;
        }
        taken += 1;
        let request = Request::new(served.route.method.as_str(), &path_of(served));
        access.send(request).fails(401, "Token has expired");
    }
    assert!(taken > 20);
    // Tokens of other kinds cannot be refreshed, and keep the words of each API.
    let ana = server.user("ben@example.org");
    let (session, angen) = (ana.session(), ana.angen());
    server.pass(days(31));
    session.get("/v1/user").fails(404, "SessionNotFound");
    angen.report(&["a"]).fails(401, "Unauthorised");
}

#[test]
fn a_token_opens_what_its_holder_may_open() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    for actor in [ana.session(), ana.access(), ana.angen()] {
        assert_eq!(actor.get("/v1/user").gives(200).string("/id"), ana.id);
        actor.report(&["a"]).gives(201);
        actor.get("/renew").gives(401);
    }
    for actor in [server.admin(), server.hub()] {
        actor.get("/v1/user").fails(403, "Forbidden");
    }
    for actor in [ana.session(), ana.angen(), server.admin(), server.hub()] {
        actor.refresh().fails(401, "Not authorized");
    }
    for actor in [ana.session(), ana.access(), server.admin(), server.hub()] {
        let body = json!({"renewal_code": "x"});
        actor.post("/api/renew_token", body).fails(401, "No token");
        assert!(actor.is_let_in());
    }
}

#[test]
fn a_deleted_account_is_gone_with_its_tokens_and_its_address_is_free() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (session, access, angen) = (ana.session(), ana.access(), ana.angen());
    server
        .anyone()
        .delete("/v1/user")
        .fails(401, "Unauthorized");
    session.delete("/v1/user").gives(204).empty();
    session.delete("/v1/user").fails(404, "SessionNotFound");
    access.get("/v1/user").fails(404, "SessionNotFound");
    access.refresh().fails(401, "Not authorized");
    angen.renew_pair().fails(401, "No token");
    assert!(!angen.is_let_in());
    server
        .anyone()
        .log_in("ana@example.org", PASSWORD)
        .fails(401, "InvalidPassword");
    let new = server.user("ana@example.org");
    assert_ne!(new.id, ana.id);
    server.restart();
    session.get("/v1/user").fails(404, "SessionNotFound");
}

#[test]
fn a_new_password_ends_every_token_but_the_one_in_use() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (own, other, access, angen) = (ana.session(), ana.session(), ana.access(), ana.angen());
    let change = |current: &str, new: &str| {
        own.patch(
            "/v1/user/password",
            json!({"current_password": current, "password": new}),
        )
    };
    change("wrong", "a new password").fails(401, "InvalidPassword");
    change(PASSWORD, "short")
        .fails(400, "BadRequest")
        .names(400, "password");
    own.patch("/v1/user/password", json!({"password": "x"}))
        .names(400, "current_password");
    other.get("/v1/user").gives(200);
    change(PASSWORD, "a new password").gives(204).empty();
    own.get("/v1/user").gives(200);
    other.get("/v1/user").fails(404, "SessionNotFound");
    access.refresh().fails(401, "Not authorized");
    angen.renew_pair().fails(401, "No token");
    server
        .anyone()
        .log_in("ana@example.org", PASSWORD)
        .fails(401, "InvalidPassword");
    server.restart();
    own.get("/v1/user").gives(200);
    server
        .anyone()
        .log_in("ana@example.org", "a new password")
        .gives(201);
}

#[test]
fn a_user_has_so_many_live_tokens_and_the_least_recently_used_makes_room() {
    let server = Server::with("tokens.per_user = 3");
    let ana = server.user("ana@example.org");
    server.pass(seconds(60));
    let one = ana.session();
    server.pass(seconds(60));
    let two = ana.access();
    server.pass(seconds(60));
    one.get("/v1/user").gives(200);
    server.pass(seconds(60));
    let three = ana.angen();
    server.pass(seconds(60));
    let four = ana.session();
    two.get("/v1/user").fails(404, "SessionNotFound");
    for alive in [&one, &three, &four] {
        alive.get("/v1/user").gives(200);
    }
    let list = four.get("/v1/sessions").gives(200).json();
    assert_eq!(list.as_array().unwrap().len(), 3);
    for _ in 0..5 {
        ana.session();
    }
    let list = ana.session().get("/v1/sessions").gives(200).json();
    assert_eq!(list.as_array().unwrap().len(), 3);
}

#[test]
fn accounts_and_sessions_survive_a_restart() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (session, access, angen) = (ana.session(), ana.access(), ana.angen());
    server.restart();
    for actor in [&session, &access, &angen] {
        assert_eq!(actor.get("/v1/user").gives(200).string("/id"), ana.id);
    }
    angen.renew_pair().gives(201);
    access.refresh().gives(200);
}

#[test]
fn a_password_changed_with_a_token_that_was_just_exchanged_keeps_its_successor() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (old, other) = (ana.access(), ana.session());
    let new = server
        .anyone()
        .with_token(&old.refresh().gives(200).string("/token"));
    let change = json!({"current_password": PASSWORD, "password": "a better password"});
    old.patch("/v1/user/password", change).gives(204);
    assert!(new.is_let_in() && !other.is_let_in());
}
