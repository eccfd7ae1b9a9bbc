//! The arguments and results of the store's verbs.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    AuditEntry, AuditPlace, Event, EventRow, ExchangedAt, Idempotency, NewEvent, Position,
    Principal, Timestamp, Token, TokenStatus, User, UserId,
};
use crate::store::Result;

/// A stored token with the values that its status depends on.
#[derive(Debug, Clone)]
pub struct FoundToken {
    /// The token.
    pub token: Arc<Token>,
    /// Its holder's epoch; none when the account is gone or disabled.
    pub epoch: Option<u32>,
    /// The account, when the holder is one and may act.
    pub user: Option<Arc<User>>,
    /// When it was exchanged; none if it was not.
    pub exchanged_at: Option<ExchangedAt>,
}

impl FoundToken {
    /// Whether the token is live. The monotonic clock is read only for an exchanged token.
    pub fn status(&self, now: Timestamp, monotonic: impl FnOnce() -> Duration) -> TokenStatus {
        let exchange = self.token.retired.zip(self.exchanged_at);
        let in_grace = exchange.is_some_and(|(it, at)| it.is_in_grace(at, now, monotonic()));
        self.token.status(self.epoch, now, in_grace)
    }
}

/// The result of a signup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The account, its invite's use and its first session exist.
    Done(Box<User>),
    /// The address belongs to another account; nothing was changed.
    EmailTaken,
    /// The invite is unknown, used up or expired; nothing was changed.
    InviteNotFound,
}

/// The result of a change to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// It is changed.
    Done,
    /// The address belongs to another account; nothing was changed.
    EmailTaken,
    /// The account is not of the version that the caller saw; nothing was changed.
    Outdated,
    /// The account is gone, disabled, or no longer in the epoch that the caller saw.
    Gone,
}

/// The condition of a change to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnlyIf {
    /// It exists.
    There,
    /// It exists and is not disabled.
    Active,
    /// It is of this version ([`User::version`]).
    Version(u64),
}

/// The result of an exchange of an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// The new token is issued, the old one retired.
    Done(Box<Token>),
    /// It was exchanged less than `limits::REFRESH_GRACE` ago: this is its successor.
    Again(Box<Token>),
    /// It was exchanged before that: a client uses a stolen token, and the whole family is ended.
    Reused(Box<Token>),
    /// It cannot be exchanged: it is unknown, no access token, of another epoch, or expired for too
    /// long.
    Refused,
}

/// The result of making or rotating a machine token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MachineIssued {
    /// The token exists.
    Done(Box<Token>),
    /// A live machine token has the name.
    NameTaken,
    /// There are as many as there may be.
    TooMany,
    /// There were as many names as there may ever be, and it has another.
    NoMoreNames,
    /// Its holder is gone or disabled.
    UnknownHolder,
    /// The token that it is made with is not live any more.
    MakerEnded,
    /// No live token of the administrator's machines has the id.
    UnknownToken,
}

/// The result of redeeming a reset code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// The password is changed, the code used up and every token of the account ended.
    Done(UserId),
    /// Unknown, used, replaced or expired.
    Refused,
}

/// The result of reporting events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// All of them are stored; how many there are.
    Stored(usize),
    /// The same request was answered before, with this count.
    Replayed(usize),
    /// The idempotency key was used for another request.
    KeyReused,
    /// The reporter's account is gone; nothing is stored.
    UnknownReporter,
    /// No account has the id that this event (counted from zero) names; nothing is stored.
    UnknownUser(usize),
}

/// A report: events of one request.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The holder of the token that reports.
    pub reporter: Principal,
    /// The events, in order.
    pub events: &'a [NewEvent<'a>],
    /// The idempotency key, if the request has one: the report is stored only once.
    pub idempotency: Option<Idempotency>,
    /// When the report arrived.
    pub at: Timestamp,
}

/// A single value that the service stores for itself. The first value that is stored stays, but
/// for the hash of the administrator's password, which has a verb to replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemValue {
    /// The hash of the administrator's password that doorward generated.
    AdminHash,
    /// The salt of the fingerprints of configured passwords.
    FingerprintSalt,
}

/// The result of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// How many records were removed.
    pub removed: usize,
    /// Whether more may wait to be removed.
    pub more: bool,
}

/// A scan of many events that keeps only a few of them in memory at a time.
pub trait EventScan: Send {
    /// Calls `emit` with some more events, in order. It blocks: call it on a thread that may wait.
    fn advance(&mut self, emit: &mut dyn FnMut(&EventRow<'_>)) -> Result<ScanProgress>;
}

/// The result of one call of [`EventScan::advance`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanProgress {
    /// Whether further events may follow.
    pub more: bool,
    /// Damaged blocks among the blocks of this call: their events were skipped.
    pub damaged_blocks: usize,
}

/// One delivery to a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Stored events that match the listener's query; may be empty.
    Events(Vec<(Position, Event)>),
    /// How many events were stored at this place but not delivered, whether they match the query or
    /// not.
    Missed(u64),
}

/// Receives events when they are stored, until it is dropped. A slow listener does not delay the
/// writer: events that it does not take in time are only counted.
#[async_trait]
pub trait EventListener: Send {
    /// Waits for the next delivery. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Delivery>;
}

/// One delivery to a listener of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// An entry that matches the listener's query.
    Entry(AuditPlace, Box<AuditEntry>),
    /// How many entries were written but not delivered, whether they match the query or not.
    Missed(u64),
}

/// Receives entries of the audit log when they are on the disk, until it is dropped. A slow
/// listener does not delay the writer: entries that it does not take in time are only counted.
#[async_trait]
pub trait AuditListener: Send {
    /// Waits for the next delivery. Dropping the future loses nothing.
    async fn next(&mut self) -> Result<Heard>;
}

/// How many records there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordCounts {
    /// Accounts.
    pub users: u64,
    /// Tokens, those included that have expired since the last sweep.
    pub tokens: u64,
}

/// The state of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It reads and accepts changes.
    Fine,
    /// It reads and accepts changes, but some of what was stored is lost.
    Damaged,
    /// It refuses only events: the disk is nearly full.
    NoEvents,
    /// It reads, but refuses all changes except those that free space: the disk is full.
    Full,
    /// It has stopped, with the reason.
    Stopped(String),
}
