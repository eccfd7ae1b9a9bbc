//! Whatever ends a token ends it at the next request and everywhere: at every route of every API,
//! for a successor, and in what services behind are told.

use serde_json::{Value, json};

use crate::harness::{Actor, PASSWORD, Server, User, days, hours};
use crate::permissions::{Shows, needs, refusal, request};

const SETTINGS: &str = "tokens.user_machine_tokens = true";
const NEW_PASSWORDS: &str = "tokens.user_machine_tokens = true\n\
                             hub.passwords = [\"the second one\"]\nadmin.password = \"the second one\"";

/// Whether a service behind is told that the token is live.
fn is_active(admin: &Actor, token: &Actor) -> bool {
    let told = admin.post("/api/admin/introspect", json!({"token": token.token}));
    told.gives(200).json()["active"] == true
}

#[track_caller]
fn all_live(admin: &Actor, tokens: &[Actor]) {
    for token in tokens {
        assert!(token.is_let_in() && is_active(admin, token));
    }
}

/// Every route refuses these tokens as it refuses one that was ended.
#[track_caller]
fn all_ended(server: &Server, admin: &Actor, tokens: &[Actor]) {
    for token in tokens {
        for served in &server.served().routes {
            let expected = refusal(served.api.name, needs(served), Shows::Ended);
            if let Some(expected) = expected {
                let status = token.send(request(served)).status();
                assert_eq!(status, expected, "{}", served.route.name);
            }
        }
        assert!(!is_active(admin, token));
        let shown = format!("/api/token?token={}", token.token);
        assert_eq!(token.get(&shown).gives(200).json()["valid"], false);
        // Core: it has no successor. Angen: neither has an ended pair.
        for successor in [token.refresh(), token.renew_pair()] {
            assert!((400..500).contains(&successor.status()));
        }
    }
}

/// A token of each kind that a user can have.
fn tokens_of(server: &Server, user: &User) -> Vec<Actor> {
    let session = user.session();
    let machine = session.post("/v1/machine-tokens", json!({"name": "phone"}));
    let machine = server
        .anyone()
        .with_token(&machine.gives(201).string("/token"));
    vec![session, user.access(), user.angen(), machine]
}

fn post(admin: &Actor, user: &User, what: &str, body: Value) {
    let path = format!("/api/admin/users/{}/{what}", user.id);
    let status = admin.post(&path, body).status();
    assert!((200..300).contains(&status), "{what}: {status}");
}

/// The public ids of the live tokens of a holder.
fn ids(admin: &Actor, holder: &str) -> Vec<String> {
    let page = admin
        .get(&format!("/api/admin/tokens?holder={holder}"))
        .gives(200)
        .json();
    let tokens = page["tokens"].as_array().unwrap().clone();
    tokens
        .iter()
        .map(|it| it["id"].as_str().unwrap().to_owned())
        .collect()
}

fn end_by_id(admin: &Actor, holder: &str) {
    for id in ids(admin, holder) {
        admin.delete(&format!("/api/admin/tokens/{id}")).gives(204);
    }
}

/// What ends all tokens of a user.
type Road = fn(&Server, &Actor, &User);

const ROADS: [(&str, Road); 10] = [
    ("each by its id", |_, admin, ana| end_by_id(admin, &ana.id)),
    ("all", |_, admin, ana| {
        admin
            .delete(&format!("/api/admin/users/{}/tokens", ana.id))
            .gives(204);
    }),
    ("a password of the administrator", |_, admin, ana| {
        post(admin, ana, "password", json!({"password": "by the admin"}));
    }),
    ("disabling", |_, admin, ana| {
        post(admin, ana, "disable", json!({}));
    }),
    ("disabling by an edit", |_, admin, ana| {
        let path = format!("/api/admin/users/{}", ana.id);
        admin.patch(&path, json!({"disabled": true})).gives(200);
    }),
    ("deletion", |_, admin, ana| {
        admin
            .delete(&format!("/api/admin/users/{}", ana.id))
            .gives(204);
    }),
    ("a reset", |server, _, ana| {
        server.anyone().ask_reset(&ana.email);
        let code = server.deliver_mails()[0].code();
        server
            .anyone()
            .redeem(&code, "a better password")
            .gives(200);
    }),
    ("a new password of one's own", |_, _, ana| {
        let body = json!({"current_password": PASSWORD, "password": "a better password"});
        ana.session().patch("/v1/user/password", body).gives(204);
    }),
    ("each from the list of one's own", |_, _, ana| {
        let session = ana.session();
        let list = session.get("/v1/sessions").gives(200).json();
        let others = list
            .as_array()
            .unwrap()
            .iter()
            .filter(|it| it["current"] == false);
        for listed in others {
            session
                .delete(&format!("/v1/session/{}", listed["id"].as_str().unwrap()))
                .gives(204);
        }
    }),
    ("one's own deletion", |_, _, ana| {
        ana.session().delete("/v1/user").gives(204);
    }),
];

#[test]
fn every_road_ends_the_tokens_of_a_user() {
    for (name, road) in ROADS {
        println!("by {name}");
        let server = Server::with(SETTINGS);
        let (admin, ana) = (server.admin(), server.user("ana@example.org"));
        let bystander = tokens_of(&server, &server.user("ben@example.org"));
        let tokens = tokens_of(&server, &ana);
        all_live(&admin, &tokens);
        road(&server, &admin, &ana);
        all_ended(&server, &admin, &tokens);
        all_live(&admin, &bystander);
        // A restart brings none of them back.
        server.restart_with(SETTINGS);
        all_ended(&server, &server.admin(), &tokens);
        all_live(&server.admin(), &bystander);
    }
}

#[test]
fn whoever_has_a_token_can_end_it() {
    let server = Server::with(SETTINGS);
    let admin = server.admin();
    for path in ["/api/auth", "/api/token"] {
        let ana = server.user(&format!("{}@example.org", path.len()));
        let mut tokens = tokens_of(&server, &ana);
        tokens.extend([server.hub(), server.admin()]);
        for token in &tokens {
            let status = token.delete(path).status();
            assert!((200..300).contains(&status), "{path}: {status}");
        }
        all_ended(&server, &admin, &tokens);
    }
}

#[test]
fn another_configured_password_ends_the_tokens_of_the_one_before() {
    let server = Server::with(SETTINGS);
    let tokens = [server.hub(), server.admin()];
    let user = server.user("ana@example.org").session();
    all_live(&tokens[1], &tokens);
    server.reload(NEW_PASSWORDS);
    let login = json!({"username": "admin", "password": "the second one"});
    let login = server.anyone().post("/api/token", login).gives(200);
    let admin = server.anyone().with_token(&login.string("/token"));
    all_ended(&server, &admin, &tokens);
    all_live(&admin, &[user]);
}

#[test]
fn tokens_of_the_hub_the_administrator_and_machines_end_by_their_ids() {
    let server = Server::with(SETTINGS);
    let admin = server.admin();
    let hub = [server.hub(), server.hub()];
    end_by_id(&admin, "hub");
    all_ended(&server, &admin, &hub);
    let other = [server.admin()];
    for id in ids(&admin, "admin") {
        // The one in use is not ended by mistake.
        admin.delete(&format!("/api/admin/tokens/{id}"));
    }
    all_ended(&server, &admin, &other);

    let ana = server.user("ana@example.org");
    let make = |name: &str, user: Option<&str>| {
        let scopes = ["admin", "events:write"];
        let asked = json!({"name": name, "scopes": scopes, "user_id": user});
        let made = admin.post("/api/admin/machine-tokens", asked).gives(201);
        (
            made.string("/id"),
            server.anyone().with_token(&made.string("/token")),
        )
    };
    let (gone, rotated, follows) = (
        make("gone", None),
        make("rotated", None),
        make("follows", Some(&ana.id)),
    );
    let path = |id: &str| format!("/api/admin/machine-tokens/{id}");
    admin.delete(&path(&gone.0)).gives(204);
    all_ended(&server, &admin, &[gone.1]);
    let overlap = json!({"overlap_seconds": 3_600});
    admin
        .post(&format!("{}/rotate", path(&rotated.0)), overlap)
        .gives(201);
    assert!(is_active(&admin, &rotated.1));
    server.pass(hours(1));
    all_ended(&server, &admin, &[rotated.1]);
    assert!(is_active(&admin, &follows.1));
    post(&admin, &ana, "disable", json!({}));
    all_ended(&server, &admin, &[follows.1]);
}

#[test]
fn a_stolen_access_token_ends_with_its_login() {
    let server = Server::with(SETTINGS);
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let first = ana.access();
    let second = server
        .anyone()
        .with_token(&first.refresh().gives(200).string("/token"));
    let other = [ana.access()];
    server.pass(hours(1) / 2);
    first.refresh().gives(401);
    all_ended(&server, &admin, &[first, second]);
    all_live(&admin, &other);
    // Time ends the rest.
    server.pass(days(40));
    assert!(!is_active(&server.admin(), &other[0]));
}
