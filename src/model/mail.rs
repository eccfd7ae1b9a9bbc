//! Mail in the outbox. An entry holds the address that a reset mail was requested for, never a
//! code: the sender generates the code.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Timestamp, limits};

/// The id of an entry of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MailId(pub Uuid);

/// A requested reset mail. The sender finds out whether the address has an account, so that a
/// request for a known and for an unknown address is the same work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueMail {
    /// Its id.
    pub id: MailId,
    /// The key of the requested address, as `Email::key` returns it.
    pub email_key: String,
    /// When it was requested.
    pub asked_at: Timestamp,
    /// When to try it next.
    pub due_at: Timestamp,
    /// How many attempts have failed.
    pub attempts: u32,
}

/// What to do with a mail that could not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try again at this time.
    At(Timestamp),
    /// Give up: it was tried often enough.
    GiveUp,
}

impl DueMail {
    /// When to try again after one more failure at `now`: waits double, until there were enough.
    /// Attempts are counted instead of the age of the mail, because the clock may be wrong.
    pub fn retry(&self, now: Timestamp) -> Retry {
        if self.attempts >= limits::MAIL_RETRIES {
            return Retry::GiveUp;
        }
        Retry::At(now.after(limits::MAIL_RETRY * (1 << self.attempts)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_until_the_mail_is_given_up() {
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
