//! `[mail]`: how mail leaves.

use std::path::PathBuf;
use std::time::Duration;

use super::host::is_loopback;
use crate::model::{MailTemplates, Secret};

/// How mail is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// Logs that a mail was due and drops its text.
    #[default]
    Log,
    /// Writes each message as an `.eml` file into `mail.path`.
    File,
    /// Passes each message to a mail server.
    Smtp,
}

/// `[mail]`
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// How mail is sent.
    pub transport: Transport,
    /// The sender, as `name@example.org` or `Name <name@example.org>`.
    pub from: String,
    /// Whether changes of an account are reported by mail.
    pub notices: bool,
    /// The texts of mails: those of the program, or the owner's.
    pub templates: MailTemplates,
    /// The directory of the transport `File`.
    pub path: PathBuf,
    /// The server of the transport `Smtp`.
    pub smtp: Smtp,
}

/// How a connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Security {
    /// From its first byte (RFC 8314).
    #[default]
    Tls,
    /// By the command STARTTLS (RFC 3207), without which nothing is sent.
    StartTls,
    /// Not at all.
    None,
}

/// The mail server.
#[derive(Debug, Clone, Default)]
pub struct Smtp {
    /// Its name or address; empty if none is configured.
    pub host: String,
    /// Its port; none: the usual one.
    pub port: Option<u16>,
    /// How the connection is encrypted.
    pub security: Security,
    /// The name to log in with; none: no login.
    pub username: Option<String>,
    /// The password of that name.
    pub password: Option<Secret>,
    /// The name with which this server introduces itself; none: the host of `server.public_url`.
    pub helo: Option<String>,
    /// The only certificate authorities that are trusted; none: those of the system.
    pub ca_file: Option<PathBuf>,
    /// How long each step may take.
    pub timeout: Duration,
    /// Whether an unencrypted connection may leave this machine.
    pub allow_plain: bool,
}

impl Smtp {
    /// The configured port, or the usual one for the encryption.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            Security::Tls => 465,
            Security::StartTls => 587,
            Security::None => 25,
        })
    }

    /// Whether an unencrypted connection stays on this machine.
    pub(super) fn is_local(&self) -> bool {
        is_loopback(&self.host.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_port_is_that_of_the_encryption() {
        for (security, usual) in [
            (Security::Tls, 465),
            (Security::StartTls, 587),
            (Security::None, 25),
        ] {
            let mut smtp = Smtp {
                security,
                ..Smtp::default()
            };
            assert_eq!(smtp.port(), usual, "{security:?}");
            smtp.port = Some(2525);
            assert_eq!(smtp.port(), 2525, "{security:?}");
        }
    }
}
