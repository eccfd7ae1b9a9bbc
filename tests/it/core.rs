//! Core: access tokens as JWTs, and forgotten passwords.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};

use crate::harness::{Actor, Mail, PASSWORD, Request, Server, almost, days, hours, seconds};

fn log_in(server: &Server, password: &str) -> crate::harness::Answer {
    server.anyone().post(
        "/api/auth",
        json!({"email": "ana@example.org", "password": password}),
    )
}

fn graphql(actor: &Actor) -> crate::harness::Answer {
    actor.post("/api/graphql", json!({"query": "{ me { id } }"}))
}

fn reset_mail(server: &Server) -> Mail {
    server.anyone().ask_reset("ana@example.org");
    let mut mails = server.deliver_mails();
    assert_eq!(mails.len(), 1);
    mails.remove(0)
}

/// Refreshes an access token: an actor with its successor.
fn refreshed(actor: &Actor, server: &Server) -> Actor {
    server
        .anyone()
        .with_token(&actor.refresh().gives(200).string("/token"))
}

#[test]
fn a_token_is_given_and_taken_as_documented() {
    let server = Server::start();
    server.user("ana@example.org");
    let token = log_in(&server, PASSWORD).gives(200).string("/token");
    // The API's document shows the token as the whole value of the header.
    let ana = server.anyone().with_header("Authorization", &token);
    graphql(&ana).gives(501);
    let wrong = log_in(&server, "wrong").gives(401);
    assert_eq!(wrong.json(), json!({"error": "Not authorized"}));
    let unknown = json!({"email": "ben@example.org", "password": PASSWORD});
    server
        .anyone()
        .post("/api/auth", unknown)
        .fails(401, "Not authorized");
    let malformed = json!({"email": "nonsense", "password": PASSWORD});
    server
        .anyone()
        .post("/api/auth", malformed)
        .fails(401, "Not authorized");
    server
        .anyone()
        .post("/api/auth", json!({"email": "a@b.org"}))
        .names(400, "password");
    graphql(&server.anyone()).fails(401, "Not authorized");
    graphql(&server.anyone().with_token("made up")).fails(401, "Not authorized");
}

#[test]
fn an_access_token_is_a_jwt_that_others_can_verify() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let token = ana.access().token;
    let parts: Vec<&str> = token.split('.').collect();
    let [head, claims, signature] = parts[..] else {
        panic!("{token}")
    };
    let decode = |part: &str| BASE64.decode(part).unwrap();
    let head_json: Value = serde_json::from_slice(&decode(head)).unwrap();
    let claims_json: Value = serde_json::from_slice(&decode(claims)).unwrap();
    let keys = server
        .anyone()
        .get("/.well-known/jwks.json")
        .gives(200)
        .json();
    let key = &keys["keys"][0];
    assert_eq!(
        head_json,
        json!({"alg": "EdDSA", "typ": "JWT", "kid": key["kid"]})
    );
    assert_eq!(
        (&key["kty"], &key["crv"]),
        (&json!("OKP"), &json!("Ed25519"))
    );
    let now = server.now().seconds();
    assert_eq!(claims_json["iss"], "https://door.example.org");
    assert_eq!(claims_json["sub"], ana.id.as_str());
    assert_eq!(
        (&claims_json["iat"], &claims_json["exp"]),
        (&json!(now), &json!(now + 3600))
    );
    assert!(claims_json["jti"].is_string());
    let public = UnparsedPublicKey::new(&ED25519, decode(key["x"].as_str().unwrap()));
    public
        .verify(format!("{head}.{claims}").as_bytes(), &decode(signature))
        .unwrap();
    server.restart();
    assert_eq!(
        server
            .anyone()
            .get("/.well-known/jwks.json")
            .gives(200)
            .json(),
        keys
    );
}

#[test]
fn a_token_that_was_signed_anew_or_not_at_all_opens_nothing() {
    let server = Server::start();
    let token = server.user("ana@example.org").access().token;
    let (head, rest) = token.split_once('.').unwrap();
    let (claims, signature) = rest.split_once('.').unwrap();
    let none = BASE64.encode(r#"{"alg":"none","typ":"JWT"}"#);
    for forged in [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{head}.{claims}."),
        format!("{head}.{claims}.{signature}="),
        format!("{head}.{claims}"),
    ] {
        graphql(&server.anyone().with_token(&forged)).fails(401, "Not authorized");
    }
}

#[test]
fn an_access_token_lives_an_hour() {
    let server = Server::start();
    let access = server.user("ana@example.org").access();
    server.pass(almost(hours(1)));
    graphql(&access).gives(501);
    server.pass(seconds(1));
    graphql(&access).fails(401, "Token has expired");
}

#[test]
fn an_expired_token_is_refreshed_for_seven_days() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (one, two) = (ana.access(), ana.access());
    server.pass(almost(hours(1) + days(7)));
    server.sweep();
    let new = refreshed(&one, &server);
    graphql(&new).gives(501);
    server.pass(seconds(1));
    two.refresh().fails(401, "Not authorized");
    server.sweep();
    two.refresh().fails(401, "Not authorized");
    graphql(&new).gives(501);
    server.anyone().refresh().fails(401, "Not authorized");
    server
        .anyone()
        .with_token("made up")
        .refresh()
        .fails(401, "Not authorized");
}

#[test]
fn two_tabs_that_refresh_at_once_both_get_the_successor() {
    let server = Server::start();
    let old = server.user("ana@example.org").access();
    let new = refreshed(&old, &server);
    assert_ne!(new.token, old.token);
    server.pass(almost(seconds(10)));
    graphql(&old).gives(501);
    assert_eq!(old.refresh().gives(200).string("/token"), new.token);
    server.restart();
    assert_eq!(old.refresh().gives(200).string("/token"), new.token);
    server.pass(seconds(1));
    graphql(&old).fails(401, "Not authorized");
    graphql(&new).gives(501);
}

#[test]
fn refreshing_with_a_retired_token_ends_the_whole_family() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (first, bystander) = (ana.access(), ana.access());
    let second = refreshed(&first, &server);
    server.pass(seconds(60));
    let third = refreshed(&second, &server);
    server.pass(seconds(10));
    first.refresh().fails(401, "Not authorized");
    for member in [&first, &second, &third] {
        graphql(member).fails(401, "Not authorized");
        member.refresh().fails(401, "Not authorized");
    }
    graphql(&bystander).gives(501);
}

#[test]
fn logging_out_ends_the_family_even_with_an_expired_token() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let first = ana.access();
    let second = refreshed(&first, &server);
    let other = ana.access();
    server.pass(hours(2));
    second.delete("/api/auth").gives(204).empty();
    for member in [&first, &second] {
        member.refresh().fails(401, "Not authorized");
        graphql(member).fails(401, "Not authorized");
    }
    second.delete("/api/auth").fails(401, "Not authorized");
    server
        .anyone()
        .delete("/api/auth")
        .fails(401, "Not authorized");
    refreshed(&other, &server);
}

#[test]
fn a_logout_with_the_older_token_ends_its_successor_too() {
    let server = Server::start();
    let first = server.user("ana@example.org").access();
    let second = refreshed(&first, &server);
    first.delete("/api/auth").gives(204);
    graphql(&second).fails(401, "Not authorized");
    second.refresh().fails(401, "Not authorized");
}

#[test]
fn a_logout_with_the_newer_token_ends_the_older_one_within_its_grace() {
    let server = Server::start();
    let first = server.user("ana@example.org").access();
    let second = refreshed(&first, &server);
    let third = refreshed(&second, &server);
    third.delete("/api/auth").gives(204);
    for member in [&first, &second, &third] {
        graphql(member).fails(401, "Not authorized");
        member.refresh().fails(401, "Not authorized");
    }
}

#[test]
fn a_reset_mail_has_all_that_a_mail_needs() {
    let server = Server::with("server.name = \"The <Door>\"");
    server.user("Ana@Example.org");
    // Headers of the request must not decide where the link leads.
    let request = Request::new("POST", "/api/password")
        .header("Host", "evil.example")
        .header("X-Forwarded-Host", "evil.example")
        .body(json!({"email": "ana@example.org"}));
    server.anyone().send(request).gives(201).empty();
    let mail = server.deliver_mails().remove(0);
    assert_eq!(mail.header("From"), "\"The Door\" <door@example.org>");
    assert_eq!(mail.header("To"), "Ana@Example.org");
    assert_eq!(mail.header("Subject"), "Reset your The <Door> password");
    assert_eq!(mail.header("Date"), "Sun, 01 Mar 2026 12:00:00 +0000");
    let id = mail.header("Message-ID");
    assert!(id.starts_with('<') && id.ends_with("@example.org>"), "{id}");
    assert!(
        mail.link().starts_with("https://example.org/reset?code="),
        "{}",
        mail.link()
    );
    assert!(mail.text.contains("within 30 minutes") && mail.text.contains("Hello,"));
    assert!(mail.html.contains(&format!("href=\"{}\"", mail.link())));
    assert!(mail.html.contains("The &lt;Door&gt;") && !mail.html.contains("evil"));
}

#[test]
fn a_reset_code_works_once_and_ends_old_tokens() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (session, access, angen) = (ana.session(), ana.access(), ana.angen());
    let code = reset_mail(&server).code();
    session.get("/v1/user").gives(200);
    server
        .anyone()
        .redeem(&code, "a better password")
        .gives(200)
        .empty();
    server
        .anyone()
        .redeem(&code, "a third password")
        .fails(401, "Not authorized");
    session.get("/v1/user").fails(404, "SessionNotFound");
    access.refresh().fails(401, "Not authorized");
    angen.renew_pair().fails(401, "No token");
    log_in(&server, PASSWORD).fails(401, "Not authorized");
    log_in(&server, "a better password").gives(200);
}

#[test]
fn a_reset_code_ends_after_half_an_hour() {
    let server = Server::start();
    server.user("ana@example.org");
    let code = reset_mail(&server).code();
    server.pass(seconds(30 * 60));
    server
        .anyone()
        .redeem(&code, "a better password")
        .gives(401);
    let code = reset_mail(&server).code();
    server.pass(almost(seconds(30 * 60)));
    server.sweep();
    server.restart();
    server
        .anyone()
        .redeem(&code, "a better password")
        .gives(200);
}

#[test]
fn a_new_reset_code_replaces_the_earlier_one() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (first, second) = (reset_mail(&server).code(), reset_mail(&server).code());
    server
        .anyone()
        .redeem(&first, "a better password")
        .gives(401);
    let own = ana.session();
    server
        .anyone()
        .redeem(&second, "a better password")
        .gives(200);
    own.get("/v1/user").gives(404);
    // A code also ends when its owner changes the password or the address.
    let code = reset_mail(&server).code();
    let session = server
        .anyone()
        .log_in("ana@example.org", "a better password")
        .gives(201)
        .string("/id");
    let own = server.anyone().with_token(&session);
    let change = json!({"current_password": "a better password", "password": "the best password"});
    own.patch("/v1/user/password", change).gives(204);
    server.anyone().redeem(&code, "an evil password").gives(401);
    let code = reset_mail(&server).code();
    own.patch(
        "/v1/user",
        json!({"name": "Ana", "email": "anna@example.org"}),
    )
    .gives(204);
    server.anyone().redeem(&code, "an evil password").gives(401);
}

#[test]
fn a_password_that_will_not_do_does_not_use_the_code_up() {
    let server = Server::start();
    server.user("ana@example.org");
    let code = reset_mail(&server).code();
    let redeem = |password: &str, confirmation: &str| {
        let body =
            json!({"token": code, "password": password, "password_confirmation": confirmation});
        server.anyone().patch("/api/password", body)
    };
    let mismatch = "Password confirmation doesn't match Password";
    let short = "Password is too short (minimum is 8 characters)";
    assert_eq!(
        redeem("a better password", "another").gives(422).json(),
        json!({"errors": [mismatch]})
    );
    assert_eq!(
        redeem("short", "short").gives(422).json(),
        json!({"errors": [short]})
    );
    assert_eq!(
        redeem("short", "shorter").gives(422).json(),
        json!({"errors": [mismatch, short]})
    );
    let missing = json!({"token": code, "password": "a better password"});
    server
        .anyone()
        .patch("/api/password", missing)
        .fails(422, "Password confirmation is missing");
    server.anyone().redeem("unknown", "x").gives(401);
    server
        .anyone()
        .redeem(&code, "a better password")
        .gives(200);
}

#[test]
fn asking_for_a_mail_does_not_reveal_which_addresses_exist() {
    let server = Server::start();
    server.user("ana@example.org");
    let bodies = [
        "",
        "{",
        "null",
        "[]",
        "{}",
        r#"{"email":7}"#,
        r#"{"email":"nonsense"}"#,
        r#"{"email":"ben@example.org"}"#,
    ];
    let answers: Vec<_> = bodies
        .into_iter()
        .chain([r#"{"email":"ana@example.org"}"#])
        .map(|body| {
            let answer = server
                .anyone()
                .post("/api/password", body)
                .gives(201)
                .empty();
            let mut headers = answer.received.headers.clone();
            headers.retain(|(name, _)| name != "x-request-id" && name != "date");
            headers
        })
        .collect();
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    assert_eq!(
        server.deliver_mails().len(),
        1,
        "only an account gets a mail"
    );
}

#[test]
fn asked_twice_before_the_mail_leaves_one_mail_leaves() {
    let server = Server::start();
    server.user("ana@example.org");
    server.anyone().ask_reset("ana@example.org");
    server.anyone().ask_reset("ANA@example.org");
    server.restart();
    let mails = server.deliver_mails();
    assert_eq!(mails.len(), 1);
    assert!(server.deliver_mails().is_empty());
    server
        .anyone()
        .redeem(&mails[0].code(), "a better password")
        .gives(200);
}

#[test]
fn a_deleted_account_gets_no_mail_and_its_code_is_dead() {
    let server = Server::start();
    let session = server.user("ana@example.org").session();
    let code = reset_mail(&server).code();
    server.anyone().ask_reset("ana@example.org");
    session.delete("/v1/user").gives(204);
    assert!(server.deliver_mails().is_empty());
    server
        .anyone()
        .redeem(&code, "a better password")
        .gives(401);
}
