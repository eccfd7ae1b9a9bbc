//! Mail that is due. An entry remembers to whom a reset mail is owed, never a code: the sender
//! draws the code.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Timestamp, limits};

/// The name of an entry of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MailId(pub Uuid);

/// A reset mail somebody asked for. Whether the address has an account is found out when it is
/// sent, so that asking for a known and for an unknown address is the same work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueMail {
    /// Its name.
    pub id: MailId,
    /// The key of the address that was typed.
    pub email_key: String,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// When it is to be tried next.
    pub due_at: Timestamp,
    /// How often it was tried in vain.
    pub attempts: u32,
}

/// What to do with a mail that could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try again then.
    At(Timestamp),
    /// It is too late to be of use.
    GiveUp,
}

impl DueMail {
    /// When to try again after one more failure at `now`: waits double, until the mail is too old.
    pub fn retry(&self, now: Timestamp) -> Retry {
        let wait = limits::MAIL_RETRY * 2_u32.saturating_pow(self.attempts.min(10));
        let next = now.after(wait);
        if next.since(self.asked_at) > limits::MAIL_LIFETIME {
            Retry::GiveUp
        } else {
            Retry::At(next)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_until_the_mail_is_too_old() {
        let mut mail = DueMail {
            id: MailId(Uuid::nil()),
            email_key: "ana@example.org".into(),
            asked_at: Timestamp::from_millis(0),
            due_at: Timestamp::from_millis(0),
            attempts: 0,
        };
        let mut waits = Vec::new();
        while let Retry::At(next) = mail.retry(mail.due_at) {
            waits.push(next.since(mail.due_at).as_secs());
            (mail.due_at, mail.attempts) = (next, mail.attempts + 1);
        }
        assert_eq!(waits, [15, 30, 60, 120, 240, 480]);
    }
}
