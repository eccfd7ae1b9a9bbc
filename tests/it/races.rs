//! Many requests at once: where only one may succeed, exactly one does.

use serde_json::json;

use crate::harness::{PASSWORD, Server, race, seconds};

const RACERS: usize = 8;

fn winners(statuses: &[u16], won: u16, lost: u16) -> usize {
    assert!(
        statuses.iter().all(|status| [won, lost].contains(status)),
        "{statuses:?}"
    );
    statuses.iter().filter(|status| **status == won).count()
}

#[test]
fn of_many_redemptions_of_one_code_one_wins() {
    let server = Server::start();
    server.user("ana@example.org");
    server.anyone().ask_reset("ana@example.org");
    let code = server.deliver_mails().remove(0).code();
    let statuses = race(RACERS, |n| {
        server
            .anyone()
            .redeem(&code, &format!("password number {n}"))
            .status()
    });
    assert_eq!(winners(&statuses, 200, 401), 1);
    let winner = statuses.iter().position(|status| *status == 200).unwrap();
    for n in 0..RACERS {
        let login = server
            .anyone()
            .log_in("ana@example.org", &format!("password number {n}"));
        assert_eq!(login.status() == 201, n == winner);
    }
}

#[test]
fn a_reset_code_does_not_go_to_an_address_that_was_given_up_while_it_was_made() {
    let server = Server::start();
    let session = server.user("old@example.org").session();
    let mover = session.clone();
    server.anyone().ask_reset("old@example.org");
    // The server draws the code after it finds the account and before it stores the code.
    server.random.before_next_draw(move || {
        let change = json!({"name": "Ana", "email": "new@example.org"});
        mover.patch("/v1/user", change).gives(204);
    });
    assert_eq!(server.deliver_mails().len(), 0);
    let account = session.get("/v1/user").gives(200);
    assert_eq!(account.string("/email"), "new@example.org");
    server.anyone().ask_reset("new@example.org");
    let mail = server.deliver_mails().remove(0);
    assert!(mail.header("To").contains("new@example.org"));
}

#[test]
fn of_many_signups_with_one_address_one_wins() {
    let server = Server::start();
    let emails = ["ana@example.org", "Ana@example.org", "ANA@EXAMPLE.ORG"];
    let statuses = race(RACERS, |n| server.anyone().sign_up(emails[n % 3]).status());
    assert_eq!(winners(&statuses, 201, 409), 1);
}

#[test]
fn an_invite_opens_as_many_accounts_as_it_says() {
    let server = Server::with("accounts.invites = [{ code = \"three\", uses = 3 }]");
    let statuses = race(RACERS, |n| {
        let email = format!("user{n}@example.org");
        let body = json!({"name": "Ana", "email": email, "password": PASSWORD, "invite": "three"});
        server.anyone().post("/v1/user", body).status()
    });
    assert_eq!(winners(&statuses, 201, 404), 3);
}

#[test]
fn of_many_renewals_of_one_pair_one_wins() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    let answers = race(RACERS, |_| pair.renew_pair());
    let statuses: Vec<u16> = answers.iter().map(crate::harness::Answer::status).collect();
    assert_eq!(winners(&statuses, 201, 401), 1);
    let winner = answers
        .iter()
        .find(|answer| answer.status() == 201)
        .unwrap();
    assert!(
        server
            .anyone()
            .with_token(&winner.string("/token/identifier_code"))
            .is_let_in()
    );
    let list = server.user("ben@example.org").session();
    assert!(!pair.is_let_in() && list.is_let_in());
}

#[test]
fn tabs_that_refresh_one_token_at_once_get_one_successor() {
    let server = Server::start();
    let old = server.user("ana@example.org").access();
    let tokens = race(RACERS, |_| old.refresh().gives(200).string("/token"));
    assert!(
        tokens
            .iter()
            .all(|token| *token == tokens[0] && *token != old.token)
    );
    let new = server.anyone().with_token(&tokens[0]);
    assert!(new.is_let_in());
    server.pass(seconds(10));
    let statuses = race(RACERS, |_| old.refresh().status());
    assert_eq!(winners(&statuses, 200, 401), 0);
    assert!(!new.is_let_in());
}

#[test]
fn one_key_stores_one_request() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    let keyed = pair.with_header("Idempotency-Key", "the same");
    let counts = race(RACERS, |_| {
        keyed.report(&["a", "b"]).gives(201).number("/count")
    });
    assert_eq!(counts, [2; RACERS]);
    assert_eq!(server.events().len(), 2);
}

#[test]
fn counters_are_exact_whoever_reports_at_once() {
    let server = Server::start();
    let pair = server.user("ana@example.org").angen();
    race(RACERS, |n| {
        let own = format!("of racer {n}");
        for _ in 0..20 {
            pair.report(&["shared", &own, "shared"]).gives(201);
        }
    });
    let counts = server.counts();
    assert_eq!(counts["shared"], 2 * 20 * RACERS as u64);
    assert!((0..RACERS).all(|n| counts[&format!("of racer {n}")] == 20));
    assert_eq!(server.events().len(), 3 * 20 * RACERS);
}

#[test]
fn a_deleted_account_gets_no_token_however_fast_its_owner_is() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let session = ana.session();
    let answers = race(RACERS, |n| match n {
        0 => session.delete("/v1/user"),
        _ => server.anyone().log_in("ana@example.org", PASSWORD),
    });
    assert_eq!(answers[0].status(), 204);
    for answer in answers
        .iter()
        .skip(1)
        .filter(|answer| answer.status() == 201)
    {
        let late = server.anyone().with_token(&answer.string("/id"));
        late.get("/v1/user").fails(404, "SessionNotFound");
    }
}
