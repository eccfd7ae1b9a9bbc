//! The texts of mails that an owner writes.

use std::fs;

use tempfile::TempDir;

use crate::harness::{Mail, Server, hours};

/// A directory with these templates, and the settings that name it.
fn templates(files: &[(&str, &str)]) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let settings = format!("mail.templates = {:?}\n", directory.path());
    (directory, settings)
}

fn reset_mail(server: &Server) -> Mail {
    server.user("ana@example.org");
    server.anyone().ask_reset("ana@example.org");
    server.deliver_mails().remove(0)
}

#[test]
fn an_owner_writes_text_and_html() {
    let (_directory, settings) = templates(&[
        (
            "reset.txt",
            "Subject: Neues Kennwort f\u{fc}r {service}\r\n\r\nHallo {address},\r\n{link} ({minutes})\r\n",
        ),
        (
            "reset.html",
            "<style>p{margin:0}</style><p>{address}, <a href=\"{link}\">hier</a>",
        ),
    ]);
    let server = Server::with(&settings);
    let mail = reset_mail(&server);
    assert!(
        mail.header("Subject").contains("=?utf-8?"),
        "{}",
        mail.header("Subject")
    );
    let link = mail.link();
    assert_eq!(
        mail.text.trim_end(),
        format!("Hallo ana@example.org,\r\n{link} (30)")
    );
    let html =
        format!("<style>p{{margin:0}}</style><p>ana@example.org, <a href=\"{link}\">hier</a>");
    assert_eq!(mail.html.trim_end(), html);
    // The others are those of the program.
    server.invite("ben@example.org", 1, hours(1)).unwrap();
    let invite = server.deliver_mails().remove(0);
    assert_eq!(invite.header("Subject"), "You are invited to doorward");
}

#[test]
fn a_text_without_html_is_sent_as_text() {
    let (_directory, settings) = templates(&[("reset.txt", "Subject: Reset\n\nOpen {link}\n")]);
    let mail = reset_mail(&Server::with(&settings));
    assert!(mail.header("Content-Type").starts_with("text/plain"));
    assert!(
        mail.text
            .starts_with("Open https://example.org/reset?code="),
        "{}",
        mail.text
    );
    assert!(mail.html.is_empty());
}

#[test]
fn values_cannot_write_html_nor_become_places() {
    let name = r#"server.name = "{link} <b>&""#;
    let mail = reset_mail(&Server::with(name));
    assert_eq!(mail.header("Subject"), "Reset your {link} <b>& password");
    assert!(
        mail.text.contains("reset your {link} <b>& password"),
        "{}",
        mail.text
    );
    assert!(
        mail.html
            .contains("reset your {link} &lt;b&gt;&amp; password")
    );
}
