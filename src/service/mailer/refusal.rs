//! Why a mail was not sent, and whether another attempt can help.

use std::fmt::{self, Display};
use std::time::Duration;

use super::reply::Reply;
use super::words;
use crate::store;

/// Whom a refusal of a step concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Every mail: the server, the login or the sender. All of them wait.
    Server,
    /// This mail.
    Mail,
}

/// Why a mail was not sent.
#[derive(Debug, Clone)]
pub(in crate::service) struct Refusal {
    why: String,
    /// Whether the mail is to be dropped, because no attempt can succeed.
    pub(in crate::service) is_final: bool,
    /// Whether the conversation can go on with another mail.
    pub(in crate::service) concerns_one_mail: bool,
}

impl Refusal {
    fn of_server(why: String) -> Refusal {
        Refusal {
            why,
            is_final: false,
            concerns_one_mail: false,
        }
    }

    /// No answer before the deadline.
    pub(super) fn silent(step: &str, timeout: Duration) -> Refusal {
        let seconds = timeout.as_secs_f32();
        Refusal::of_server(format!(
            "{step}: the mail server did not answer within {seconds} s (mail.timeout)"
        ))
    }

    /// The connection broke.
    pub(super) fn broken(step: &str, error: &dyn Display) -> Refusal {
        Refusal::of_server(format!("{step}: {}", words::fit(&error.to_string())))
    }

    /// The server's answer fits no step of SMTP.
    pub(super) fn rubbish(step: &str) -> Refusal {
        Refusal::of_server(format!("{step}: the answer makes no sense"))
    }

    /// The server lacks something that the configuration needs.
    pub(super) fn missing(step: &str, lacks: &str) -> Refusal {
        Refusal::of_server(format!("{step}: the mail server {lacks}"))
    }

    /// The server cannot carry this mail.
    pub(super) fn unfit(step: &str, lacks: &str) -> Refusal {
        Refusal {
            why: format!("{step}: the mail server {lacks}"),
            is_final: true,
            concerns_one_mail: true,
        }
    }

    /// The server said no.
    pub(super) fn answered(step: &str, reply: &Reply, scope: Scope) -> Refusal {
        let of_mail = scope == Scope::Mail;
        Refusal {
            why: format!("{step}: the mail server answered: {}", reply.shown()),
            is_final: of_mail && reply.code >= 500,
            // 421 ends the connection (RFC 5321, section 3.8).
            concerns_one_mail: of_mail && reply.code != 421,
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Refusal {}

impl From<store::Error> for Refusal {
    fn from(error: store::Error) -> Refusal {
        Refusal::of_server(error.to_string())
    }
}

impl From<&str> for Refusal {
    fn from(why: &str) -> Refusal {
        Refusal::of_server(why.to_owned())
    }
}
