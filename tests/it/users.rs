//! Accounts in the admin API.

use serde_json::{Value, json};

use crate::harness::{Actor, PASSWORD, Request, Server, User, seconds};
use crate::user_lists::{USERS, add, addresses};

fn with_tag(admin: &Actor, method: &str, path: &str, tag: &str, body: Value) -> u16 {
    let request = Request::new(method, path)
        .header("If-Match", tag)
        .body(body);
    admin.send(request).status()
}

#[test]
fn two_administrators_do_not_overwrite_each_other() {
    let server = Server::start();
    let admin = server.admin();
    let id = add(&admin, "Ana", "ana@example.org");
    let one = format!("{USERS}/{id}");
    let tag = |answer: crate::harness::Answer| answer.header("etag").unwrap().to_owned();
    let first = tag(admin.get(&one).gives(200));
    assert_eq!(
        with_tag(&admin, "PATCH", &one, &first, json!({"name": "Anna"})),
        200
    );
    assert_eq!(
        with_tag(&admin, "PATCH", &one, &first, json!({"name": "Ann"})),
        412
    );
    assert_eq!(with_tag(&admin, "DELETE", &one, &first, json!({})), 412);
    assert_eq!(
        with_tag(&admin, "PATCH", &one, "*", json!({"name": "Eva"})),
        200
    );
    assert_eq!(
        with_tag(
            &admin,
            "PATCH",
            &one,
            "\"none of ours\"",
            json!({"name": "x"})
        ),
        412
    );
    assert_eq!(
        with_tag(&admin, "PATCH", &one, "no quotes", json!({"name": "x"})),
        400
    );
    let second = tag(admin.get(&one).gives(200));
    assert_ne!(first, second);
    assert_eq!(with_tag(&admin, "DELETE", &one, &second, json!({})), 204);
}

#[test]
fn what_contradicts_other_accounts_names_the_field() {
    let server = Server::start();
    let admin = server.admin();
    let id = add(&admin, "Ana", "ana@example.org");
    add(&admin, "Ben", "ben@example.org");
    let one = format!("{USERS}/{id}");
    let taken = admin
        .patch(&one, json!({"email": "BEN@example.org"}))
        .gives(409)
        .json();
    assert_eq!(taken["error"]["code"], json!("email_taken"));
    assert_eq!(taken["error"]["field"], json!("email"));
    let again = json!({"name": "Ana", "email": "ana@example.org"});
    admin.post(USERS, again).gives(409);
    for (body, field) in [
        (json!({"name": "", "email": "new@example.org"}), "name"),
        (json!({"name": "New", "email": "new"}), "email"),
        (
            json!({"name": "New", "email": "new@example.org", "password": "short"}),
            "password",
        ),
        (json!({"email": "new@example.org"}), "name"),
    ] {
        let refused = admin.post(USERS, body).gives(400).json();
        assert_eq!(refused["error"]["field"], json!(field), "{refused}");
    }
}

fn log_in(server: &Server, email: &str, password: &str) -> u16 {
    let login = json!({"email": email, "password": password});
    server.anyone().post("/v1/auth", login).status()
}

#[test]
fn a_disabled_account_is_out_and_an_enabled_one_in_again() {
    let server = Server::start();
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let session = ana.session();
    let one = format!("{USERS}/{}", ana.id);
    admin.post(&format!("{one}/disable"), json!({})).gives(200);
    session.get("/v1/user").gives(404);
    assert_eq!(log_in(&server, "ana@example.org", PASSWORD), 401);
    assert_eq!(addresses(&admin, "disabled=true", 5), ["ana@example.org"]);
    assert_eq!(addresses(&admin, "disabled=false", 5), [""; 0]);
    let refused = admin.post(&format!("{one}/reset-link"), json!({}));
    refused.gives(409);
    let enabled = admin
        .post(&format!("{one}/enable"), json!({}))
        .gives(200)
        .json();
    assert_eq!(enabled["disabled"], json!(false));
    assert_eq!(log_in(&server, "ana@example.org", PASSWORD), 201);
    session.get("/v1/user").gives(404);
    admin
        .post(&format!("{USERS}/{}/disable", uuid::Uuid::nil()), json!({}))
        .gives(404);
}

#[test]
fn a_user_who_is_locked_out_gets_a_password_or_a_link_by_hand() {
    let server = Server::start();
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let session = ana.session();
    let one = format!("{USERS}/{}", ana.id);
    let password = json!({"password": "from the admin"});
    admin.post(&format!("{one}/password"), password).gives(204);
    session.get("/v1/user").gives(404);
    assert_eq!(log_in(&server, "ana@example.org", "from the admin"), 201);

    let day = json!({"lifetime_seconds": 86_400});
    let link = admin.post(&format!("{one}/reset-link"), day).gives(201);
    let code = link
        .string("/link")
        .rsplit_once("code=")
        .unwrap()
        .1
        .to_owned();
    server.pass(seconds(86_399));
    server.anyone().redeem(&code, "by the link").gives(200);
    server.anyone().redeem(&code, "once more").gives(401);
    assert_eq!(log_in(&server, "ana@example.org", "by the link"), 201);
    // Without a lifetime it is that of the configuration.
    let admin = server.admin();
    let link = admin
        .send(Request::new("POST", &format!("{one}/reset-link")))
        .gives(201);
    let code = link
        .string("/link")
        .rsplit_once("code=")
        .unwrap()
        .1
        .to_owned();
    server.pass(seconds(1_801));
    server.anyone().redeem(&code, "too late").gives(401);
    for seconds in [0, 59, 604_801] {
        let lifetime = json!({"lifetime_seconds": seconds});
        let refused = admin
            .post(&format!("{one}/reset-link"), lifetime)
            .gives(400)
            .json();
        assert_eq!(refused["error"]["field"], json!("lifetime_seconds"));
    }
}

#[test]
fn an_account_without_a_password_begins_with_a_reset() {
    let server = Server::start();
    let admin = server.admin();
    let new = json!({"name": "Ana", "email": "ana@example.org"});
    let id = admin.post(USERS, new).gives(201).string("/id");
    assert_eq!(log_in(&server, "ana@example.org", ""), 401);
    let link = admin
        .post(&format!("{USERS}/{id}/reset-link"), json!({}))
        .gives(201);
    let code = link
        .string("/link")
        .rsplit_once("code=")
        .unwrap()
        .1
        .to_owned();
    server.anyone().redeem(&code, "my own password").gives(200);
    assert_eq!(log_in(&server, "ana@example.org", "my own password"), 201);
}

/// Tokens of every kind that a user can have.
fn tokens_of(ana: &User) -> [Actor; 3] {
    [ana.session(), ana.access(), ana.angen()]
}

fn is_live(token: &Actor) -> bool {
    token.get("/v1/user").status() == 200
}

#[test]
fn the_tokens_of_an_account_end_all_or_all_but_one() {
    let server = Server::start();
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let tokens = tokens_of(&ana);
    let bystander = server.user("ben@example.org").session();
    let path = format!("{USERS}/{}/tokens", ana.id);
    let listed = admin.get(&path).gives(200).json();
    // With the session of the signup.
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 4);
    let angen = admin.get(&format!("{path}?kind=angen")).gives(200).json();
    let kept = angen["tokens"][0]["id"].as_str().unwrap().to_owned();
    admin.delete(&format!("{path}?except={kept}")).gives(204);
    assert_eq!(tokens.each_ref().map(is_live), [false, false, true]);
    let other = bystander.get("/v1/sessions").gives(200).json()[0]["id"].clone();
    admin
        .delete(&format!("{path}?except={}", other.as_str().unwrap()))
        .gives(404);
    admin.delete(&path).gives(204);
    assert!(!is_live(&tokens[2]) && is_live(&bystander));
    admin.delete(&format!("{path}?except=x")).gives(400);
}

#[test]
fn a_token_is_found_and_ended_by_its_public_id() {
    let server = Server::start();
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let session = ana.session();
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin
            .get(&format!("/api/admin/tokens?limit=1{cursor}"))
            .gives(200)
            .json();
        found.extend(page["tokens"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found.len(), 3);
    let text = serde_json::to_string(&found).unwrap();
    assert!(!text.contains(&session.token) && !text.contains(&admin.token));
    let own = found
        .iter()
        .find(|it| it["holder"] == json!("admin"))
        .unwrap();
    let own = format!("/api/admin/tokens/{}", own["id"].as_str().unwrap());
    let why = admin.delete(&own).gives(409).reason();
    assert!(why.contains("own=true"), "{why}");
    for token in found.iter().filter(|it| it["holder"] == json!(ana.id)) {
        let path = format!("/api/admin/tokens/{}", token["id"].as_str().unwrap());
        assert_eq!(admin.get(&path).gives(200).json()["status"], json!("live"));
        admin.delete(&path).gives(204);
        admin.get(&path).gives(404);
        admin.delete(&path).gives(404);
    }
    assert!(!is_live(&session));
    let of_hub = admin.get("/api/admin/tokens?holder=hub").gives(200).json();
    assert_eq!(of_hub["tokens"], json!([]));
    for (query, field) in [
        ("holder=me", "holder"),
        ("kind=key", "kind"),
        ("cursor=AA", "cursor"),
    ] {
        let refused = admin
            .get(&format!("/api/admin/tokens?{query}"))
            .gives(400)
            .json();
        assert_eq!(refused["error"]["field"], json!(field));
    }
    admin.delete(&format!("{own}?own=true")).gives(204);
    admin.get("/api/admin/tokens").gives(401);
}
