//! Which new passwords are refused.

use serde_json::json;

use crate::harness::{Actor, Answer, PASSWORD, Server};

/// Passwords that the account "Ana from Oslo" of ana.maria@example.org must not have, with the
/// reason.
const REFUSED: &[(&str, &str)] = &[
    ("short", "is too short (minimum is 8 characters)"),
    ("password", "is too common"),
    ("Password123", "is too common"),
    ("QWERTYUIOP", "is too common"),
    ("zzzzzzzzzzzzzzzzzzzz", "must not be one character repeated"),
    (
        "Ana.Maria@Example.org",
        "must not be the email address, nor the part before its @",
    ),
    (
        "ANA.MARIA",
        "must not be the email address, nor the part before its @",
    ),
    ("ana from oslo", "must not be the name"),
];

fn sign_up(server: &Server, password: &str) -> Answer {
    let body = json!({
        "name": "Ana from Oslo", "email": "ana.maria@example.org", "password": password,
    });
    server.anyone().post("/v1/user", body)
}

fn change(own: &Actor, current: &str, password: &str) -> Answer {
    let body = json!({"current_password": current, "password": password});
    own.patch("/v1/user/password", body)
}

#[test]
fn a_new_password_is_none_that_is_tried_first() {
    let server = Server::start();
    for (password, reason) in REFUSED {
        let reason = format!("password: {reason}");
        sign_up(&server, password).fails(400, &reason);
    }
    let session = sign_up(&server, PASSWORD).gives(201).string("/id");
    let own = server.anyone().with_token(&session);
    for (password, reason) in REFUSED {
        let reason = format!("password: {reason}");
        change(&own, PASSWORD, password).fails(400, &reason);
    }
    server.anyone().ask_reset("ana.maria@example.org");
    let code = server.deliver_mails().remove(0).code();
    for (password, reason) in REFUSED {
        let answer = server.anyone().redeem(&code, password).gives(422);
        assert_eq!(
            answer.json(),
            json!({"errors": [format!("Password {reason}")]})
        );
    }
    server
        .anyone()
        .redeem(&code, "ana.maria from oslo")
        .gives(200);
}

#[test]
fn common_passwords_are_allowed_where_the_owner_says_so_and_stay_good() {
    let allowing = "accounts.refuse_common_passwords = false";
    let server = Server::with(allowing);
    for (password, reason) in REFUSED
        .iter()
        .filter(|(_, reason)| *reason != "is too common")
    {
        sign_up(&server, password).names(400, reason);
    }
    sign_up(&server, "password").gives(201);
    server.restart_with("");
    let login = server.anyone().log_in("ana.maria@example.org", "password");
    let own = server.anyone().with_token(&login.gives(201).string("/id"));
    change(&own, "password", "password1").names(400, "is too common");
    change(&own, "password", PASSWORD).gives(204);
}
