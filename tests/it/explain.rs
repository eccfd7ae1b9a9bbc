//! Explanations: what a token, a code, an address or a request is, and why it is not accepted.

use serde_json::{Value, json};

use crate::harness::{Actor, PASSWORD, PROXYS_REQUEST_ID, Server, seconds};

/// The explanation that the administrator gets.
fn explain(server: &Server, query: &str) -> Value {
    let admin = server.admin();
    admin
        .get(&format!("/api/admin/explain?{query}"))
        .gives(200)
        .json()
}

fn sentence(explained: &Value) -> &str {
    explained["explanation"].as_str().unwrap()
}

#[track_caller]
fn says(server: &Server, query: &str, accepted: bool, expected: &str) -> Value {
    let explained = explain(server, query);
    assert!(sentence(&explained).contains(expected), "{explained}");
    assert_eq!(explained["accepted"], json!(accepted), "{explained}");
    explained
}

#[test]
fn a_token_is_explained_from_its_issue_to_long_after_its_end() {
    let server =
        Server::with("tokens.remember_ended = \"2d\"\ntokens.session_idle_lifetime = \"1d\"");
    let ana = server.user("ana@example.org");
    let session = ana.session();
    let token = format!("token={}", session.token);
    let live = says(
        &server,
        &token,
        true,
        "a session of ana@example.org, accepted: issued 0 s ago",
    );
    assert_eq!(
        (&live["subject"], &live["user_id"]),
        (&json!("session"), &json!(ana.id))
    );
    assert_eq!(live["token"]["address"], json!("127.0.0.1"));
    // Looking it up is no use of it.
    server.pass(seconds(100));
    says(&server, &token, true, "last used 100 s ago");
    says(&server, &token, true, "last used 100 s ago");

    server.pass(seconds(86_400));
    says(&server, &token, false, "expired 100 s ago");
    server.sweep();
    let ended = says(
        &server,
        &token,
        false,
        "a session of ana@example.org, expired 100 s ago",
    );
    assert_eq!(ended["ended"]["reason"], json!("expired"));
    server.pass(seconds(3 * 86_400));
    server.sweep();
    let gone = says(
        &server,
        &token,
        false,
        "unknown: never issued here, or gone for more than 2 days",
    );
    assert_eq!(gone["subject"], json!("unknown"));
}

#[test]
fn every_end_of_a_token_has_its_reason() {
    let server = Server::with("tokens.per_user = 3");
    let ana = server.user("ana@example.org");
    let session = || {
        server.pass(seconds(1));
        ana.session()
    };
    let (first, second, third) = (session(), session(), session());
    let of = |actor: &Actor| format!("token={}", actor.token);
    // The fourth makes room; the session of the signup went first.
    let fourth = session();
    let gone = explain(&server, &of(&first));
    assert_eq!(gone["ended"]["reason"], json!("made_room"), "{gone}");

    let sessions = second.get("/v1/sessions").gives(200).json();
    let other = sessions
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["current"] == json!(false));
    let id = other.unwrap()["id"].as_str().unwrap().to_owned();
    second.delete(&format!("/v1/session/{id}")).gives(204);
    let ended = [&third, &fourth].map(|it| explain(&server, &of(it)));
    let by_holder = ended
        .iter()
        .find(|it| it["accepted"] == json!(false))
        .unwrap();
    assert_eq!(by_holder["ended"]["reason"], json!("ended"), "{by_holder}");
    assert!(sentence(by_holder).contains("by its holder"), "{by_holder}");

    let change = json!({"current_password": PASSWORD, "password": "another password"});
    second.patch("/v1/user/password", change).gives(204);
    let left = if ended[0]["accepted"] == json!(true) {
        &third
    } else {
        &fourth
    };
    says(
        &server,
        &of(left),
        false,
        "ended 0 s ago with all others: change_password by its holder",
    );
    let admin = server.admin();
    server
        .anyone()
        .with_token(&admin.token)
        .delete("/api/token")
        .gives(200);
    says(
        &server,
        &of(&admin),
        false,
        "a token of the administrator, logged out 0 s ago",
    );
    second.delete("/v1/user").gives(204);
    says(
        &server,
        &of(&second),
        false,
        "an account that was deleted 0 s ago",
    );
}

#[test]
fn an_access_token_is_exchanged_and_its_reuse_ends_the_login() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let holder = ana.access();
    holder.refresh().gives(200);
    let token = format!("token={}", holder.token);
    says(
        &server,
        &token,
        true,
        "exchanged 0 s ago: it is accepted for some seconds more",
    );
    server.pass(seconds(14));
    says(&server, &token, false, "exchanged 14 s ago for another");
    holder.refresh().gives(401);
    says(
        &server,
        &token,
        false,
        "was used again 0 s ago, which ended the login",
    );
}

#[test]
fn reset_codes_say_whether_they_were_used_or_replaced() {
    let server = Server::start();
    server.user("ana@example.org");
    let mailed = || {
        server.anyone().ask_reset("ana@example.org");
        server.deliver_mails()[0].code()
    };
    let first = mailed();
    says(
        &server,
        &format!("code={first}"),
        true,
        "a reset code of ana@example.org, good for another 30 min",
    );
    let second = mailed();
    says(
        &server,
        &format!("code={first}"),
        false,
        "replaced by a later one 0 s ago",
    );
    server.anyone().redeem(&second, "a new password").gives(200);
    says(&server, &format!("code={second}"), false, "used 0 s ago");
    says(&server, "code=nonsense", false, "unknown");
}

#[test]
fn an_address_says_who_waits_and_a_request_what_it_did() {
    let server = Server::with("limits.rates = true\nserver.trusted_proxies = [\"127.0.0.1\"]");
    let ana = server.user("ana@example.org");
    let home = server.anyone().at_address("192.0.2.1");
    let login = |password: &str| json!({"email": "ana@example.org", "password": password});
    home.post("/v1/auth", login(PASSWORD)).gives(201);
    for number in 0..6 {
        // The sixth has to wait for a second.
        server.pass(seconds(1));
        let stranger = server.anyone().at_address(&format!("198.51.100.{number}"));
        stranger.post("/v1/auth", login("wrong")).gives(401);
    }
    let explained = says(
        &server,
        "email=ana@example.org",
        true,
        "6 wrong passwords from 6 networks in the last day; strangers: wait 2 s",
    );
    assert!(
        sentence(&explained).contains("192.0.2.1: no wait"),
        "{explained}"
    );
    let strangers = &explained["waits"][0];
    assert_eq!(
        (&strangers["network"], &strangers["wrong_passwords"]),
        (&Value::Null, &json!(6))
    );
    assert_eq!(explained["user_id"], json!(ana.id));
    says(
        &server,
        "email=nobody@example.org",
        false,
        "no account has the address nobody@example.org",
    );

    let request = home.with_header("X-Request-Id", PROXYS_REQUEST_ID);
    request.post("/v1/auth", login("wrong")).gives(401);
    let told = says(
        &server,
        &format!("request={PROXYS_REQUEST_ID}"),
        false,
        "log_in by anonymous at",
    );
    assert_eq!(told["entries"][0]["outcome"], json!("wrong_password"));
    says(
        &server,
        "request=another",
        false,
        "holds nothing of this request",
    );
    let admin = server.admin();
    for (query, field) in [
        ("", "token"),
        ("?token=a&code=b", "code"),
        ("?email=x", "email"),
    ] {
        let answer = admin.get(&format!("/api/admin/explain{query}")).gives(400);
        assert_eq!(answer.json()["error"]["field"], json!(field), "{query}");
    }
}
