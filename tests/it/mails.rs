//! What mails say, to whom they go, and when. The texts that an owner writes are in `templates`.

mod templates;

use doorward::service::Error;
use serde_json::json;

use crate::harness::{Actor, Answer, Mail, PASSWORD, Server, days, hours, seconds};

const NOTICES: &str = "mail.notices = true";
const BETTER: &str = "a better password";

/// Signs up with this name and address, and asks for a reset mail.
fn reset_mail(server: &Server, name: &str, email: &str) -> Mail {
    let body = json!({"name": name, "email": email, "password": PASSWORD});
    server.anyone().post("/v1/user", body).gives(201);
    server.anyone().ask_reset(email);
    server.deliver_mails().remove(0)
}

#[test]
fn a_mail_carries_no_name_that_somebody_else_chose() {
    let server = Server::start();
    let name = "You have won! Claim it at www.evil.example <b>now</b>";
    let mail = reset_mail(&server, name, "ana@example.org");
    for word in ["won", "evil", "Claim", "now"] {
        for part in [&mail.text, &mail.html, &mail.header("Subject")] {
            assert!(!part.contains(word), "{word} in {part}");
        }
    }
    assert_eq!(mail.header("To"), "ana@example.org");
}

#[test]
fn a_mail_names_the_domain_as_the_dns_does() {
    let server = Server::with("mail.from = \"Door <door@b\u{fc}cher.example>\"");
    for (address, to) in [
        ("Ana@m\u{fc}nchen.example", "Ana@xn--mnchen-3ya.example"),
        ("अ@हिन्दी.भारत", "अ@xn--j2bd4cyah0f.xn--h2brj9c"),
        ("u\u{308}@example.org", "\u{fc}@example.org"),
    ] {
        let mail = reset_mail(&server, "Ana", address);
        assert_eq!(mail.header("To"), to);
        assert_eq!(mail.header("From"), "Door <door@xn--bcher-kva.example>");
        let id = mail.header("Message-ID");
        assert!(id.ends_with("@xn--bcher-kva.example>"), "{id}");
    }
}

/// Changes the address of an account, and keeps its name.
fn move_to(session: &Actor, email: &str) -> Answer {
    session.patch("/v1/user", json!({"name": "Ana", "email": email}))
}

fn change_password(session: &Actor, current: &str, new: &str) -> Answer {
    let change = json!({"current_password": current, "password": new});
    session.patch("/v1/user/password", change)
}

/// Signs up with an invite.
fn join(server: &Server, email: &str, invite: &str) -> Answer {
    let body = json!({"name": "Ana", "email": email, "password": PASSWORD, "invite": invite});
    server.anyone().post("/v1/user", body)
}

#[test]
fn a_changed_password_is_reported_once_to_the_account_it_belongs_to() {
    let server = Server::with(NOTICES);
    let session = server.user("Ana@example.org").session();
    change_password(&session, "a wrong one", BETTER).gives(401);
    change_password(&session, PASSWORD, "short").gives(400);
    assert!(server.deliver_mails().is_empty(), "nothing has changed");

    change_password(&session, PASSWORD, BETTER).gives(204);
    server.pass(hours(1));
    let mails = server.deliver_mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.header("To"), "Ana@example.org");
    assert_eq!(mail.header("Subject"), "Your doorward password was changed");
    for part in [&mail.text, &mail.html] {
        assert!(
            part.contains("was changed on 2026-03-01 12:00 UTC"),
            "{part}"
        );
        assert!(!part.contains("http"), "a link teaches to click: {part}");
    }
    assert!(server.deliver_mails().is_empty());
}

#[test]
fn a_reset_password_is_reported_too() {
    let server = Server::with(NOTICES);
    server.user("ana@example.org");
    server.anyone().ask_reset("ana@example.org");
    let code = server.deliver_mails().remove(0).code();
    server.anyone().redeem("no code", BETTER).gives(401);
    server.anyone().redeem(&code, "short").gives(422);
    assert!(server.deliver_mails().is_empty());
    server.anyone().redeem(&code, BETTER).gives(200);
    let mail = server.deliver_mails().remove(0);
    assert_eq!(mail.header("Subject"), "Your doorward password was changed");
}

#[test]
fn a_changed_address_is_reported_to_the_old_one_without_the_new_one() {
    let server = Server::with(NOTICES);
    server.user("ben@example.org");
    let session = server.user("Ana@example.org").session();
    move_to(&session, "ben@example.org").gives(409);
    move_to(&session, "ANA@example.org").gives(204);
    assert!(server.deliver_mails().is_empty(), "it is the same address");

    move_to(&session, "mallory@evil.example").gives(204);
    let mails = server.deliver_mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.header("To"), "ANA@example.org");
    assert!(mail.header("Subject").contains("has a new e-mail address"));
    for part in [&mail.text, &mail.html] {
        assert!(part.contains("This address, ANA@example.org, no longer"));
        assert!(!part.contains("evil"), "{part}");
    }
}

#[test]
fn a_notice_waits_in_the_store_and_beside_a_reset() {
    let server = Server::with(NOTICES);
    let session = server.user("ana@example.org").session();
    server.anyone().ask_reset("ana@example.org");
    change_password(&session, PASSWORD, BETTER).gives(204);
    change_password(&session, BETTER, PASSWORD).gives(204);
    move_to(&session, "anna@example.org").gives(204);
    server.restart_with(NOTICES);
    let mut subjects: Vec<_> = server
        .deliver_mails()
        .iter()
        .map(|it| it.header("Subject"))
        .collect();
    subjects.sort();
    // The reset is for an address that no longer has an account.
    assert_eq!(
        subjects,
        [
            "Your doorward account has a new e-mail address",
            "Your doorward password was changed"
        ]
    );
}

#[test]
fn a_change_by_the_administrator_is_reported_to_the_owner_unless_he_says_no() {
    let server = Server::with(NOTICES);
    let (admin, ana) = (server.admin(), server.user("ana@example.org"));
    let one = format!("/api/admin/users/{}", ana.id);
    let password = format!("{one}/password");
    let subjects = || {
        let mails = server.deliver_mails();
        let line = |it: &Mail| format!("{}: {}", it.header("To"), it.header("Subject"));
        mails.iter().map(line).collect::<Vec<_>>()
    };
    let moved = json!({"email": "anna@example.org"});
    admin.patch(&one, moved).gives(200);
    assert_eq!(
        subjects(),
        ["ana@example.org: Your doorward account has a new e-mail address"]
    );
    admin
        .post(&password, json!({"password": BETTER}))
        .gives(204);
    assert_eq!(
        subjects(),
        ["anna@example.org: Your doorward password was changed"]
    );

    let quiet = json!({"password": PASSWORD, "notify": false});
    admin.post(&password, quiet).gives(204);
    let quiet = json!({"email": "ana@example.org", "notify": false});
    admin.patch(&one, quiet).gives(200);
    admin.patch(&one, json!({"name": "Ana María"})).gives(200);
    assert!(subjects().is_empty());
    let wrong = json!({"name": "Ana", "notify": "no"});
    admin.patch(&one, wrong).gives(400);
}

#[test]
fn notices_can_be_switched_off() {
    let server = Server::with("mail.notices = false");
    let session = server.user("ana@example.org").session();
    change_password(&session, PASSWORD, BETTER).gives(204);
    move_to(&session, "anna@example.org").gives(204);
    assert!(server.deliver_mails().is_empty());
}

#[test]
fn nobody_is_flooded_and_resets_do_not_keep_notices_away() {
    let server = Server::with("mail.notices = true\nlimits.rates = true");
    let session = server.user("ana@example.org").session();
    let mut resets = 0;
    for _ in 0..5 {
        server.anyone().ask_reset("ana@example.org");
        resets += server.deliver_mails().len();
    }
    assert_eq!(resets, 3);
    let mut notices = 0;
    for number in 0..5 {
        move_to(&session, &format!("m{number}@example.org")).gives(204);
        move_to(&session, "ana@example.org").gives(204);
        let mails = server.deliver_mails();
        notices += mails
            .iter()
            .filter(|it| it.header("To") == "ana@example.org")
            .count();
    }
    assert_eq!(notices, 3);
    server.pass(seconds(20 * 60));
    move_to(&session, "last@example.org").gives(204);
    assert_eq!(server.deliver_mails().len(), 1);
}

#[test]
fn an_invite_by_mail_opens_as_many_accounts_as_it_says() {
    let server = Server::with("accounts.invite_required = true");
    server.invite("Ana@example.org", 2, days(7)).unwrap();
    let mails = server.deliver_mails();
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.header("To"), "Ana@example.org");
    assert_eq!(mail.header("Subject"), "You are invited to doorward");
    let link = mail.link();
    assert!(
        link.starts_with("https://door.example.org/signup?invite="),
        "{link}"
    );
    assert!(mail.html.contains(&format!("href=\"{link}\"")));
    assert!(
        mail.text.contains("before 2026-03-08 12:00 UTC"),
        "{}",
        mail.text
    );

    server.restart_with("accounts.invite_required = true");
    join(&server, "ana@example.org", &mail.code()).gives(201);
    join(&server, "ben@example.org", &mail.code()).gives(201);
    join(&server, "cleo@example.org", &mail.code()).gives(404);
}

#[test]
fn an_invite_by_mail_ends_with_its_time_and_with_the_next_one() {
    let server = Server::with("accounts.invite_link = \"https://example.org/?join={code}\"");
    server.invite("ana@example.org", 1, hours(1)).unwrap();
    let first = server.deliver_mails().remove(0).code();
    server.invite("ANA@example.org", 1, hours(1)).unwrap();
    let second = server.deliver_mails().remove(0);
    assert!(second.link().starts_with("https://example.org/?join="));
    join(&server, "ana@example.org", &first).gives(404);
    server.pass(hours(1));
    join(&server, "ana@example.org", &second.code()).gives(404);
    server.sweep();
    join(&server, "ana@example.org", &second.code()).gives(404);
}

#[test]
fn an_invite_that_opens_nothing_is_not_sent() {
    let server = Server::with("accounts.signup = false");
    let refused = server.invite("ana@example.org", 1, hours(1));
    assert!(matches!(refused, Err(Error::SignupClosed)));
    assert!(server.deliver_mails().is_empty());
}
