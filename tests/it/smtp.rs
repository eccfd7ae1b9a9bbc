//! Mail by SMTP: what leaves, what waits, and what a mail server may do to doorward.

use std::time::Instant;

use crate::harness::{Encryption, PASSWORD, Server, SmtpServer, Trick};
use crate::wire::moment::PATIENCE;

/// A server with an account, for whose address so many mails are due.
fn waiting(smtp: &SmtpServer, more: &str, mails: usize) -> Server {
    let server = Server::with(&(smtp.settings() + more));
    for number in 0..mails {
        let address = format!("ana{number}@example.org");
        server.user(&address);
        server.anyone().ask_reset(&address);
    }
    server
}

/// Sends what is due. True if a mail still waits.
fn send(server: &Server) -> bool {
    let services = server.services();
    let sent = server.run(async move {
        let now = services.now();
        // Every step of a conversation has one second.
        let sending = tokio::time::timeout(PATIENCE, services.send_due_mails(now));
        let next = sending.await.map_err(|_| "it never ends".to_owned())?;
        next.map_err(|error| error.to_string())
    });
    sent.unwrap().is_some()
}

/// The code in the mail that the mail server has received.
fn code(heard: &str) -> String {
    let text = heard.replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) = text.split_once("?code=").unwrap();
    rest.chars()
        .take_while(|it| it.is_ascii_alphanumeric() || "-_".contains(*it))
        .collect()
}

#[test]
fn a_reset_mail_leaves_and_its_code_works() {
    let smtp = SmtpServer::start();
    let server = waiting(&smtp, "mail.helo = \"door.example.org\"", 1);
    assert!(!send(&server));
    let heard = smtp.heard();
    for line in [
        "EHLO door.example.org\r\n",
        "MAIL FROM:<door@example.org>",
        "RCPT TO:<ana0@example.org>\r\n",
        "To: ana0@example.org\r\n",
        "QUIT\r\n",
    ] {
        assert!(heard.contains(line), "{line} in {heard}");
    }
    let redeemed = server.anyone().redeem(&code(&heard), "a better password");
    redeemed.gives(200);
}

#[test]
fn the_mails_that_wait_share_a_connection() {
    let smtp = SmtpServer::start();
    let server = waiting(&smtp, "", 3);
    assert!(!send(&server));
    assert_eq!(smtp.connections(), 1);
    assert_eq!(smtp.heard().matches("RCPT TO").count(), 3);
}

/// What a server may do that lets a mail wait.
const TRICKS: [(&str, Trick); 18] = [
    ("greeting", Trick::Hangs),
    ("greeting", Trick::Says("554 no\r\n")),
    ("greeting", Trick::Says("SSH-2.0-OpenSSH_9.2\r\n")),
    ("greeting", Trick::Floods),
    ("greeting", Trick::Leaves),
    ("EHLO", Trick::Hangs),
    (
        "EHLO",
        Trick::Says("250-mail\r\n250-  \r\n250-\r\n421 busy\r\n"),
    ),
    ("EHLO", Trick::Says("502 what?\r\n")),
    ("MAIL", Trick::Says("451 later\r\n")),
    ("MAIL", Trick::Says("553 not you\r\n")),
    ("RCPT", Trick::Says("450 greylisted\r\n")),
    ("RCPT", Trick::Floods),
    ("DATA", Trick::Hangs),
    ("DATA", Trick::Says("250 no text wanted\r\n")),
    ("text", Trick::Hangs),
    ("text", Trick::Leaves),
    ("text", Trick::Says("452 full\r\n")),
    ("text", Trick::Says("\r\n")),
];

#[test]
fn a_mail_waits_for_a_server_that_is_slow_broken_or_busy() {
    std::thread::scope(|scope| {
        for (step, trick) in TRICKS {
            scope.spawn(move || {
                let smtp = SmtpServer::tricky(step, trick);
                let server = waiting(&smtp, "", 1);
                assert!(send(&server), "{step} {trick:?}");
            });
        }
    });
}

/// Prints the table of `docs/reliability.md`: what the server does, what becomes of the mail, how
/// long that takes with `mail.timeout = "1s"`, and how long the slowest of twenty requests for a
/// reset takes meanwhile.
#[test]
#[ignore = "it measures: cargo test --test it smtp::measure -- --ignored --nocapture"]
#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn measure() {
    let refusals = ["RCPT", "DATA", "text"].map(|step| (step, Trick::Says("550 5.1.1 no\r\n")));
    let good = [("none", Trick::Leaves)];
    for (step, trick) in good.into_iter().chain(TRICKS).chain(refusals) {
        let smtp = SmtpServer::tricky(step, trick);
        let server = waiting(&smtp, "", 1);
        let (waits, took, slowest) = std::thread::scope(|scope| {
            let sending = scope.spawn(|| {
                let start = Instant::now();
                (send(&server), start.elapsed())
            });
            let ask = |_| {
                let start = Instant::now();
                server.anyone().ask_reset("nobody@example.org");
                start.elapsed()
            };
            let slowest = (0..20).map(ask).max().unwrap();
            let (waits, took) = sending.join().unwrap();
            (waits, took, slowest)
        });
        let heard = smtp.heard();
        let fate = match (waits, heard.contains("\r\n.\r\n")) {
            (true, _) => "waits",
            (false, true) if step == "none" => "is sent",
            (false, _) => "ends",
        };
        println!(
            "| {step} | `{trick:?}` | {fate} | {:.2} s | {:.1} ms |",
            took.as_secs_f64(),
            slowest.as_secs_f64() * 1000.0
        );
    }
}

#[test]
fn a_mail_that_is_refused_for_good_ends_and_the_next_one_leaves() {
    for step in ["RCPT", "DATA", "text"] {
        let smtp = SmtpServer::tricky(step, Trick::Says("550 5.1.1 no such user\r\n"));
        let server = waiting(&smtp, "", 2);
        assert!(!send(&server), "{step}");
        assert_eq!(smtp.heard().matches("RCPT TO").count(), 2, "{step}");
    }
}

#[test]
fn the_mails_behind_the_first_do_not_wait_for_a_server_that_is_down() {
    let smtp = SmtpServer::tricky("EHLO", Trick::Hangs);
    let server = waiting(&smtp, "", 5);
    assert!(send(&server));
    assert_eq!(smtp.connections(), 1);
}

#[test]
fn a_server_that_is_gone_or_has_a_login_changes_no_answer() {
    let gone = SmtpServer::start()
        .settings()
        .replace("mail.port = ", "mail.port = 1 #");
    let server = Server::with(&gone);
    server.user("ana@example.org");
    server.anyone().ask_reset("ana@example.org");
    assert!(send(&server));

    let smtp = SmtpServer::start();
    let login = "mail.username = \"door\"\nmail.password = \"open sesame please\"";
    let server = waiting(&smtp, login, 1);
    assert!(!send(&server));
    // RFC 4616: an empty identity, the name and the password.
    assert!(
        smtp.heard()
            .contains("AUTH PLAIN AGRvb3IAb3BlbiBzZXNhbWUgcGxlYXNl")
    );
}

#[test]
fn a_connection_is_encrypted_and_its_certificate_is_checked() {
    let trusted = format!(
        "mail.ca_file = \"{}/tests/it/fixtures/cert.pem\"",
        env!("CARGO_MANIFEST_DIR")
    );
    for encryption in [Encryption::Tls, Encryption::StartTls] {
        let smtp = SmtpServer::with(None, encryption);
        let server = waiting(&smtp, &trusted, 1);
        assert!(!send(&server), "{encryption:?}");
        assert!(smtp.heard().contains("RCPT TO"));

        let smtp = SmtpServer::with(None, encryption);
        let server = waiting(&smtp, "", 1);
        assert!(
            send(&server),
            "{encryption:?}: nobody vouches for the certificate"
        );
        assert!(!smtp.heard().contains("MAIL FROM"));

        let smtp = SmtpServer::with(None, encryption);
        let elsewhere = smtp.settings().replace("localhost", "127.0.0.1") + &trusted;
        let server = Server::with(&elsewhere);
        server.user("ana@example.org");
        server.anyone().ask_reset("ana@example.org");
        assert!(
            send(&server),
            "{encryption:?}: the certificate is for another name"
        );
    }
}

#[test]
fn nothing_is_sent_in_clear_to_a_server_that_drops_starttls() {
    let smtp = SmtpServer::start();
    let plain = smtp.settings().replace("\"none\"", "\"starttls\"");
    let server =
        Server::with(&(plain + "mail.username = \"door\"\nmail.password = \"open sesame please\""));
    server.user("ana@example.org");
    server.anyone().ask_reset("ana@example.org");
    assert!(send(&server));
    let heard = smtp.heard();
    assert!(
        !heard.contains("AUTH") && !heard.contains("MAIL FROM"),
        "{heard}"
    );
}

#[test]
fn a_reload_brings_another_mail_server() {
    let (first, second) = (SmtpServer::start(), SmtpServer::start());
    let server = waiting(&first, "", 1);
    server.reload(&second.settings());
    assert!(!send(&server));
    assert_eq!((first.connections(), second.connections()), (0, 1));
    assert!(
        second
            .heard()
            .contains(&format!("RCPT TO:<ana0@{}>", "example.org"))
    );
    server
        .anyone()
        .log_in("ana0@example.org", PASSWORD)
        .gives(201);
}
