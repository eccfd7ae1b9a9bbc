//! Tests that guesses of others do not lock an owner out, and that a thief gains nothing by that.

use serde_json::json;

use crate::harness::{Actor, Answer, PASSWORD, Server};

const HOME: &str = "192.0.2.1";
const AWAY: &str = "192.0.2.2";
/// No limit of the address, so that a test sees the limits of accounts alone.
const ANY_ADDRESS: &str = "limits.wrong_passwords = \"100000, then 1 per 1s\"";

/// A server with limits that believes whom a proxy names.
fn strict(more: &str) -> Server {
    Server::with(&format!(
        "limits.rates = true\nserver.trusted_proxies = [\"127.0.0.1\"]\n{more}"
    ))
}

fn from(server: &Server, address: &str) -> Actor {
    server.anyone().at_address(address)
}

/// Guesses until the guesser has to wait.
fn guess_until_refused(server: &Server, address: &str, email: &str) {
    let refused = (0..20).any(|_| from(server, address).log_in(email, "wrong").status() == 429);
    assert!(refused, "guesses are limited");
}

/// Changes the password of whoever holds this token.
#[track_caller]
fn change_password(holder: &Actor, current: &str) -> Answer {
    let body = json!({"current_password": current, "password": "another good password"});
    holder.patch("/v1/user/password", body)
}

#[test]
fn the_holder_of_a_token_changes_the_password_whatever_strangers_guess() {
    for limits in ["", ANY_ADDRESS] {
        let server = strict(limits);
        let ana = server.user("ana@example.org");
        let session = ana.session();
        guess_until_refused(&server, AWAY, &ana.email);
        // Even from where the guesses come from: an office has one address.
        change_password(&session.at_address(AWAY), PASSWORD).gives(204);
    }
}

#[test]
fn a_stolen_token_does_not_guess_the_password_and_delays_no_other_token() {
    let server = strict(ANY_ADDRESS);
    let ana = server.user("ana@example.org");
    let (own, stolen) = (ana.session(), ana.session());
    for _ in 0..5 {
        change_password(&stolen, "a guess").gives(401);
    }
    change_password(&stolen, "a guess").gives(429);
    change_password(&stolen, PASSWORD).gives(429);
    change_password(&own, PASSWORD).gives(204);
}

#[test]
fn an_exchange_of_a_token_gives_no_further_guesses() {
    let server = strict(ANY_ADDRESS);
    let ana = server.user("ana@example.org");
    let (pair, access) = (ana.angen(), ana.access());
    for stolen in [&pair, &access] {
        for _ in 0..5 {
            change_password(stolen, "a guess").gives(401);
        }
    }
    let renewed = pair.renew_pair().gives(201);
    let renewed = server
        .anyone()
        .with_token(&renewed.string("/token/identifier_code"));
    change_password(&renewed, "a guess").gives(429);
    let refreshed = access.refresh().gives(200).string("/token");
    let refreshed = server.anyone().with_token(&refreshed);
    change_password(&refreshed, "a guess").gives(429);
}

#[test]
fn an_address_that_logged_in_is_known_after_a_restart() {
    let server = strict(ANY_ADDRESS);
    let ana = server.user("ana@example.org");
    from(&server, HOME).log_in(&ana.email, PASSWORD).gives(201);
    server.restart_with(&format!(
        "limits.rates = true\nserver.trusted_proxies = [\"127.0.0.1\"]\n{ANY_ADDRESS}"
    ));
    guess_until_refused(&server, AWAY, &ana.email);
    from(&server, AWAY).log_in(&ana.email, PASSWORD).gives(429);
    from(&server, HOME).log_in(&ana.email, PASSWORD).gives(201);
}

#[test]
fn a_trusted_proxy_that_names_no_client_is_never_limited_itself() {
    let server = strict("");
    // More than any limit of an address allows.
    for n in 0..12 {
        let email = format!("user{n}@example.org");
        server.anyone().sign_up(&email).gives(201);
        from(&server, "_hidden").log_in(&email, "wrong").gives(401);
        server.anyone().redeem("a guess", PASSWORD).gives(401);
        server.anyone().ask_reset(&email);
    }
    assert_eq!(server.deliver_mails().len(), 12);
    for _ in 0..12 {
        server
            .anyone()
            .post("/login", json!({"password": "wrong"}))
            .gives(401);
    }
}
