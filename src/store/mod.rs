//! The memory of the domain: the contract of every storage backend, and the backends.
//!
//! The contract is verbs of the domain, never get and put: one trait a noun, [`Store`] for all of
//! them together. Each verb is one atomic step; what it decided is a value. When a verb that
//! changes something has returned `Ok`, the change is on the disk and survives a power cut. A verb
//! whose future is dropped half-way still happens wholly or not at all.
//!
//! No clock and no randomness in here: moments and secrets are arguments.

mod error;
mod outcome;
pub mod sled;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    Digest, DiskUse, DueMail, Email, Erasure, EventCounts, EventPage, EventQuery, InviteTerms,
    LiveQuery, Name, NewToken, NewUser, Principal, Retention, Timestamp, Token, TokenId, User,
    UserId,
};

pub use error::{Error, Result};
pub use outcome::{
    Appended, Created, Delivery, EventListener, EventScan, FoundToken, Health, Redeemed, Refreshed,
    Report, ScanProgress, Swept, SystemValue, Updated,
};

/// Everything that a backend does.
pub trait Store: AccountStore + TokenStore + OutboxStore + EventStore + Maintenance {}

impl<S: AccountStore + TokenStore + OutboxStore + EventStore + Maintenance> Store for S {}

/// Accounts, the invites that open them, and their reset codes.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// The account with this id.
    async fn find_user(&self, id: UserId) -> Result<Option<Arc<User>>>;
    /// The account whose address has this key (`Email::key`).
    async fn find_user_by_email(&self, key: &str) -> Result<Option<Arc<User>>>;
    /// Makes an account with its first session, and uses its invite up in the same step.
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
    /// Puts a new hash of the same password in the place of `old`, if the account still has `old`.
    async fn rehash_password(&self, id: UserId, old: String, new: String) -> Result<()>;
    /// Disables an account, which ends its tokens, or enables it again. False: there is none.
    async fn set_disabled(&self, id: UserId, disabled: bool, now: Timestamp) -> Result<bool>;
    /// Removes an account with its tokens and codes. False: there is none.
    async fn delete_user(&self, id: UserId) -> Result<bool>;

    /// Makes the invites of the configuration known. An invite that is known already keeps its
    /// uses.
    async fn offer_invites(&self, invites: Vec<(Digest, InviteTerms)>) -> Result<()>;

    /// Makes `code` the only reset code of an account. False: there is no account that may act.
    async fn put_reset(&self, user: UserId, code: Digest, expires_at: Timestamp) -> Result<bool>;
    /// Whose code this is, if it can be redeemed at `now`.
    async fn find_reset(&self, code: &Digest, now: Timestamp) -> Result<Option<UserId>>;
    /// Uses a code up, sets the password and ends the account's tokens.
    async fn redeem_reset(
        &self,
        code: Digest,
        password_hash: String,
        now: Timestamp,
    ) -> Result<Redeemed>;
}

/// Tokens and the epochs that end them.
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// The token with this digest, whatever its status.
    async fn find_token(&self, digest: &Digest) -> Result<Option<FoundToken>>;
    /// The epoch that a holder's tokens must be of; 0 for an account that is gone.
    async fn epoch_of(&self, holder: Principal) -> Result<u32>;
    /// The tokens of a holder that are live at `now`, in no order.
    async fn live_tokens(&self, holder: Principal, now: Timestamp) -> Result<Vec<Token>>;
    /// Issues a token if its holder is still in the token's epoch. A user has at most `per_user`
    /// live tokens; the least recently used makes room. False: the epoch has passed.
    async fn issue_token(&self, new: NewToken, per_user: usize, now: Timestamp) -> Result<bool>;
    /// Ends the token `old` and issues `new` for the same holder, if `old` is live and `renewal` is
    /// its renewal code.
    async fn renew_token(
        &self,
        old: Digest,
        renewal: Digest,
        new: NewToken,
        now: Timestamp,
    ) -> Result<Option<Token>>;
    /// Exchanges the access token `old` for `new`, in the same family.
    async fn refresh_token(&self, old: Digest, new: NewToken, now: Timestamp) -> Result<Refreshed>;
    /// Records that a token was used.
    async fn touch_token(&self, digest: Digest, idle: Duration, now: Timestamp) -> Result<()>;
    /// Ends a token and its family. False: there is none.
    async fn end_family(&self, digest: Digest) -> Result<bool>;
    /// Ends the token of a holder that has this public id. False: there is none.
    async fn end_token(&self, holder: Principal, id: TokenId) -> Result<bool>;
    /// Records the fingerprint of a configured password and returns the holder's epoch. A
    /// fingerprint other than the last one raises it, which ends all of the holder's tokens.
    async fn reconcile(&self, holder: Principal, fingerprint: String) -> Result<u32>;
}

/// Mail that is due.
#[async_trait]
pub trait OutboxStore: Send + Sync + 'static {
    /// Adds a mail to the outbox, in the place of one that waits for the same address, whose
    /// attempts and wait it takes over. False: the outbox is full.
    async fn enqueue_mail(&self, mail: DueMail) -> Result<bool>;
    /// The mails that are due at `now`, the longest due first, and when the next one after them is.
    async fn due_mails(&self, now: Timestamp) -> Result<(Vec<DueMail>, Option<Timestamp>)>;
    /// Removes a mail: it is sent, or given up.
    async fn remove_mail(&self, mail: DueMail) -> Result<()>;
    /// Postpones a mail to another attempt.
    async fn postpone_mail(&self, mail: DueMail, due_at: Timestamp) -> Result<()>;
}

/// Events and their counts.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Stores all events of a report, or none.
    async fn append_events(&self, report: Report<'_>) -> Result<Appended>;
    /// A page of the events that a query asks for.
    async fn read_events(&self, query: EventQuery) -> Result<EventPage>;
    /// Starts reading all events that a query asks for, whatever its limit.
    async fn scan_events(&self, query: EventQuery) -> Result<Box<dyn EventScan>>;
    /// Starts listening to events that are stored from now on, or, with `query.after`, were stored
    /// since. Each event is delivered once, in the order of writing. None: no further listener may
    /// come.
    async fn listen(&self, query: LiveQuery) -> Result<Option<Box<dyn EventListener>>>;
    /// The counts of these hours (since the epoch), of one name or of all. The answer is built in
    /// memory: ask for many hours in pieces.
    async fn event_counts(&self, hours: Range<u32>, name: Option<&str>) -> Result<EventCounts>;
    /// Removes all matching events that were stored before, also of deleted accounts, and takes
    /// them out of the counters. Returns how many there were. If the future is dropped half-way,
    /// asking again removes the rest.
    async fn erase_events(&self, what: Erasure, now: Timestamp) -> Result<u64>;
    /// Merges some of the small blocks of events. True: there may be more to merge. Readers see no
    /// difference.
    async fn merge_events(&self, now: Timestamp) -> Result<bool>;
}

/// What keeps the store going, and what tells how it is.
#[async_trait]
pub trait Maintenance: Send + Sync + 'static {
    /// Keeps `value` unless one is kept already, and returns the one that is kept.
    async fn keep_system_value(&self, which: SystemValue, value: Vec<u8>) -> Result<Vec<u8>>;
    /// The value that is kept.
    async fn find_system_value(&self, which: SystemValue) -> Result<Option<Vec<u8>>>;
    /// What the data take of the disk, and what was written to it on each of the last days.
    async fn disk_use(&self, now: Timestamp) -> Result<DiskUse>;
    /// Removes some of what has expired at `now`, and of the events that are not kept any longer.
    async fn sweep(&self, now: Timestamp, keep: Retention) -> Result<Swept>;
    /// How many damaged blocks of events were met since the start.
    fn damaged_blocks(&self) -> usize;
    /// The group of changes that is being written, if one is. The same answer for a long time means
    /// that the disk hangs.
    fn under_way(&self) -> Option<u64>;
    /// How the store is right now.
    fn health(&self) -> Health;
    /// Resolves when the store has stopped by itself, with the reason.
    async fn stopped(&self) -> String;
    /// Finishes what waits and closes. Every later verb is refused.
    async fn close(&self);
}
