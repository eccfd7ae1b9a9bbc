//! What is remembered, as the rest of the program sees it: verbs of the domain, never get and put. Each verb is one atomic step;
//! what it decided is a value; when a changing verb has answered `Ok`, the change is on the disk and a power cut cannot take
//! it back. A verb whose future is dropped half-way still happens wholly or not at all.
//!
//! No clock and no randomness in here: moments and secrets are arguments.

pub mod sled;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    Digest, DiskUse, DueMail, Email, Erasure, Event, EventCounts, EventPage, EventQuery, EventRow,
    Idempotency, InviteTerms, LiveQuery, Name, NewEvent, NewToken, NewUser, Position, Principal,
    Retention, Timestamp, Token, TokenId, User, UserId,
};

/// Why the store did not do what it was asked to. Outcomes that a caller can bring about are values, not errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Too many changes wait already: try again in a moment.
    Busy,
    /// The disk is (nearly) full: changes are refused until there is room again, reads go on.
    Full,
    /// The database failed and refuses everything; only a restart can help.
    Stopped(String),
    /// A stored record is damaged; its key, and what is wrong with it.
    Corrupt(String),
    /// The database cannot be opened.
    Unusable(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Busy => f.write_str("too many changes are waiting for the disk"),
            Error::Full => f.write_str("the disk is full"),
            Error::Stopped(why) => write!(f, "the database has stopped: {why}"),
            Error::Corrupt(what) => write!(f, "a stored record is damaged: {what}"),
            Error::Unusable(why) => write!(f, "the database cannot be used: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// What every verb returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A token that was found, with what its standing depends on.
#[derive(Debug, Clone)]
pub struct Found {
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
    fn advance(&mut self, tell: &mut dyn FnMut(&EventRow<'_>)) -> Result<ScanProgress>;
}

/// What came of some more reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScanProgress {
    /// Whether further events may follow.
    pub more: bool,
    /// Blocks that could not be read, somewhere among the events that were told: theirs were not.
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

/// Somebody who is told of events when they are stored, until this is dropped. It holds up nobody: what it does not take in time
/// becomes a number.
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

/// The contract of every backend.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// The token with this digest, whatever its standing.
    async fn find_token(&self, digest: &Digest) -> Result<Option<Found>>;
    /// The epoch that a holder's tokens must be of; 0 for an account that is gone.
    async fn epoch_of(&self, holder: Principal) -> Result<u32>;
    /// The account with this id.
    async fn find_user(&self, id: UserId) -> Result<Option<Arc<User>>>;
    /// The account whose address has this key (`Email::key`).
    async fn find_user_by_email(&self, key: &str) -> Result<Option<Arc<User>>>;
    /// The tokens of a holder that are live at `now`, in no order.
    async fn live_tokens(&self, holder: Principal, now: Timestamp) -> Result<Vec<Token>>;

    /// Makes an account with its first session, using the invite up in the same step.
    async fn create_user(
        &self,
        user: NewUser,
        session: NewToken,
        now: Timestamp,
    ) -> Result<Created>;
    /// Changes name and address.
    async fn update_user(
        &self,
        id: UserId,
        name: Name,
        email: Email,
        now: Timestamp,
    ) -> Result<Updated>;
    /// Sets a password if the account is still in `epoch`, and ends all its tokens but `keep`.
    async fn change_password(
        &self,
        id: UserId,
        epoch: u32,
        password_hash: String,
        keep: Option<Digest>,
        now: Timestamp,
    ) -> Result<Updated>;
    /// Puts a new hash of the same password in the place of `old`, if that is still the one.
    async fn rehash_password(&self, id: UserId, old: String, new: String) -> Result<()>;
    /// Disables an account, which ends its tokens, or enables it again. False when there is none.
    async fn set_disabled(&self, id: UserId, disabled: bool, now: Timestamp) -> Result<bool>;
    /// Removes an account with its tokens and codes. False when there is none.
    async fn delete_user(&self, id: UserId) -> Result<bool>;

    /// Issues a token if its holder is still in the token's epoch; at most `per_user` live tokens a user, the one least
    /// recently used makes room. False: the holder's epoch has passed.
    async fn issue_token(&self, new: NewToken, per_user: usize, now: Timestamp) -> Result<bool>;
    /// Ends the token `old` and issues `new` for the same holder, if `old` is live and `renewal` is its renewal code.
    async fn renew_token(
        &self,
        old: Digest,
        renewal: Digest,
        new: NewToken,
        now: Timestamp,
    ) -> Result<Option<Token>>;
    /// Exchanges the access token `old` for `new`, in the same family.
    async fn refresh_token(&self, old: Digest, new: NewToken, now: Timestamp) -> Result<Refreshed>;
    /// Writes down that a token was used.
    async fn touch_token(&self, digest: Digest, idle: Duration, now: Timestamp) -> Result<()>;
    /// Ends a token and its family. False when there is none.
    async fn end_family(&self, digest: Digest) -> Result<bool>;
    /// Ends the session of a holder that has this public name. False when there is none.
    async fn end_token(&self, holder: Principal, id: TokenId) -> Result<bool>;
    /// Notes the fingerprint of a configured password and says the holder's epoch: a fingerprint other than the last one
    /// raises it, which ends all of the holder's tokens.
    async fn reconcile(&self, holder: Principal, fingerprint: String) -> Result<u32>;

    /// Makes the invites of the configuration known. An invite that is known already keeps its uses.
    async fn offer_invites(&self, invites: Vec<(Digest, InviteTerms)>) -> Result<()>;

    /// Puts a mail into the outbox, in place of one that waits for the same address, whose attempts and wait it takes over. False:
    /// the outbox is full.
    async fn enqueue_mail(&self, mail: DueMail) -> Result<bool>;
    /// The mails that are due at `now`, the longest due first, and when the next one after them is.
    async fn due_mails(&self, now: Timestamp) -> Result<(Vec<DueMail>, Option<Timestamp>)>;
    /// Takes a mail out: it is sent, or given up.
    async fn remove_mail(&self, mail: DueMail) -> Result<()>;
    /// Puts a mail back for another attempt.
    async fn postpone_mail(&self, mail: DueMail, due_at: Timestamp) -> Result<()>;

    /// Makes `code` the only reset code of an account.
    async fn put_reset(&self, user: UserId, code: Digest, expires_at: Timestamp) -> Result<bool>;
    /// Whether a code could be redeemed at `now`, and for whom.
    async fn find_reset(&self, code: &Digest, now: Timestamp) -> Result<Option<UserId>>;
    /// Uses a code up, sets the password and ends the account's tokens.
    async fn redeem_reset(
        &self,
        code: Digest,
        password_hash: String,
        now: Timestamp,
    ) -> Result<Redeemed>;

    /// Stores all events of a report, or none.
    async fn append_events(&self, report: Report<'_>) -> Result<Appended>;
    /// Up to `limit` events from `from` on, oldest first.
    async fn events_since(&self, from: Timestamp, limit: usize) -> Result<Vec<Event>>;
    /// A page of the events that are asked for.
    async fn read_events(&self, query: EventQuery) -> Result<EventPage>;
    /// Begins to read all events that are asked for, whatever the query's limit.
    async fn scan_events(&self, query: EventQuery) -> Result<Box<dyn EventScan>>;
    /// Begins to listen to what is stored from now on, or, behind `query.after`, was stored since; each event is told once, in the order in
    /// which they were written. None: as many listen as may.
    async fn listen(&self, query: LiveQuery) -> Result<Option<Box<dyn EventListener>>>;
    /// What was counted in these hours (since the epoch), of one name or of all. The answer is built in memory: ask for many
    /// hours piece by piece.
    async fn event_counts(&self, hours: Range<u32>, name: Option<&str>) -> Result<EventCounts>;

    /// What the data take of the disk, and what was written to it on each of the last days.
    async fn disk_use(&self, now: Timestamp) -> Result<DiskUse>;

    /// Keeps `value` unless something is kept already, and returns what is kept.
    async fn keep_system_value(&self, fact: SystemValue, value: Vec<u8>) -> Result<Vec<u8>>;
    /// What is kept.
    async fn find_system_value(&self, fact: SystemValue) -> Result<Option<Vec<u8>>>;

    /// Removes all events that are meant and were stored before, also of accounts that are gone, and takes them out of the
    /// counters: how many there were. Should it be dropped half-way, asking again removes the rest.
    async fn erase_events(&self, what: Erasure, now: Timestamp) -> Result<u64>;
    /// Merges some of the small blocks of events; whether there may be more to merge. Nobody can tell the difference, but
    /// by the space.
    async fn merge_events(&self, now: Timestamp) -> Result<bool>;

    /// Removes some of what has expired at `now`, and of the events that are not kept any longer.
    async fn sweep(&self, now: Timestamp, keep: Retention) -> Result<Swept>;
    /// The blocks of events that were found damaged since the start.
    fn damaged_blocks(&self) -> usize;
    /// The group of changes that is on its way to the disk, if one is. The same answer for a long time means that the
    /// disk hangs, or that what should wait for it has died.
    fn under_way(&self) -> Option<u64>;
    /// How the store is right now.
    fn health(&self) -> Health;
    /// Resolves when the store has stopped by itself, with the reason.
    async fn stopped(&self) -> String;
    /// Finishes what waits and closes. Every later verb is refused.
    async fn close(&self);
}
