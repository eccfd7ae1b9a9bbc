//! How mail leaves.

use Kind::{Count, Directory, File, Flag, Password, Span, Templates, Text};
use Preset::{Default, Example};

use crate::config::kind::{Form, Kind};
use crate::config::setting::{Preset, Setting};
use crate::config::{Config, Credential, certificate, value};
use crate::model::Secret;

/// The section `mail`.
pub(super) const SETTINGS: &[Setting] = &[
    Setting {
        key: "mail.transport",
        kind: Text(|to, it| value::transport(it).map(|it| to.mail.transport = it)),
        preset: Default(r#""log""#),
        about: r#"How mail leaves: "smtp" passes it to a mail server, "file" writes each as an .eml file, "log" only logs that one was due."#,
    },
    Setting {
        key: "mail.from",
        kind: Text(|to, it| value::sender(it).map(|it| to.mail.from = it)),
        preset: Default(r#""doorward <doorward@localhost>""#),
        about: "The sender of mail.",
    },
    Setting {
        key: "mail.path",
        kind: Directory(|to, it| to.mail.path = it),
        preset: Default(r#""mail""#),
        about: r#"The directory that the transport "file" writes into."#,
    },
    Setting {
        key: "mail.host",
        kind: Text(|to, it| value::mail_host(it).map(|it| to.mail.smtp.host = it)),
        preset: Example(r#""smtp.example.org""#),
        about: r#"The mail server of the transport "smtp", as a name or an address."#,
    },
    Setting {
        key: "mail.port",
        kind: Count(1..=65_535, |to, it| {
            to.mail.smtp.port = u16::try_from(it).ok();
        }),
        preset: Example("587"),
        about: r#"Its port; without one, 465 for "tls", 587 for "starttls" and 25 for "none"."#,
    },
    Setting {
        key: "mail.security",
        kind: Text(|to, it| value::mail_security(it).map(|it| to.mail.smtp.security = it)),
        preset: Default(r#""tls""#),
        about: r#"How the connection is encrypted: "tls" from the first byte, "starttls" by that command, "none" not at all, which is for servers on this machine."#,
    },
    Setting {
        key: "mail.allow_plain",
        kind: Flag(|to| &mut to.mail.smtp.allow_plain),
        preset: Default("false"),
        about: r#"Whether an unencrypted connection ("none") may leave this machine. Everyone on the way can read reset links then."#,
    },
    Setting {
        key: "mail.username",
        kind: Text(|to, it| value::line(it).map(|it| to.mail.smtp.username = Some(it))),
        preset: Example(r#""doorward@example.org""#),
        about: "The name with which to log in to the mail server; without one there is no login.",
    },
    Setting {
        key: "mail.password",
        kind: Password(Form::Clear, password),
        preset: Example(r#""the password of that mailbox""#),
        about: "Its password.",
    },
    Setting {
        key: "mail.password_file",
        kind: Password(Form::File, password),
        preset: Example(r#""mail-password""#),
        about: "The same, in a file that only its owner may read.",
    },
    Setting {
        key: "mail.helo",
        kind: Text(|to, it| value::mail_host(it).map(|it| to.mail.smtp.helo = Some(it))),
        preset: Example(r#""door.example.org""#),
        about: "The name with which doorward introduces itself to the mail server; without one, the host of `server.public_url`.",
    },
    Setting {
        key: "mail.ca_file",
        kind: File(
            |path| certificate::chain(path).map(drop),
            |to, it| to.mail.smtp.ca_file = Some(it),
        ),
        preset: Example(r#""mail-ca.pem""#),
        about: "A PEM file with the certificate authorities of the mail server; without one, those of the system.",
    },
    Setting {
        key: "mail.timeout",
        kind: Span("1s", "10m", |to| &mut to.mail.smtp.timeout),
        preset: Default(r#""30s""#),
        about: "How long the mail server may take for each step: the connection, the encryption, each command, and the text of a mail.",
    },
    Setting {
        key: "mail.notices",
        kind: Flag(|to| &mut to.mail.notices),
        preset: Default("true"),
        about: "Whether a changed password is reported to the account's address by mail, and a changed address to the old one.",
    },
    Setting {
        key: "mail.templates",
        kind: Templates,
        preset: Example(r#""templates""#),
        about: "A directory whose files replace the texts of mails: `reset.txt`, `reset.html` and others.",
    },
];

/// The password of the mail server is needed in clear: a text that looks like a hash is one too.
fn password(to: &mut Config, it: Credential) {
    to.mail.smtp.password = Some(match it {
        Credential::Plain(secret) => secret,
        Credential::Hash(text) => Secret::new(text),
    });
}
