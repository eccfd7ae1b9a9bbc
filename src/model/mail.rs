//! Mail in the outbox. An entry names its address and its kind, never a code: the sender generates
//! the code of a reset or of an invite.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Email, Timestamp, limits};

/// The id of an entry of the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MailId(pub Uuid);

impl MailId {
    /// An id of 16 random bytes (UUID version 4).
    pub fn from_random(bytes: [u8; 16]) -> MailId {
        MailId(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }
}

impl MailId {
    /// Reads any of the usual spellings of a UUID.
    pub fn parse(text: &str) -> Option<MailId> {
        Uuid::try_parse(text).ok().map(MailId)
    }
}

/// What a mail is about. The order is part of the format on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MailKind {
    /// A link that sets a new password. It goes to the account of the requested address, if there
    /// is one.
    Reset,
    /// The password was changed or reset. It goes to the address that the account had then.
    PasswordChanged,
    /// The address of the account was changed. It goes to the address before.
    EmailChanged,
    /// A link that opens accounts.
    Invite {
        /// How many accounts it may open.
        uses: u32,
        /// When it expires.
        expires_at: Timestamp,
    },
}

impl MailKind {
    /// The names of all kinds.
    pub const WORDS: &'static [&'static str] =
        &["reset", "password_changed", "email_changed", "invite"];

    /// Its name in the APIs.
    pub const fn as_str(self) -> &'static str {
        match self {
            MailKind::Reset => "reset",
            MailKind::PasswordChanged => "password_changed",
            MailKind::EmailChanged => "email_changed",
            MailKind::Invite { .. } => "invite",
        }
    }
}

/// A mail that is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueMail {
    /// Its id.
    pub id: MailId,
    /// Where it goes. For a reset this is the requested address: the sender finds out whether it
    /// has an account, so that a request for a known and for an unknown address is the same work.
    pub to: Email,
    /// When it was requested, or when the change happened that it reports.
    pub asked_at: Timestamp,
    /// When to try it next.
    pub due_at: Timestamp,
    /// How many attempts have failed.
    pub attempts: u32,
    /// What it is about.
    pub kind: MailKind,
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
    /// A mail that is due at once.
    pub fn new(id: MailId, kind: MailKind, to: Email, now: Timestamp) -> DueMail {
        DueMail {
            id,
            to,
            asked_at: now,
            due_at: now,
            attempts: 0,
            kind,
        }
    }

    /// From when on it is of no use, so that it is not tried any more.
    pub fn ends_at(&self) -> Timestamp {
        let lifetime = match self.kind {
            MailKind::Reset => limits::RESET_MAIL_LIFETIME,
            MailKind::PasswordChanged | MailKind::EmailChanged => limits::NOTICE_LIFETIME,
            MailKind::Invite { expires_at, .. } => return expires_at,
        };
        self.asked_at.after(lifetime)
    }

    /// When to try again after one more failure at `now`: waits double, up to an hour, until the
    /// mail has waited for as long as it is of use. The waits are counted instead of the age of the
    /// mail, because the clock may be wrong.
    pub fn retry(&self, now: Timestamp) -> Retry {
        let waited: Duration = (0..self.attempts).map(wait).sum();
        if waited >= self.ends_at().since(self.asked_at) {
            return Retry::GiveUp;
        }
        Retry::At(now.after(wait(self.attempts)))
    }
}

/// How long a mail waits after so many failures and one more.
fn wait(failures: u32) -> Duration {
    let doubled = limits::MAIL_RETRY.saturating_mul(2_u32.saturating_pow(failures));
    doubled.min(limits::MAIL_LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(kind: MailKind) -> DueMail {
        let to = Email::parse("ana@example.org").unwrap();
        DueMail::new(MailId(Uuid::nil()), kind, to, Timestamp::from_millis(0))
    }

    #[test]
    fn waits_double_until_the_mail_is_given_up() {
        let mut mail = mail(MailKind::Reset);
        let mut waits = Vec::new();
        while let Retry::At(next) = mail.retry(mail.due_at) {
            waits.push(next.since(mail.due_at).as_secs());
            (mail.due_at, mail.attempts) = (next, mail.attempts + 1);
        }
        assert_eq!(waits[..8], [30, 60, 120, 240, 480, 960, 1920, 3600]);
        assert!(waits[8..].iter().all(|wait| *wait == 3600));
        let day = 24 * 3600;
        let waited: u64 = waits.iter().sum();
        assert!((day..day + 3600).contains(&waited), "{waited}");
    }

    #[test]
    fn each_kind_has_its_own_end() {
        let expires_at = Timestamp::from_millis(7);
        for (kind, end) in [
            (MailKind::Reset, 24 * 3_600_000),
            (MailKind::PasswordChanged, 5 * 24 * 3_600_000),
            (MailKind::EmailChanged, 5 * 24 * 3_600_000),
            (
                MailKind::Invite {
                    uses: 1,
                    expires_at,
                },
                7,
            ),
        ] {
            assert_eq!(mail(kind).ends_at(), Timestamp::from_millis(end));
        }
    }
}
