//! Ephemeride: accounts and sessions.

use serde_json::{Value, json};

use crate::harness::{Actor, PASSWORD, Request, Server, almost, days, hours, seconds};

/// The user agents of a list of sessions, by which the tests recognise the sessions.
fn agents(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|it| it["user_agent"].as_str().unwrap())
        .collect()
}

fn sign_up(server: &Server, email: &str, invite: &str) -> crate::harness::Answer {
    let body = json!({"name": "Ana", "email": email, "password": PASSWORD, "invite": invite});
    server.anyone().post("/v1/user", body)
}

#[test]
fn the_root_says_name_and_version() {
    let server = Server::start();
    for path in ["/api/", "/api"] {
        let answer = server.anyone().get(path).gives(200);
        assert_eq!(
            answer.json(),
            json!({"name": "doorward", "version": env!("CARGO_PKG_VERSION")})
        );
    }
}

#[test]
fn signing_up_begins_a_session() {
    let server = Server::start();
    let body = json!({"name": "Ana", "email": "Ana@Example.org", "password": PASSWORD});
    let request = Request::new("POST", "/v1/user")
        .header("User-Agent", "yaak")
        .body(body);
    let session = server.anyone().send(request).gives(201);
    let (id, user_id) = (session.string("/id"), session.string("/user_id"));
    assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 4);
    let now = server.now().millis();
    let expected = json!({
        "id": id, "user_id": user_id, "created_at": now, "accessed_at": now,
        "ip_address": "127.0.0.1", "user_agent": "yaak",
    });
    assert_eq!(session.json(), expected);
    let expected = json!({
        "id": user_id, "created_at": now, "name": "Ana", "email": "Ana@Example.org", "invite": null,
    });
    assert_eq!(
        server
            .anyone()
            .with_token(&id)
            .get("/v1/user")
            .gives(200)
            .json(),
        expected
    );
}

#[test]
fn everything_is_served_under_api_too() {
    let server = Server::start();
    let body = json!({"name": "Ana", "email": "ana@example.org", "password": PASSWORD});
    let session = server
        .anyone()
        .post("/api/v1/user", body)
        .gives(201)
        .string("/id");
    let ana = server.anyone().with_token(&session);
    ana.get("/api/v1/user").gives(200);
    ana.get("/v1/user/").gives(200);
    server
        .anyone()
        .get("/api/v1/user")
        .fails(401, "Unauthorized");
    let config = server.anyone().get("/api/v1/auth/config").gives(200);
    assert_eq!(config.json(), json!({"invite_required": false}));
}

#[test]
fn signing_up_says_which_field_is_wrong() {
    let server = Server::start();
    let good = json!({"name": "Ana", "email": "ana@example.org", "password": PASSWORD});
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("  ")),
        ("name", json!("a".repeat(256))),
        ("name", json!("a\u{0}b")),
        ("name", json!(7)),
        ("email", json!("ana")),
        ("email", json!("ana@example.org\r\nBcc: all@example.org")),
        ("email", json!(null)),
        ("password", json!("1234567")),
        ("password", json!("a".repeat(256))),
        ("password", json!(["a good password"])),
    ] {
        let mut body = good.clone();
        body[field] = value;
        server
            .anyone()
            .post("/v1/user", body)
            .fails(400, "BadRequest")
            .names(400, field);
    }
    for field in ["name", "email", "password"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        server
            .anyone()
            .post("/v1/user", body)
            .fails(400, "BadRequest")
            .names(400, field);
    }
    server.anyone().post("/v1/user", good).gives(201);
}

#[test]
fn an_address_has_one_account_whatever_its_case() {
    let server = Server::start();
    server.user("Ana@Example.org");
    let answer = server.anyone().sign_up("aNA@example.ORG").gives(409);
    let expected = json!({"code": "EmailAlreadyInUse", "message": "Email already in use"});
    assert_eq!(answer.json(), expected);
    server
        .anyone()
        .log_in("ANA@EXAMPLE.ORG", PASSWORD)
        .gives(201);
}

#[test]
fn logging_in_does_not_reveal_which_addresses_exist() {
    let server = Server::start();
    server.user("ana@example.org");
    let wrong = server
        .anyone()
        .log_in("ana@example.org", "wrong")
        .fails(401, "InvalidPassword");
    let unknown = server
        .anyone()
        .log_in("ben@example.org", PASSWORD)
        .fails(401, "InvalidPassword");
    assert_eq!(wrong.text(), unknown.text());
    let too_long = "a".repeat(20_000);
    server
        .anyone()
        .log_in("ana@example.org", &too_long)
        .fails(401, "InvalidPassword");
    server
        .anyone()
        .log_in("ana", PASSWORD)
        .fails(400, "BadRequest")
        .names(400, "email");
    let anyone = server.anyone();
    anyone
        .post("/v1/auth", json!({"email": "ana@example.org"}))
        .names(400, "password");
}

#[test]
fn a_session_must_be_shown_and_must_be_one() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    server.anyone().get("/v1/user").fails(401, "Unauthorized");
    server
        .anyone()
        .with_header("Authorization", "")
        .get("/v1/user")
        .fails(401, "Unauthorized");
    for token in ["made up", "2c4f0e0a-8b0e-4d4f-9a0b-0d0c0b0a0908", &ana.id] {
        server
            .anyone()
            .with_token(token)
            .get("/v1/user")
            .fails(404, "SessionNotFound");
    }
}

#[test]
fn a_session_ends_after_thirty_days_without_use() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (used, idle) = (ana.session(), ana.session());
    for _ in 0..3 {
        server.pass(days(29));
        used.get("/v1/user").gives(200);
    }
    idle.get("/v1/user").fails(404, "SessionNotFound");
    server.restart();
    server.pass(almost(days(30)));
    used.get("/v1/user").gives(200);
    server.pass(days(30));
    used.get("/v1/user").fails(404, "SessionNotFound");
}

#[test]
fn a_use_is_written_down_once_a_minute() {
    let server = Server::start();
    let session = server.user("ana@example.org").session();
    let begun = server.now().millis();
    let seen = || {
        session.get("/v1/sessions").gives(200).json()[0]["accessed_at"]
            .as_i64()
            .unwrap()
    };
    server.pass(seconds(59));
    session.get("/v1/user").gives(200);
    server.settle();
    assert_eq!(seen(), begun);
    server.pass(seconds(1));
    session.get("/v1/user").gives(200);
    server.settle();
    assert_eq!(seen(), begun + 60_000);
}

#[test]
fn name_and_address_change_together() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    server.user("ben@example.org");
    let session = ana.session();
    let update =
        |name: &str, email: &str| session.patch("/v1/user", json!({"name": name, "email": email}));
    update("Ana B.", "ana@example.org").gives(204);
    update("Ana B.", "ANA@example.org").gives(204);
    update("Ana B.", "Ben@example.org").fails(409, "EmailAlreadyInUse");
    update("", "ana@example.org").names(400, "name");
    update("Ana B.", "ana").names(400, "email");
    session
        .patch("/v1/user", json!({"name": "x"}))
        .fails(400, "BadRequest")
        .names(400, "email");
    session
        .patch("/v1/user", json!({"email": "x@y.org"}))
        .names(400, "name");
    server
        .anyone()
        .patch("/v1/user", json!({}))
        .fails(401, "Unauthorized");
    assert_eq!(
        session.get("/v1/user").gives(200).json()["email"],
        "ANA@example.org"
    );
    update("Anna", "anna@example.org").gives(204);
    assert_eq!(session.get("/v1/user").gives(200).json()["name"], "Anna");
    server
        .anyone()
        .log_in("ana@example.org", PASSWORD)
        .fails(401, "InvalidPassword");
    server
        .anyone()
        .log_in("anna@example.org", PASSWORD)
        .gives(201);
    server.user("ana@example.org");
}

#[test]
fn sessions_are_listed_without_secrets_the_latest_used_first() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    server.pass(seconds(60));
    let log_in = |agent: &str| -> Actor {
        let actor = server.anyone().with_header("User-Agent", agent);
        let id = actor
            .log_in("ana@example.org", PASSWORD)
            .gives(201)
            .string("/id");
        server.pass(seconds(60));
        actor.with_token(&id)
    };
    let (phone, laptop) = (log_in("phone"), log_in("laptop"));
    let list = laptop.get("/v1/sessions").gives(200);
    assert_eq!(agents(&list.json()), ["laptop", "phone", "unknown"]);
    server.pass(seconds(60));
    phone.get("/v1/user").gives(200);
    server.pass(seconds(60));
    let list = phone.get("/v1/sessions").gives(200);
    let json = list.json();
    let current: Vec<_> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["current"] == true)
        .collect();
    assert_eq!(agents(&json), ["phone", "laptop", "unknown"]);
    assert_eq!(current, [true, false, false]);
    let rows = json.as_array().unwrap();
    assert!(rows.iter().all(|it| it["user_id"] == ana.id.as_str()));
    for secret in [&phone.token, &laptop.token] {
        assert!(!list.text().contains(secret));
        assert!(
            json.as_array()
                .unwrap()
                .iter()
                .all(|it| it["id"] != secret.as_str())
        );
    }
    server
        .user("ben@example.org")
        .session()
        .get("/v1/sessions")
        .gives(200);
    assert!(
        ana.session()
            .get("/v1/sessions")
            .gives(200)
            .text()
            .contains("phone")
    );
}

#[test]
fn one_ends_ones_own_sessions_by_their_public_ids() {
    let server = Server::start();
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    let (here, there, bens) = (ana.session(), ana.access(), ben.session());
    let id_of = |actor: &Actor| {
        let list = actor.get("/v1/sessions").gives(200).json();
        let current = list
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["current"] == true);
        current.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let end = |actor: &Actor, id: &str| actor.delete(&format!("/v1/session/{id}"));
    let (here_id, there_id) = (id_of(&here), id_of(&there));
    end(&bens, &there_id).fails(404, "SessionNotFound");
    end(&here, "nonsense").fails(404, "SessionNotFound");
    end(&here, &there.token).fails(404, "SessionNotFound");
    end(&server.anyone(), &there_id).fails(401, "Unauthorized");
    end(&here, &there_id).gives(204);
    end(&here, &there_id).fails(404, "SessionNotFound");
    there.get("/v1/user").fails(404, "SessionNotFound");
    there.refresh().fails(401, "Not authorized");
    end(&here, &here_id).gives(204);
    here.get("/v1/user").fails(404, "SessionNotFound");
    bens.get("/v1/user").gives(200);
}

#[test]
fn an_invite_is_asked_for_and_used_up() {
    let server = Server::with("accounts.invite_required = true\naccounts.invites = [\"welcome\"]");
    let config = server.anyone().get("/v1/auth/config").gives(200);
    assert_eq!(config.json(), json!({"invite_required": true}));
    server
        .anyone()
        .sign_up("ana@example.org")
        .fails(404, "InviteNotFound");
    for invite in ["", "unknown", "WELCOME", &"x".repeat(300)] {
        sign_up(&server, "ana@example.org", invite).fails(404, "InviteNotFound");
    }
    // A signup that fails for another reason does not use the invite up.
    sign_up(&server, "nonsense", "welcome").fails(400, "BadRequest");
    let body = json!({"name": "Ana", "email": "ana@example.org", "password": PASSWORD, "invite_code": "welcome"});
    let session = server
        .anyone()
        .post("/v1/user", body)
        .gives(201)
        .string("/id");
    let ana = server.anyone().with_token(&session);
    assert_eq!(ana.get("/v1/user").gives(200).json()["invite"], "welcome");
    sign_up(&server, "ben@example.org", "welcome").fails(404, "InviteNotFound");
}

#[test]
fn an_invite_has_uses_and_an_end() {
    let settings = "accounts.invite_required = true\naccounts.invites = [{ code = \"two\", uses = 2 }, \
                    { code = \"brief\", uses = 9, expires = 2026-03-02T12:00:00Z }]";
    let server = Server::with(settings);
    sign_up(&server, "one@example.org", "two").gives(201);
    sign_up(&server, "one@example.org", "two").fails(409, "EmailAlreadyInUse");
    server.restart_with(settings);
    sign_up(&server, "two@example.org", "two").gives(201);
    sign_up(&server, "three@example.org", "two").fails(404, "InviteNotFound");
    sign_up(&server, "three@example.org", "brief").gives(201);
    server.pass(hours(24));
    sign_up(&server, "four@example.org", "brief").fails(404, "InviteNotFound");
}

#[test]
fn a_wrong_invite_is_refused_even_where_none_is_needed() {
    let server = Server::with("accounts.invites = [\"welcome\"]");
    sign_up(&server, "ana@example.org", "unknown").fails(404, "InviteNotFound");
    sign_up(&server, "ana@example.org", "").gives(201);
    sign_up(&server, "ben@example.org", "welcome").gives(201);
}

#[test]
fn a_closed_signup_is_forbidden() {
    let server = Server::with("accounts.signup = false");
    server
        .anyone()
        .sign_up("ana@example.org")
        .fails(403, "Forbidden");
}
