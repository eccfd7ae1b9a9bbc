//! Plain values and pure decisions: no I/O, no clock, no HTTP, no storage. Rules that hold for
//! every backend and every API are here. A value that was built is valid: `Email::parse` is the
//! only way to build an `Email`.

mod account;
mod audit;
mod audit_query;
mod calendar;
mod clock_trust;
mod common_passwords;
mod counts;
mod disk;
mod email;
mod ended;
mod event;
mod id;
mod invite;
pub mod limits;
mod listing;
mod machine;
mod mail;
mod network;
mod numbered;
mod password;
mod principal;
mod query;
mod request_id;
mod reset;
mod secret;
mod signing;
mod sketch;
mod summary;
mod template;
mod text;
mod time;
mod token;

use std::borrow::Cow;

pub use account::{Name, NewUser, User};
pub use audit::{Actor, AuditAction, AuditContext, AuditEntry, AuditOutcome, Caller};
pub use audit_query::{AuditPage, AuditPlace, AuditQuery, AuditRetention, FailureKey};
pub use calendar::{Granularity, Zone};
pub use clock_trust::{ClockReading, ClockTerms, ClockTrust, Trust};
pub use common_passwords::is_common_password;
pub use counts::{EventCounts, HourCounts, NameCount, Retention};
pub use disk::{DISK_DAYS, DiskDay, DiskUse};
pub use email::{Email, MailAddress};
pub use ended::{End, EndReason, EndedSecret, SecretKind};
pub use event::{Event, Idempotency, NewEvent};
pub use id::{EventId, TokenId, UserId, UserNumber};
pub use invite::{Invite, InviteId, InviteTerms, MadeInvite};
pub use listing::{
    MachinePage, MachineQuery, TokenPage, TokenPlace, TokenQuery, UserEdit, UserPage, UserPlace,
    UserQuery, UserSort,
};
pub use machine::{Grant, MACHINE_TOKEN_PREFIX, Refusal, Scope};
pub use mail::{DueMail, MailId, MailKind, Retry};
pub use network::network;
pub use password::{Password, PasswordRules};
pub use principal::{Client, MachineName, MachineNumber, Principal};
pub use query::{
    Erasure, EventPage, EventQuery, EventRow, LiveQuery, Order, Position, SummaryQuery,
};
pub use request_id::RequestId;
pub use reset::ResetCode;
pub use secret::{Digest, Secret};
pub use signing::{KeyChange, KeyFault, SigningKey, SigningKeys};
pub use sketch::{Mark, Sketch};
pub use summary::{Bucket, Summary, SummaryBuilder};
pub use template::{MailTemplate, MailTemplates, Placeholder, Template, TemplateFault};
pub use time::Timestamp;
pub use token::{AccessClaims, ExchangedAt, NewToken, Retired, Token, TokenKind, TokenStatus};

/// A value from outside that breaks a rule: the field, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The field as the caller knows it.
    pub field: Cow<'static, str>,
    /// What is wrong with it, as the rest of a sentence that starts with the field.
    pub why: String,
}

impl Invalid {
    /// A complaint about `field`.
    pub fn new(field: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Invalid {
        Invalid {
            field: field.into(),
            why: why.into(),
        }
    }
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.why)
    }
}
