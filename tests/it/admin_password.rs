//! The passwords of the administrator and the hub: generated or configured, replaced, and when the
//! tokens of an earlier one end.

use doorward::model::{AuditContext, Principal};
use serde_json::json;

use crate::harness::{ADMIN_PASSWORD, Answer, Server, race};

/// Settings without a password for the administrator: the server generates one.
const GENERATED: &str = "# admin.password";
/// The key of the record with the hash of the generated password.
const ADMIN_HASH_KEY: &[u8] = &[b'M', 17];

fn log_in(server: &Server, password: &str) -> Answer {
    let login = json!({"username": "admin", "password": password});
    server.anyone().post("/api/token", login)
}

fn is_valid(server: &Server, token: &str) -> bool {
    let path = format!("/api/token?token={token}");
    server.anyone().get(&path).gives(200).json()["valid"] == json!(true)
}

fn reset(server: &Server) -> Option<String> {
    let services = server.services();
    let made = server.run(async move {
        {
            let by = AuditContext::server(services.now());
            services.reset_admin_password(by).await
        }
    });
    made.unwrap().map(|it| it.reveal().to_owned())
}

#[test]
fn another_admin_password_ends_the_tokens_of_the_old_one() {
    let server = Server::start();
    let (admin, hub) = (server.admin(), server.hub());
    server.restart();
    assert!(is_valid(&server, &admin.token));
    server.restart_with(r#"admin.password = "a new password""#);
    assert!(!is_valid(&server, &admin.token) && hub.is_let_in());
    server.restart();
    assert!(
        !is_valid(&server, &admin.token),
        "going back does not bring them back"
    );
}

#[test]
fn another_hub_password_ends_the_tokens_of_the_old_ones() {
    let server = Server::start();
    let (admin, hub) = (server.admin(), server.hub());
    server.restart_with(r#"hub.passwords = ["the other one"]"#);
    assert!(!hub.is_let_in() && is_valid(&server, &admin.token));
    server.restart_with("hub.passwords = []");
    server.restart();
    assert!(!hub.is_let_in() && server.hub().is_let_in());
}

#[test]
fn tokens_of_an_old_password_are_refused_also_when_many_are_shown_at_once() {
    let server = Server::start();
    let (admin, hub) = (server.admin(), server.hub());
    server.restart_with("admin.password = \"a new password\"\nhub.passwords = [\"a new one\"]");
    let let_in = race(8, |number| match number % 2 {
        0 => is_valid(&server, &admin.token),
        _ => hub.is_let_in(),
    });
    assert_eq!(let_in, [false; 8]);
    let token = log_in(&server, "a new password")
        .gives(200)
        .string("/token");
    assert!(is_valid(&server, &token) && !is_valid(&server, &admin.token));
}

#[test]
fn a_password_under_which_nothing_was_checked_ends_no_tokens() {
    let server = Server::start();
    let admin = server.admin();
    server.restart_with(r#"admin.password = "a new password""#);
    server.restart();
    assert!(is_valid(&server, &admin.token));
    server.restart_with(r#"admin.password = "a new password""#);
    log_in(&server, ADMIN_PASSWORD).fails(401, "invalid credentials");
    server.restart();
    assert!(!is_valid(&server, &admin.token));
}

#[test]
fn another_cost_of_hashes_is_no_other_password() {
    let server = Server::start();
    let (admin, hub) = (server.admin(), server.hub());
    server.restart_with("accounts.hash_passes = 2\naccounts.hash_memory = \"2MiB\"");
    assert!(is_valid(&server, &admin.token) && hub.is_let_in());
}

#[test]
fn the_fingerprint_of_a_password_is_made_when_it_is_first_needed() {
    let server = Server::start();
    let known = |holder| {
        let store = server.store();
        server.run(async move { store.find_fingerprint(holder).await.unwrap() })
    };
    server.user("ana@example.org");
    assert_eq!(
        (known(Principal::Admin), known(Principal::Hub)),
        (None, None)
    );
    server.admin();
    let made = known(Principal::Admin).unwrap();
    assert!(made.starts_with("$argon2id$") && known(Principal::Hub).is_none());
    server.restart();
    server.admin();
    assert_eq!(known(Principal::Admin), Some(made));
}

#[test]
fn without_a_password_the_first_start_makes_one_that_stays() {
    let server = Server::with(GENERATED);
    let made = server.announced().unwrap();
    let token = log_in(&server, &made).gives(200).string("/token");
    log_in(&server, "").fails(401, "invalid credentials");
    server.restart_with(GENERATED);
    assert_eq!(server.announced(), None);
    log_in(&server, &made).gives(200);
    assert!(is_valid(&server, &token));
}

#[test]
fn a_damaged_hash_of_the_generated_password_is_replaced_and_ends_its_tokens() {
    let server = Server::with(GENERATED);
    let first = server.announced().unwrap();
    let token = log_in(&server, &first).gives(200).string("/token");
    server.restart_with_damage(ADMIN_HASH_KEY, GENERATED);
    let second = server.announced().unwrap();
    log_in(&server, &first).fails(401, "invalid credentials");
    assert!(!is_valid(&server, &token));
    let token = log_in(&server, &second).gives(200).string("/token");
    server.restart_with(GENERATED);
    assert!(server.announced().is_none() && is_valid(&server, &token));
}

#[test]
fn a_reset_password_is_in_force_at_once_and_ends_the_tokens_of_the_old_one() {
    let server = Server::with(GENERATED);
    let first = server.announced().unwrap();
    let (token, hub) = (
        log_in(&server, &first).gives(200).string("/token"),
        server.hub(),
    );
    let second = reset(&server).unwrap();
    assert!(second.len() == 20 && second != first);
    assert!(!is_valid(&server, &token) && hub.is_let_in());
    log_in(&server, &first).fails(401, "invalid credentials");
    let token = log_in(&server, &second).gives(200).string("/token");
    server.restart_with(GENERATED);
    assert!(server.announced().is_none() && is_valid(&server, &token));
    log_in(&server, &second).gives(200);
}

#[test]
fn a_configured_password_is_not_reset_and_keeps_its_tokens() {
    let server = Server::start();
    let admin = server.admin();
    assert_eq!(reset(&server), None);
    assert!(is_valid(&server, &admin.token));
    server.admin();
}

#[test]
fn other_passwords_come_into_force_while_the_server_runs() {
    let server = Server::start();
    let (admin, hub) = (server.admin(), server.hub());
    server.reload("hub.passwords = [\"a new one\"]");
    assert!(is_valid(&server, &admin.token) && !hub.is_let_in());
    // Nothing is stored to take the place of a password that is taken out.
    server.reload("# admin.password");
    assert!(is_valid(&server, &admin.token));
    server.reload("admin.password = \"a new password\"");
    assert!(!is_valid(&server, &admin.token));
    log_in(&server, ADMIN_PASSWORD).fails(401, "invalid credentials");
    let token = log_in(&server, "a new password")
        .gives(200)
        .string("/token");
    assert!(is_valid(&server, &token));
}
