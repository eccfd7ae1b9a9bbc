//! The keys that sign access tokens, and the key set by which others verify them.

use std::future::Future;
use std::task::{Context, Waker};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use doorward::model::AuditContext;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::harness::{Actor, Server, hours, seconds};
use crate::wire::moment::PATIENCE;

const KEYS: &str = "/api/admin/signing-keys";
const NEXT: &str = "/api/admin/signing-key/next";
const ROTATE: &str = "/api/admin/signing-key/rotate";

/// Whether somebody with the present key set accepts the signature of a token.
fn verifies(server: &Server, token: &str) -> bool {
    let set = server
        .anyone()
        .get("/.well-known/jwks.json")
        .gives(200)
        .json();
    let (text, signature) = token.rsplit_once('.').unwrap();
    let decode = |part: &str| BASE64.decode(part).unwrap();
    let head: Value = serde_json::from_slice(&decode(text.split('.').next().unwrap())).unwrap();
    let keys = set["keys"].as_array().unwrap();
    keys.iter()
        .filter(|key| key["kid"] == head["kid"])
        .any(|key| {
            let public = UnparsedPublicKey::new(&ED25519, decode(key["x"].as_str().unwrap()));
            public.verify(text.as_bytes(), &decode(signature)).is_ok()
        })
}

fn statuses(admin: &Actor) -> Vec<String> {
    let keys = admin.get(KEYS).gives(200).json();
    let keys = keys["signing_keys"].as_array().unwrap().clone();
    keys.iter()
        .map(|key| key["status"].as_str().unwrap().to_owned())
        .collect()
}

fn id(admin: &Actor, index: usize) -> String {
    admin
        .get(KEYS)
        .gives(200)
        .string(&format!("/signing_keys/{index}/id"))
}

#[test]
fn a_rotation_leaves_no_token_without_its_key() {
    let server = Server::start();
    let admin = server.admin();
    let ana = server.user("ana@example.org");
    let before = ana.access().token;
    assert_eq!(statuses(&admin), ["current"]);

    // The next key is in the key set before it signs, and stays the same.
    admin.post(NEXT, "").gives(201);
    let next = id(&admin, 1);
    admin.post(NEXT, "").gives(201);
    assert_eq!(
        (statuses(&admin), id(&admin, 1)),
        (vec!["current".into(), "next".into()], next.clone())
    );
    let set = server
        .anyone()
        .get("/.well-known/jwks.json")
        .gives(200)
        .json();
    assert_eq!(set["keys"][1]["kid"], json!(next));

    let rotated = admin.post(ROTATE, "").gives(200);
    assert_eq!(rotated.string("/signing_keys/0/id"), next);
    assert_eq!(
        rotated.string("/signing_keys/1/until"),
        server.now().after(hours(1) + seconds(60)).rfc3339_millis()
    );
    let after = ana.access().token;
    assert!(verifies(&server, &before) && verifies(&server, &after));
    let other = ana.access();
    let token = other.token.clone();
    server.restart();
    assert!(verifies(&server, &before) && verifies(&server, &token));

    server.pass(hours(1) + seconds(60));
    assert!(!verifies(&server, &before));
    assert_eq!(statuses(&server.admin()), ["current"]);
    let log = server
        .admin()
        .get("/api/admin/audit?action=rotate_signing_key")
        .gives(200);
    assert_eq!(log.string("/entries/0/actor"), "admin");
}

#[test]
fn a_refresh_that_is_repeated_after_a_rotation_gets_the_same_token() {
    let server = Server::start();
    let admin = server.admin();
    let old = server.user("ana@example.org").access();
    let refresh = || {
        old.post("/api/auth/refresh", "")
            .gives(200)
            .string("/token")
    };
    let first = refresh();
    admin.post(ROTATE, "").gives(200);
    server.pass(seconds(5));
    assert_eq!(refresh(), first);
    // Its key is gone: the server does not sign with one that was taken out.
    admin
        .delete(&format!("{KEYS}/{}", id(&admin, 1)))
        .gives(204);
    old.post("/api/auth/refresh", "").gives(401);
}

#[test]
fn a_key_that_leaked_is_taken_out_at_once_and_the_one_in_use_is_not() {
    let server = Server::start();
    let admin = server.admin();
    let token = server.user("ana@example.org").access();
    let leaked = format!("{KEYS}/{}", id(&admin, 0));
    admin.delete(&leaked).names(409, "rotate first");
    admin.post(ROTATE, "").gives(200);
    assert!(verifies(&server, &token.token));
    admin.delete(&leaked).gives(204);
    admin.delete(&leaked).gives(404);
    assert!(!verifies(&server, &token.token));
    // The server itself looks tokens up, whoever signed them.
    token.post("/api/graphql", json!({})).gives(501);
}

#[test]
fn a_rotation_whose_request_goes_away_is_in_force() {
    let server = Server::start();
    let admin = server.admin();
    let (services, before) = (server.services(), id(&admin, 0));
    let now = server.now();
    server.run(async move {
        {
            let rotation = std::pin::pin!(services.rotate_key(AuditContext::server(now)));
            let mut context = Context::from_waker(Waker::noop());
            assert!(rotation.poll(&mut context).is_pending());
        }
        let rotated = async {
            while services.list_keys(now).len() < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, rotated).await.unwrap();
    });
    admin.post(NEXT, "").gives(201);
    assert_eq!(statuses(&admin), ["current", "next", "old"]);
    assert_eq!(id(&admin, 2), before);
}

#[test]
fn a_key_stays_as_long_as_the_longest_of_its_tokens() {
    let server = Server::with("tokens.access_lifetime = \"23h\"");
    let token = server.user("ana@example.org").access();
    server.reload("tokens.access_lifetime = \"5m\"");
    let admin = server.admin();
    admin.post(ROTATE, "").gives(200);
    server.pass(hours(22));
    assert!(verifies(&server, &token.token));
    server.pass(hours(2));
    assert!(!verifies(&server, &token.token));
}

#[test]
fn a_clock_that_is_ahead_takes_no_key_away() {
    let server = Server::start();
    let token = server.user("ana@example.org").access();
    server.admin().post(ROTATE, "").gives(200);
    server.clock.set_ahead(hours(3));
    server.admin().post(NEXT, "").gives(201);
    server.clock.set_right();
    assert!(verifies(&server, &token.token));
}
