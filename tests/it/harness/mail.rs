//! Reads the mails that the transport `file` writes, and asks for those that no API sends.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use doorward::model::{AuditContext, Email};
use doorward::service::{self, NewInvite};

use super::Server;

/// A parsed mail: its headers, its plain text and its HTML, which is empty if it has none.
pub(crate) struct Mail {
    head: String,
    /// The plain text.
    pub(crate) text: String,
    /// The HTML.
    pub(crate) html: String,
}

impl Server {
    /// Sends the mails that are due and returns them.
    pub(crate) fn deliver_mails(&self) -> Vec<Mail> {
        let folder = self.inner.directory.path().join("mail");
        let seen = names_in(&folder);
        let services = self.inner.with(|it| it.services.clone());
        let now = services.now();
        self.run(async move {
            services
                .send_due_mails(now)
                .await
                .map_err(|it| it.to_string())
        })
        .unwrap();
        let fresh = names_in(&folder)
            .into_iter()
            .filter(|name| !seen.contains(name));
        fresh.map(|name| Mail::read(&folder.join(name))).collect()
    }

    /// Invites an address by mail, as the administrator does on the machine.
    pub(crate) fn invite(
        &self,
        to: &str,
        uses: u32,
        lifetime: Duration,
    ) -> Result<(), service::Error> {
        let services = self.inner.with(|it| it.services.clone());
        let by = AuditContext::server(services.now());
        let invite = NewInvite {
            to: Some(Email::parse(to).unwrap()),
            note: String::new(),
            uses,
            lifetime,
        };
        self.run(async move { services.make_invite(invite, by).await })
            .map(drop)
    }
}

/// The names of the `.eml` files in a directory; empty if it does not exist yet.
fn names_in(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return BTreeSet::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter(|name| Path::new(name).extension().is_some_and(|it| it == "eml"))
        .collect()
}

impl Mail {
    pub(crate) fn read(path: &Path) -> Mail {
        let raw = fs::read_to_string(path).unwrap();
        let (head, body) = raw.split_once("\r\n\r\n").unwrap();
        let mut mail = Mail {
            head: head.to_owned(),
            text: String::new(),
            html: String::new(),
        };
        let Some((_, boundary)) = head.split_once("boundary=\"") else {
            mail.text = decode(head, body);
            return mail;
        };
        let boundary = boundary.split('"').next().unwrap();
        for part in body.split(&format!("--{boundary}")) {
            let Some((head, body)) = part.split_once("\r\n\r\n") else {
                continue;
            };
            let text = decode(head, body);
            if head.contains("text/plain") {
                mail.text = text;
            } else if head.contains("text/html") {
                mail.html = text;
            }
        }
        mail
    }

    /// The value of a header that fits on one line. Panics if it is missing.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> String {
        let start = format!("{name}: ");
        let line = self.head.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
            .to_owned()
    }

    /// The first link in the plain text.
    pub(crate) fn link(&self) -> String {
        let words = self.text.split_whitespace();
        words
            .into_iter()
            .find(|word| word.starts_with("http"))
            .unwrap()
            .to_owned()
    }

    /// The code in the link.
    pub(crate) fn code(&self) -> String {
        self.link().rsplit_once('=').unwrap().1.to_owned()
    }
}

/// Undoes the transfer encoding of a part (RFC 2045, 6.7).
fn decode(head: &str, body: &str) -> String {
    if !head.contains("quoted-printable") {
        return body.to_owned();
    }
    let mut bytes = Vec::new();
    let mut rest = body.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'=' {
            bytes.push(byte);
            continue;
        }
        let digits = [rest.next().unwrap(), rest.next().unwrap()];
        if digits != *b"\r\n" {
            bytes.push(u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap());
        }
    }
    String::from_utf8(bytes).unwrap()
}
