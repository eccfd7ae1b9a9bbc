//! Rate limits: they slow down clients that guess, and lock out no other client.

use doorward::model::{AuditContext, UserId};
use doorward::store::{OnlyIf, Updated};
use serde_json::{Value, json};

use crate::harness::{ADMIN_PASSWORD, Actor, PASSWORD, Server, User, race, seconds};

const HOME: &str = "192.0.2.1";
const AWAY: &str = "192.0.2.2";

/// A server with rate limits that trusts the client address which a proxy on loopback reports.
fn strict(more: &str) -> Server {
    Server::with(&format!(
        "limits.rates = true\nserver.trusted_proxies = [\"127.0.0.1\"]\n{more}"
    ))
}

fn from(server: &Server, address: &str) -> Actor {
    server.anyone().at_address(address)
}

fn retry_after(answer: &crate::harness::Answer) -> u64 {
    answer.header("retry-after").unwrap().parse().unwrap()
}

#[test]
fn too_many_wrong_passwords_of_an_address_have_to_wait() {
    let server = strict("");
    for n in 0..10 {
        from(&server, AWAY)
            .log_in(&format!("user{n}@example.org"), "wrong")
            .gives(401);
    }
    let refused = from(&server, AWAY).log_in("another@example.org", "wrong");
    let refused = refused.fails(429, "TooManyRequests");
    assert_eq!(retry_after(&refused), 6);
    let admin = json!({"username": "admin", "password": ADMIN_PASSWORD});
    from(&server, AWAY)
        .post("/api/token", admin.clone())
        .gives(429);
    from(&server, AWAY)
        .post("/login", json!({"password": "x"}))
        .gives(429);
    from(&server, AWAY)
        .post("/api/auth", json!({"email": "a@b.org", "password": "x"}))
        .gives(429);
    from(&server, HOME)
        .post("/api/token", admin.clone())
        .gives(200);
    server.pass(seconds(6));
    from(&server, AWAY).post("/api/token", admin).gives(200);
}

#[test]
fn right_passwords_are_not_counted() {
    let server = strict("");
    let ana = server.user("ana@example.org");
    for _ in 0..30 {
        from(&server, HOME).log_in(&ana.email, PASSWORD).gives(201);
    }
}

#[test]
fn a_stranger_who_guesses_waits_longer_and_longer_and_the_owner_does_not() {
    let server = strict("limits.wrong_passwords = \"100000, then 1 per 1s\"");
    let ana = server.user("ana@example.org");
    from(&server, HOME).log_in(&ana.email, PASSWORD).gives(201);
    let guess = || from(&server, AWAY).log_in(&ana.email, "wrong");
    for _ in 0..5 {
        guess().gives(401);
    }
    let mut waits = Vec::new();
    for _ in 0..5 {
        // The server checks the first guess after the wait; the next guess has to wait.
        guess();
        let wait = retry_after(&guess().gives(429));
        waits.push(wait);
        server.pass(seconds(wait));
    }
    assert!(waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    guess();
    from(&server, AWAY).log_in(&ana.email, PASSWORD).gives(429);
    from(&server, HOME).log_in(&ana.email, PASSWORD).gives(201);
}

#[test]
fn an_address_that_is_nobodys_waits_like_an_account() {
    let server = strict("limits.wrong_passwords = \"100000, then 1 per 1s\"");
    server.user("ana@example.org");
    let tries = |email: &str| -> Vec<u16> {
        (0..8)
            .map(|_| from(&server, AWAY).log_in(email, "wrong").status())
            .collect()
    };
    assert_eq!(tries("ana@example.org"), tries("nobody@example.org"));
    assert_eq!(tries("nobody@example.org").last(), Some(&429));
}

/// Every way to log in to an account: the path and the body of the request.
fn logins(user: &User, password: &str) -> [(&'static str, Value); 4] {
    let by_email = json!({"email": user.email, "password": password});
    let angen_email = json!({"email": user.email, "password": password, "user_agent": "x"});
    let angen_id = json!({"id": user.id, "password": password, "user_agent": "x"});
    [
        ("/v1/auth", by_email.clone()),
        ("/api/auth", by_email),
        ("/api/request_token", angen_email),
        ("/api/request_token", angen_id),
    ]
}

#[test]
fn the_password_of_a_disabled_account_is_answered_and_counted_like_a_wrong_one() {
    for way in 0..4 {
        let server = strict("limits.wrong_passwords = \"100000, then 1 per 1s\"");
        let (ana, ben) = (
            server.user("ana@example.org"),
            server.user("ben@example.org"),
        );
        let id = UserId::parse(&ana.id).unwrap();
        let disabled = server.run(server.store().update_user(
            id,
            crate::store::disabling(true),
            OnlyIf::There,
            None,
            AuditContext::server(server.now()),
        ));
        assert_eq!(disabled, Ok(Updated::Done));
        let tries = |user: &User, password: &str| -> Vec<(u16, Option<String>, String)> {
            let (path, login) = &logins(user, password)[way];
            let ask = |_| {
                let answer = from(&server, AWAY).post(path, login.clone());
                let wait = answer.header("retry-after").map(str::to_owned);
                (answer.status(), wait, answer.text())
            };
            (0..7).map(ask).collect()
        };
        let refused = tries(&ana, PASSWORD);
        assert_eq!((refused[0].0, refused[6].0), (401, 429), "{way}");
        assert_eq!(refused, tries(&ben, "wrong"), "{way}");
    }
}

#[test]
fn guesses_at_once_do_not_slip_through() {
    let server = strict("");
    let statuses = race(16, |n| {
        from(&server, AWAY)
            .log_in(&format!("user{n}@example.org"), "wrong")
            .status()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 6);
}

#[test]
fn signups_of_an_address_are_few() {
    let server = strict("");
    for n in 0..5 {
        from(&server, AWAY)
            .sign_up(&format!("user{n}@example.org"))
            .gives(201);
    }
    from(&server, AWAY)
        .sign_up("user5@example.org")
        .fails(429, "TooManyRequests");
    from(&server, HOME).sign_up("user5@example.org").gives(201);
    server.pass(seconds(12 * 60));
    from(&server, AWAY).sign_up("user6@example.org").gives(201);
}

#[test]
fn too_many_reset_requests_look_the_same_and_send_nothing() {
    let server = strict("");
    for n in 0..11 {
        server
            .anyone()
            .at_address(&format!("198.51.100.{n}"))
            .sign_up(&format!("user{n}@example.org"))
            .gives(201);
    }
    let mut mails = 0;
    for n in 0..11 {
        from(&server, AWAY).ask_reset(&format!("user{n}@example.org"));
        mails += server.deliver_mails().len();
    }
    assert_eq!(mails, 10);
}

#[test]
fn a_mail_too_many_for_the_whole_server_waits() {
    let server = strict("limits.all_reset_mails = \"1, then 1 per 1m\"");
    for email in ["ana@example.org", "ben@example.org"] {
        server.user(email);
        server.anyone().ask_reset(email);
    }
    assert_eq!(server.deliver_mails().len(), 1);
    server.pass(seconds(15));
    assert_eq!(server.deliver_mails().len(), 0);
    server.pass(seconds(50));
    assert_eq!(server.deliver_mails().len(), 1);
}

#[test]
fn an_account_is_sent_few_reset_mails_whoever_asks() {
    let server = strict("");
    server.user("ana@example.org");
    let ask = |n: u8| {
        from(&server, &format!("198.51.100.{n}")).ask_reset("ana@example.org");
        server.deliver_mails().len()
    };
    assert_eq!((0..5).map(ask).collect::<Vec<_>>(), [1, 1, 1, 0, 0]);
    server.pass(seconds(20 * 60));
    assert_eq!(ask(9), 1);
}

#[test]
fn reset_codes_cannot_be_guessed_for_long() {
    let server = strict("");
    for _ in 0..10 {
        from(&server, AWAY)
            .redeem("a guess", "a better password")
            .gives(401);
    }
    from(&server, AWAY)
        .redeem("a guess", "a better password")
        .gives(429);
    from(&server, HOME)
        .redeem("a guess", "a better password")
        .gives(401);
}

#[test]
fn whom_a_request_comes_from_is_believed_of_trusted_proxies_only() {
    let server = Server::with("limits.rates = true");
    for n in 0..10 {
        let liar = from(&server, &format!("198.51.100.{n}"));
        liar.log_in(&format!("user{n}@example.org"), "wrong")
            .gives(401);
    }
    from(&server, HOME)
        .log_in("another@example.org", "wrong")
        .gives(429);
}

#[test]
fn passwords_queue_and_token_checks_do_not_wait_for_them() {
    let server = Server::with("accounts.hash_memory = \"64MiB\"\naccounts.hash_passes = 3");
    let ana = server.user("ana@example.org");
    let session = ana.session();
    let statuses = race(24, |n| {
        if n % 3 == 0 {
            session.get("/v1/user").status()
        } else {
            server
                .anyone()
                .log_in(&ana.email, if n % 3 == 1 { PASSWORD } else { "wrong" })
                .status()
        }
    });
    for (n, status) in statuses.into_iter().enumerate() {
        assert_eq!(status, [200, 201, 401][n % 3]);
    }
}

#[test]
fn a_reporter_has_so_many_events_a_minute_and_others_are_not_concerned() {
    let server = strict("limits.events_per_minute = 6");
    let (ana, ben) = (
        server.user("ana@example.org").session(),
        server.user("ben@example.org").session(),
    );
    ana.report(&["a"; 4]).gives(201);
    // Refused reports do not count, neither those over the limit (429) nor bad ones (400).
    ana.report(&["a"; 3]).gives(429);
    let nobodys = json!([{"name": "a", "user_id": "00000000-0000-4000-8000-000000000000"}]);
    ana.post("/api/events/simple_clientapp", nobodys).gives(400);
    ana.report(&["a"; 2]).gives(201);
    let refused = ana.report(&["a"]).gives(429);
    assert_eq!(
        (retry_after(&refused), refused.string("/result").as_str()),
        (10, "Error")
    );
    ben.report(&["a"; 6]).gives(201);
    ben.report(&["a"; 7]).names(400, "more than the 6 a minute");
    server.pass(seconds(10));
    ana.report(&["a"]).gives(201);
    ana.report(&["a"]).gives(429);
}

#[test]
fn a_reporter_has_so_many_bytes_a_day() {
    let server = strict("limits.event_bytes_per_day = \"1KiB\"");
    let ana = server.user("ana@example.org").session();
    let body = |bytes: usize| format!("{:bytes$}", r#"[{"name":"a"}]"#);
    let send = |bytes| ana.post("/api/events/simple_clientapp", body(bytes));
    send(1025).names(400, "more than the 1024 bytes a day");
    send(1000).gives(201);
    let refused = send(30).gives(429);
    assert_eq!(retry_after(&refused), 507);
    send(24).gives(201);
    server.pass(seconds(24 * 3600));
    send(1024).gives(201);
}

#[test]
fn there_are_no_quotas_unless_they_are_set() {
    let server = strict("");
    let ana = server.user("ana@example.org").session();
    for _ in 0..3 {
        ana.report(&vec!["a"; 5_000]).gives(201);
    }
}
