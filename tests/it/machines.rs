//! Machine tokens: made, used, rotated and ended.

use serde_json::{Value, json};

use crate::harness::{Actor, Request, Server, days, hours};

const MADE: &str = "/api/admin/machine-tokens";

/// A machine token with these scopes.
#[track_caller]
pub(crate) fn machine(server: &Server, admin: &Actor, name: &str, scopes: &[&str]) -> Actor {
    let made = admin.post(MADE, json!({"name": name, "scopes": scopes}));
    server
        .anyone()
        .with_token(&made.gives(201).string("/token"))
}

fn event(name: &str, user: &str) -> Value {
    json!({"events": [{"name": name, "user_id": user}]})
}

const REPORT: &str = "/api/events/simple_clientapp";

#[test]
fn a_machine_token_is_shown_once_and_reports_as_its_name() {
    let server = Server::start();
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let asked = json!({"name": "sensor-1", "scopes": ["events:write"]});
    let made = admin.post(MADE, asked).gives(201);
    let secret = made.string("/token");
    assert!(secret.starts_with("dw_") && secret.len() == 46, "{secret}");
    let sensor = server.anyone().with_token(&secret);

    sensor.post(REPORT, event("warm", &ana.id)).gives(201);
    sensor.report(&["warm"]).names(400, "user_id");

    let page = admin.get("/api/admin/events").gives(200).json();
    assert_eq!(page["events"][0]["reporter_id"], "machine:sensor-1");
    let of_it = admin.get("/api/admin/events?reporter_id=machine:sensor-1");
    assert_eq!(
        of_it.gives(200).json()["events"].as_array().unwrap().len(),
        1
    );
    let of_other = admin.get("/api/admin/events?reporter_id=machine:sensor-2");
    assert_eq!(of_other.gives(200).json()["events"], json!([]));
    for format in ["ndjson", "csv"] {
        let export = admin.get(&format!("/api/admin/events/export?format={format}"));
        assert!(export.gives(200).text().contains("machine:sensor-1"));
    }

    server.settle();
    let list = admin.get(MADE).gives(200);
    assert!(!list.text().contains(&secret));
    let listed = &list.json()["machine_tokens"][0];
    assert_eq!(listed["name"], "sensor-1");
    assert_eq!(listed["scopes"], json!(["events:write"]));
    assert_eq!(listed["expires_at"], Value::Null);
    assert_eq!(listed["status"], "live");

    // Neither time nor a restart ends it.
    server.pass(hours(24 * 400));
    server.sweep();
    server.restart();
    sensor.post(REPORT, event("warm", &ana.id)).gives(201);
    let admin = server.admin();
    let listed = &admin.get(MADE).gives(200).json()["machine_tokens"][0];
    assert_eq!(listed["last_address"], "127.0.0.1");
    assert_ne!(listed["last_used_at"], Value::Null);

    let id = listed["id"].as_str().unwrap();
    admin.delete(&format!("{MADE}/{id}")).gives(204);
    sensor.post(REPORT, event("cold", &ana.id)).gives(401);
    admin.delete(&format!("{MADE}/{id}")).gives(404);
    // The events keep their reporter.
    let page = admin.get("/api/admin/events").gives(200).json();
    assert_eq!(page["events"][0]["reporter_id"], "machine:sensor-1");
}

#[test]
fn a_refusal_names_the_scope_that_would_do_or_the_address() {
    let server = Server::with("server.trusted_proxies = [\"127.0.0.1\"]");
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let reads = machine(&server, &admin, "reader", &["events:read"]);
    reads.get("/api/admin/events").gives(200);
    reads.get("/api/admin/users").names(403, "users:read");
    reads.get("/api/admin/storage").names(403, "scope admin");
    reads
        .post(REPORT, event("a", &ana.id))
        .names(403, "events:write");
    reads.get("/v1/user").names(403, "No machine token");
    reads.get("/renew").names(403, "No machine token");

    let asked = json!({
        "name": "near", "scopes": ["users:read"],
        "networks": ["10.0.0.0/24", "2001:db8::1"],
    });
    let made = admin.post(MADE, asked).gives(201);
    let near = server.anyone().with_token(&made.string("/token"));
    near.at_address("10.0.0.7")
        .get("/api/admin/users")
        .gives(200);
    near.at_address("2001:db8::1")
        .get("/api/admin/users")
        .gives(200);
    for address in ["10.0.1.7", "2001:db8::2"] {
        let refused = near.at_address(address).get("/api/admin/users");
        refused.names(403, address);
    }
    let listed = admin
        .get(&format!("{MADE}/{}", made.string("/id")))
        .gives(200);
    assert_eq!(
        listed.json()["networks"],
        json!(["10.0.0.0/24", "2001:db8::1/128"])
    );
}

#[test]
fn what_cannot_be_made_says_why() {
    let server = Server::with("tokens.machine_tokens = 2");
    let admin = server.admin();
    let made = |body: Value| admin.post(MADE, body);
    let with = |key: &str, value: Value| {
        let mut body = json!({"name": "a", "scopes": ["events:read"]});
        body[key] = value;
        body
    };
    let networks: Vec<_> = (0..33).map(|it| format!("10.0.0.{it}")).collect();
    for (key, value) in [
        ("name", json!("a b")),
        ("name", json!("")),
        ("scopes", json!([])),
        ("scopes", json!(["events:erase"])),
        ("user_id", json!("x")),
        ("user_id", json!("2c4f0e0a-8b0e-4d4f-9a0b-0d0c0b0a0908")),
        ("expires_at", json!("2020-01-01")),
        ("expires_at", json!("soon")),
        ("networks", json!(["10.0.0.0/33"])),
        ("networks", json!([])),
        ("networks", json!(networks)),
    ] {
        let answer = made(with(key, value.clone())).gives(400);
        assert_eq!(answer.string("/error/field"), key, "{value}");
    }
    let first = made(with("name", json!("a"))).gives(201);
    made(with("name", json!("a"))).names(409, "name");
    made(with("name", json!("b"))).gives(201);
    made(with("name", json!("c"))).names(409, "already");
    admin
        .delete(&format!("{MADE}/{}", first.string("/id")))
        .gives(204);
    made(with("name", json!("a"))).gives(201);
    admin.get(&format!("{MADE}?cursor=x")).names(400, "cursor");
    admin.get(&format!("{MADE}?of=x")).names(400, "of");
}

#[test]
fn a_machine_token_of_a_user_ends_with_the_other_tokens() {
    let server = Server::start();
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let of_ana = |name: &str| {
        let asked = json!({"name": name, "scopes": ["events:write"], "user_id": ana.id});
        let made = admin.post(MADE, asked).gives(201);
        server.anyone().with_token(&made.string("/token"))
    };
    let phone = of_ana("phone");
    // The user is whom it is about, the machine reports it.
    phone.report(&["ring"]).gives(201);
    let page = admin.get("/api/admin/events").gives(200).json();
    assert_eq!(page["events"][0]["user_id"], json!(ana.id));
    assert_eq!(page["events"][0]["reporter_id"], "machine:phone");
    let user = format!("/api/admin/users/{}", ana.id);
    admin
        .post(
            &format!("{user}/password"),
            json!({"password": "another one"}),
        )
        .gives(204);
    phone.report(&["ring"]).gives(401);

    let watch = of_ana("watch");
    watch.report(&["tick"]).gives(201);
    admin.post(&format!("{user}/disable"), "").gives(200);
    watch.report(&["tick"]).gives(401);
    admin.post(&format!("{user}/enable"), "").gives(200);
    let ring = of_ana("ring");
    admin.delete(&user).gives(204);
    ring.report(&["tick"]).gives(401);
    assert_eq!(
        admin.get(MADE).gives(200).json()["machine_tokens"],
        json!([])
    );
}

#[test]
fn the_list_goes_by_name_and_pages_meet() {
    let server = Server::start();
    let admin = server.admin();
    for name in ["d", "b", "a", "c"] {
        machine(&server, &admin, name, &["events:read"]);
    }
    let id = admin.get(MADE).gives(200).string("/machine_tokens/1/id");
    admin
        .post(&format!("{MADE}/{id}/rotate"), json!({}))
        .gives(201);
    for limit in 1..=6 {
        let (mut names, mut path) = (Vec::new(), format!("{MADE}?limit={limit}"));
        loop {
            let page = admin.get(&path).gives(200).json();
            let tokens = page["machine_tokens"].as_array().unwrap();
            assert!(tokens.len() <= limit);
            names.extend(
                tokens
                    .iter()
                    .map(|it| it["name"].as_str().unwrap().to_owned()),
            );
            match page["next"].as_str() {
                Some(next) => path = format!("{MADE}?limit={limit}&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(names, ["a", "b", "b", "c", "d"], "{limit}");
    }
}

#[test]
fn the_last_way_in_is_not_ended_by_mistake() {
    let server = Server::start();
    let admin = server.admin();
    let robot = machine(&server, &admin, "robot", &["admin"]);
    let id = robot.get(MADE).gives(200).string("/machine_tokens/0/id");
    robot.delete(&format!("{MADE}/{id}")).names(409, "own=true");
    robot.delete(&format!("{MADE}/{id}?own=true")).gives(204);
    robot.get(MADE).gives(401);
    let audit = admin.get("/api/admin/audit?actor=machine:robot").gives(200);
    assert_eq!(audit.string("/entries/0/action"), "end_token");
    let audit = admin
        .get("/api/admin/audit?action=make_machine_token")
        .gives(200);
    assert_eq!(audit.string("/entries/0/actor"), "admin");
}

const INTROSPECT: &str = "/api/admin/introspect";

#[test]
fn a_service_with_the_scope_learns_whose_a_token_is() {
    let server = Server::with("server.public_url = \"https://door.example.org\"");
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let verifier = machine(&server, &admin, "gateway", &["tokens:verify"]);
    let ask = |token: &str| {
        let form = format!("token={token}&token_type_hint=access_token");
        let request = Request::new("POST", INTROSPECT).body(form).header(
            "Content-Type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        let answer = verifier.send(request).gives(200);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        answer.json()
    };
    let session = ana.session();
    let told = ask(&session.token);
    assert_eq!(
        verifier
            .post(INTROSPECT, json!({"token": session.token}))
            .json(),
        told
    );
    let expected = json!({
        "active": true, "sub": ana.id, "username": "ana@example.org", "token_type": "Bearer",
        "kind": "session", "iss": "https://door.example.org", "jti": told["jti"],
        "iat": server.now().seconds(), "exp": told["exp"],
    });
    assert_eq!(told, expected);
    assert_eq!(told["exp"], json!(server.now().after(days(30)).seconds()));
    let told = ask(&verifier.token);
    assert_eq!(
        (
            &told["sub"],
            &told["client_id"],
            &told["scope"],
            told.get("exp")
        ),
        (
            &json!("machine:gateway"),
            &json!("gateway"),
            &json!("tokens:verify"),
            None
        )
    );
    assert_eq!(ask(&admin.token)["sub"], "admin");
    assert_eq!(ask(&server.hub().token)["sub"], "hub");
    assert_eq!(ask(&ana.access().token)["kind"], "access");

    // What is not live has no properties; nor what never was.
    let dead = json!({"active": false});
    assert_eq!(ask("nothing"), dead);
    session.delete("/api/auth").gives(204);
    assert_eq!(ask(&session.token), dead);
    let other = ana.session();
    server.pass(days(31));
    assert_eq!(ask(&other.token), dead);
    let another = ana.session();
    let user = format!("/api/admin/users/{}/disable", ana.id);
    server.admin().post(&user, "").gives(200);
    assert_eq!(ask(&another.token), dead);
}

#[test]
fn introspection_is_no_use_of_the_token_and_reads_forms_strictly() {
    let server = Server::start();
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let session = ana.session();
    server.pass(days(29));
    let admin = {
        drop(admin);
        server.admin()
    };
    let body = json!({"token": session.token});
    assert_eq!(
        admin.post(INTROSPECT, body.clone()).gives(200).json()["active"],
        true
    );
    server.pass(days(2));
    let admin = server.admin();
    assert_eq!(
        admin.post(INTROSPECT, body).gives(200).json()["active"],
        false
    );
    let form = |text: &str| {
        let request = Request::new("POST", INTROSPECT)
            .body(text)
            .header("Content-Type", "application/x-www-form-urlencoded");
        admin.send(request)
    };
    for text in [
        "",
        "x=y",
        "token=",
        "token=a&token=a",
        "token=%zz",
        "token=%ff",
    ] {
        form(text).names(400, "token");
    }
    form("token=a+b&other=%zz").gives(200);
    let request = Request::new("POST", INTROSPECT).body("token=a");
    admin
        .send(request.header("Content-Type", "text/plain"))
        .gives(415);
    session.post(INTROSPECT, json!({"token": "a"})).gives(401);
}

#[test]
fn users_make_machine_tokens_for_their_own_events_if_they_may() {
    const OWN: &str = "/v1/machine-tokens";
    let asked = || json!({"name": "phone", "networks": ["127.0.0.0/8"]});
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    ana.post(OWN, asked())
        .names(403, "tokens.user_machine_tokens");

    let server = Server::with("tokens.user_machine_tokens = true\ntokens.per_user = 2");
    let (ana, ben) = (
        server.user("ana@example.org"),
        server.user("ben@example.org"),
    );
    let (session, other) = (ana.session(), ben.session());
    let made = session.post(OWN, asked()).gives(201);
    let phone = server.anyone().with_token(&made.string("/token"));
    phone.report(&["ring"]).gives(201);
    // It reports as its user, and its name is taken from nobody.
    let admin = server.admin();
    let page = admin.get("/api/admin/events").gives(200).json();
    assert_eq!(page["events"][0]["reporter_id"], json!(ana.id));
    assert_eq!(
        admin.get(MADE).gives(200).json()["machine_tokens"],
        json!([])
    );
    machine(&server, &admin, "phone", &["events:write"]);
    other.post(OWN, asked()).gives(201);

    phone.get(OWN).names(403, "No machine token");
    let list = session.get(OWN).gives(200);
    assert_eq!(list.string("/machine_tokens/0/name"), "phone");
    assert!(list.json()["machine_tokens"][1].is_null());
    // They have a limit of their own, and make no room for sessions.
    session.post(OWN, asked()).gives(201);
    session.post(OWN, asked()).names(409, "already");
    for _ in 0..3 {
        ana.session().get("/v1/user").gives(200);
    }
    phone.report(&["ring"]).gives(201);

    let session = ana.session();
    let path = format!("{OWN}/{}", made.string("/id"));
    other.delete(&path).gives(404);
    session.delete(&path).gives(204);
    session.delete(&path).gives(404);
    phone.report(&["ring"]).gives(401);
    // Sessions are no machine tokens.
    let sessions = session.get("/v1/sessions").gives(200).json();
    let id = sessions["sessions"][0]["id"]
        .as_str()
        .unwrap_or("x")
        .to_owned();
    session.delete(&format!("{OWN}/{id}")).gives(404);
}
