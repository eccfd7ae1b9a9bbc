//! What a reset mail says, and to whom.

use serde_json::json;

use crate::harness::{Mail, PASSWORD, Server};

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
