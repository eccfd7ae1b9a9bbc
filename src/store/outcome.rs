//! What the verbs of the store take and return.

use std::sync::Arc;

use async_trait::async_trait;

use crate::model::{
    Event, EventRow, Idempotency, NewEvent, Position, Principal, Timestamp, Token, User, UserId,
};
use crate::store::Result;

/// A token that was found, with what its standing depends on.
#[derive(Debug, Clone)]
pub struct FoundToken {
    /// The token.
    pub token: Arc<Token>,
    /// Its holder's epoch; none when the account is gone or disabled.
    pub epoch: Option<u32>,
    /// The account, when the holder is one and may act.
    pub user: Option<Arc<User>>,
}

/// What came of a signup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The account, its invite's use and its first session exist.
    Done(Box<User>),
    /// The address belongs to another account; nothing was changed.
    EmailTaken,
    /// The invite is unknown, used up or expired; nothing was changed.
    InviteNotFound,
}

/// What came of a change to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    /// It is changed.
    Done,
    /// The address belongs to another account.
    EmailTaken,
    /// The account is gone, disabled, or not any more in the epoch that the caller saw.
    Gone,
}

/// What came of exchanging an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed {
    /// The new token is issued, the old one retired.
    Done(Box<Token>),
    /// It was exchanged a moment ago: this is the token that came of it.
    Again(Box<Token>),
    /// It was exchanged long ago: somebody uses a stolen token, and the whole family is ended.
    Reused(Box<Token>),
    /// Nothing can be had for it.
    Refused,
}

/// What came of redeeming a reset code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    /// The password is changed, the code used up and every token of the account ended.
    Done(UserId),
    /// Unknown, used, replaced or expired.
    Refused,
}

/// What came of reporting events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// All of them are stored.
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
    /// Who reports.
    pub reporter: Principal,
    /// What, in order.
    pub events: &'a [NewEvent<'a>],
    /// The promise to store it once, if one was asked for.
    pub idempotency: Option<Idempotency>,
    /// When it arrived.
    pub at: Timestamp,
}

/// A single value the service remembers for itself. The first to be kept stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemValue {
    /// The seed of the key that signs access tokens.
    SigningSeed,
    /// The hash of the administrator's password that was made at the first start.
    AdminHash,
    /// The salt of the fingerprints of configured passwords.
    FingerprintSalt,
}

/// What a sweep found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Records that are gone.
    pub removed: usize,
    /// Whether more wait to be removed.
    pub more: bool,
}

/// A reading of many events from one end to the other, which holds little of them at a time.
pub trait EventScan: Send {
    /// Tells some more events, in order. It blocks: it is for a thread that may wait.
    fn advance(&mut self, emit: &mut dyn FnMut(&EventRow<'_>)) -> Result<ScanProgress>;
}

/// What came of some more reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanProgress {
    /// Whether further events may follow.
    pub more: bool,
    /// Blocks that could not be read, somewhere among the events that were handed out: theirs were
    /// not.
    pub damaged_blocks: usize,
}

/// What a listener hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// Events that were stored, as far as they are listened for; perhaps none.
    Events(Vec<(Position, Event)>),
    /// So many events were stored at this place that were not looked at, listened for or not.
    Missed(u64),
}

/// Somebody who gets events when they are stored, until this is dropped. It holds up nobody:
/// what it does not take in time becomes a number.
#[async_trait]
pub trait EventListener: Send {
    /// What was stored next. A future that is dropped loses nothing.
    async fn next(&mut self) -> Result<Delivery>;
}

/// How the store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It serves.
    Fine,
    /// It refuses events, and nothing else yet: the disk is nearly full.
    NoEvents,
    /// It reads, but refuses changes: the disk is full.
    Full,
    /// It has stopped, and why.
    Stopped(String),
}
