//! The contract of every storage backend, and the backends.
//!
//! The contract consists of verbs of the domain, never of get and put: one trait for each noun,
//! and [`Store`] for all of them together. Each verb is atomic and returns its decision as a
//! value; only [`EventStore::erase_events`] and [`AccountStore::delete_user`] are series of atomic
//! steps. When a verb that changes something has returned `Ok`, the change is on the disk and
//! survives a power cut. A verb whose future is dropped half-way still happens wholly or not at
//! all.
//!
//! No verb reads a clock or draws random values: moments and secrets are arguments. A verb with an
//! [`AuditContext`] writes what it changes to the audit log, in the same step: the entry is there
//! if and only if the change is.

mod error;
mod invites;
mod machine_tokens;
mod outcome;
mod signing;
pub mod sled;
mod stats;

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    AuditAction, AuditContext, AuditEntry, AuditPage, AuditQuery, AuditRetention, Digest, DiskUse,
    DueMail, EndedSecret, Erasure, EventCounts, EventPage, EventQuery, LiveQuery, MailId, NewToken,
    NewUser, Principal, ResetCode, Retention, Timestamp, Token, TokenId, TokenPage, TokenQuery,
    User, UserEdit, UserId, UserPage, UserQuery,
};

pub use error::{Error, Result};
pub use invites::InviteStore;
pub use machine_tokens::{MachineTokenStore, Rotation};
pub use outcome::{
    Appended, AuditListener, Created, Delivery, EventListener, EventScan, FoundToken, Health,
    Heard, MachineIssued, OnlyIf, RecordCounts, Redeemed, Refreshed, Report, ScanProgress, Swept,
    SystemValue, Updated,
};
pub use signing::KeyStore;
pub use stats::{CacheStats, StoreSize, StoreStats, WriterStats};

/// The name of the control socket in the data directory, beside the files of the database.
pub const CONTROL_SOCKET: &str = "control.sock";

/// Everything that a backend does.
pub trait Store:
    AccountStore
    + InviteStore
    + TokenStore
    + MachineTokenStore
    + OutboxStore
    + EventStore
    + AuditStore
    + KeyStore
    + Maintenance
    + StoreStats
{
}

impl<S> Store for S where
    S: AccountStore
        + InviteStore
        + TokenStore
        + MachineTokenStore
        + OutboxStore
        + EventStore
        + AuditStore
        + KeyStore
        + Maintenance
        + StoreStats
{
}

/// Accounts and their reset codes.
#[async_trait]
pub trait AccountStore: Send + Sync + 'static {
    /// The account with this id.
    async fn find_user(&self, id: UserId) -> Result<Option<Arc<User>>>;
    /// The account whose address has this key (`Email::key`).
    async fn find_user_by_email(&self, key: &str) -> Result<Option<Arc<User>>>;
    /// Whether there is any account.
    async fn any_user(&self) -> Result<bool>;
    /// Creates an account, with its first session if there is one, and counts one use of its
    /// invite, in one step.
    async fn create_user(
        &self,
        user: NewUser,
        session: Option<NewToken>,
        by: AuditContext,
    ) -> Result<Created>;
    /// A page of the accounts that a query asks for.
    async fn list_users(&self, query: UserQuery) -> Result<UserPage>;
    /// Changes an account. A different address also removes its reset code and, in the same step,
    /// puts a mail with the id `notice` into the outbox, for the old address. Disabling the account
    /// ends its tokens.
    async fn update_user(
        &self,
        id: UserId,
        edit: UserEdit,
        only_if: OnlyIf,
        notice: Option<MailId>,
        by: AuditContext,
    ) -> Result<Updated>;
    /// Sets a password if the account is still in `epoch`, and ends all its tokens but `keep`. The
    /// same step puts a mail with the id `notice` into the outbox, for the account's address. If
    /// the outbox is full, the mail is dropped.
    async fn change_password(
        &self,
        id: UserId,
        epoch: u32,
        password_hash: String,
        keep: Option<Digest>,
        notice: Option<MailId>,
        by: AuditContext,
    ) -> Result<Updated>;
    /// Replaces the hash `old` by `new`, a hash of the same password, if the account still has
    /// `old`.
    async fn rehash_password(&self, id: UserId, old: String, new: String) -> Result<()>;
    /// Ends all tokens of an account but the one with the public id `except`, and what that was
    /// exchanged for. False: there is no account, or it has no such token.
    async fn end_tokens(
        &self,
        id: UserId,
        except: Option<TokenId>,
        by: AuditContext,
    ) -> Result<bool>;
    /// Removes an account with its codes in one step, which ends its tokens, and then the records
    /// of its tokens in steps of bounded size. False: it does not exist.
    async fn delete_user(&self, id: UserId, by: AuditContext) -> Result<bool>;

    /// Makes `code` the only reset code of an account. False: the account is gone or disabled.
    async fn put_reset(
        &self,
        user: UserId,
        code: Digest,
        expires_at: Timestamp,
        by: AuditContext,
    ) -> Result<bool>;
    /// The account of a reset code and its expiry, whether it is live or not.
    async fn find_code(&self, code: &Digest) -> Result<Option<ResetCode>>;
    /// What is remembered of a token or a code that has ended.
    async fn find_ended(&self, secret: &Digest) -> Result<Option<EndedSecret>>;
    /// The account of a reset code, if the code is live at `now`.
    async fn find_reset(&self, code: &Digest, now: Timestamp) -> Result<Option<UserId>>;
    /// Uses up a code, sets the password and ends the account's tokens. `notice` as for
    /// [`AccountStore::change_password`].
    async fn redeem_reset(
        &self,
        code: Digest,
        password_hash: String,
        notice: Option<MailId>,
        by: AuditContext,
    ) -> Result<Redeemed>;
}

/// Tokens and the epochs that end them.
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// The token with this digest, whatever its status.
    async fn find_token(&self, digest: &Digest) -> Result<Option<FoundToken>>;
    /// A page of the tokens that a query asks for.
    async fn list_tokens(&self, query: TokenQuery) -> Result<TokenPage>;
    /// The token with this public id, and its holder's epoch: none if the account is gone or
    /// disabled.
    async fn find_token_by_id(&self, id: TokenId) -> Result<Option<(Token, Option<u32>)>>;
    /// Ends the token with this public id, with its family. None: there is no such token.
    async fn end_token_by_id(&self, id: TokenId, by: AuditContext) -> Result<Option<Token>>;
    /// The epoch that a holder's live tokens have; 0 for an account that is gone or disabled.
    async fn epoch_of(&self, holder: Principal) -> Result<u32>;
    /// The tokens of a holder that are live at `now`, in no particular order.
    async fn live_tokens(&self, holder: Principal, now: Timestamp) -> Result<Vec<Token>>;
    /// Issues a token if its holder is still in the token's epoch. A holder has at most `most` live
    /// tokens: the least recently used ones are ended. The audit log calls it `action`. False: the
    /// epoch has passed.
    async fn issue_token(
        &self,
        new: NewToken,
        most: usize,
        action: AuditAction,
        by: AuditContext,
    ) -> Result<bool>;
    /// Ends the token `old` and issues `new` for the same holder, if `old` is live and `renewal` is
    /// its renewal code; otherwise none.
    async fn renew_token(
        &self,
        old: Digest,
        renewal: Digest,
        new: NewToken,
        now: Timestamp,
    ) -> Result<Option<Token>>;
    /// Exchanges the access token `old` for `new`, in the same family. `monotonic` is the time of
    /// the monotonic clock at the moment of `by`: by it, a second use within the grace is told from
    /// a reuse.
    async fn refresh_token(
        &self,
        old: Digest,
        new: NewToken,
        monotonic: Duration,
        by: AuditContext,
    ) -> Result<Refreshed>;
    /// Records that a token was used from this address, which only machine tokens keep. `idle` is
    /// how long a session lives without use.
    async fn touch_token(
        &self,
        digest: Digest,
        idle: Duration,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<()>;
    /// Ends a token and its family; of a machine itself, from its networks. False: there is none.
    async fn end_family(
        &self,
        digest: Digest,
        from: Option<IpAddr>,
        by: AuditContext,
    ) -> Result<bool>;
    /// Ends the token of a holder that has this public id. False: the holder has none.
    async fn end_token(&self, holder: Principal, id: TokenId, by: AuditContext) -> Result<bool>;
    /// Records the fingerprint of a configured password and returns the holder's epoch. A
    /// fingerprint that differs from the last one raises the epoch, which ends all of the holder's
    /// tokens.
    async fn reconcile(
        &self,
        holder: Principal,
        fingerprint: String,
        by: AuditContext,
    ) -> Result<u32>;
    /// The fingerprint that `reconcile` recorded last; none if there is none or it is damaged.
    async fn find_fingerprint(&self, holder: Principal) -> Result<Option<String>>;
    /// Replaces the stored hash of the administrator's password (`SystemValue::AdminHash`), which
    /// is its own fingerprint, and ends all tokens of the administrator, in one step. Returns the
    /// new epoch.
    async fn replace_admin_hash(&self, hash: String, by: AuditContext) -> Result<u32>;
}

/// Mail that is due.
#[async_trait]
pub trait OutboxStore: Send + Sync + 'static {
    /// Adds a mail to the outbox. It replaces a mail of its kind that waits for the same address
    /// and, if that one was tried before, takes over its attempts and its due time. False: the
    /// outbox is full.
    async fn enqueue_mail(&self, mail: DueMail) -> Result<bool>;
    /// The mails that are due at `now`, the longest due first, as many as one call returns, and the
    /// time at which the next mail after them is due; none: no other mail waits.
    async fn due_mails(&self, now: Timestamp) -> Result<(Vec<DueMail>, Option<Timestamp>)>;
    /// Up to `limit` mails that wait, in the order in which they are due, behind the one with this
    /// due time and id.
    async fn list_mails(
        &self,
        after: Option<(Timestamp, MailId)>,
        limit: usize,
    ) -> Result<Vec<DueMail>>;
    /// Makes the mail with this id due at the moment of `by`. False: no such mail waits.
    async fn retry_mail(&self, id: MailId, by: AuditContext) -> Result<bool>;
    /// Drops the mail with this id, and ends the invite that it brings. False: no such mail waits.
    async fn drop_mail(&self, id: MailId, by: AuditContext) -> Result<bool>;
    /// Removes a mail that was sent or given up, unless another mail replaced it.
    async fn remove_mail(&self, mail: DueMail) -> Result<()>;
    /// Postpones a mail to another attempt at `due_at`, and counts the failed one, unless another
    /// mail replaced it.
    async fn postpone_mail(&self, mail: DueMail, due_at: Timestamp) -> Result<()>;
}

/// Events and their counts.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Stores all events of a report, or none.
    async fn append_events(&self, report: Report<'_>) -> Result<Appended>;
    /// A page of the events that match a query.
    async fn read_events(&self, query: EventQuery) -> Result<EventPage>;
    /// Starts to read all events that match a query; the query's limit does not apply.
    async fn scan_events(&self, query: EventQuery) -> Result<Box<dyn EventScan>>;
    /// Starts to deliver the events that are stored from now on and, with `query.after`, those
    /// stored after that position. Each event is delivered once, in the order of writing, or
    /// counted as missed. Each listener may hold [`crate::model::limits::LIVE_BUFFER_BYTES`].
    async fn listen(&self, query: LiveQuery) -> Result<Box<dyn EventListener>>;
    /// The counts of these hours (since 1970), of one name or of all. The answer is built in
    /// memory: ask for many hours in pieces.
    async fn event_counts(&self, hours: Range<u32>, name: Option<&str>) -> Result<EventCounts>;
    /// Removes all matching events that were stored before the call, also those of deleted
    /// accounts, and subtracts them from the counters. Returns how many it removed. If the future
    /// is dropped half-way, another call removes the rest.
    async fn erase_events(&self, what: Erasure, by: AuditContext) -> Result<u64>;
    /// Merges some of the small blocks of events. True: there may be more to merge. Readers see no
    /// difference.
    async fn merge_events(&self, now: Timestamp) -> Result<bool>;
}

/// The audit log.
#[async_trait]
pub trait AuditStore: Send + Sync + 'static {
    /// Adds entries that belong to no change, in one step.
    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<()>;
    /// A page of the entries that match a query.
    async fn read_audit(&self, query: AuditQuery) -> Result<AuditPage>;
    /// Starts to deliver the entries that match a query and are written from now on; its order, its
    /// place and its limit do not apply.
    async fn listen_to_audit(&self, query: AuditQuery) -> Result<Box<dyn AuditListener>>;
    /// Removes some of the entries that are older than `keep` allows at `now` and, whatever their
    /// age, some of the oldest while all together take too much. `now` is none while the clock is
    /// suspect.
    async fn sweep_audit(&self, now: Option<Timestamp>, keep: AuditRetention) -> Result<Swept>;
}

/// Upkeep of the store, its state, and closing it.
#[async_trait]
pub trait Maintenance: Send + Sync + 'static {
    /// Stores `value` unless a value is stored already, and returns the stored value.
    async fn keep_system_value(&self, which: SystemValue, value: Vec<u8>) -> Result<Vec<u8>>;
    /// The stored value.
    async fn find_system_value(&self, which: SystemValue) -> Result<Option<Vec<u8>>>;
    /// How many bytes the data take on the disk, and how many were written on each of the last
    /// days.
    async fn disk_use(&self, now: Timestamp) -> Result<DiskUse>;
    /// Removes some of the records that have expired at `now`, and some of the events and counts
    /// that are older than `keep` allows.
    async fn sweep(&self, now: Timestamp, keep: Retention) -> Result<Swept>;
    /// Removes some of the oldest events while all together take more than `max_bytes`: all of the
    /// sweep that a wrong clock cannot mislead.
    async fn trim(&self, now: Timestamp, max_bytes: u64) -> Result<Swept>;
    /// How many accounts and tokens are stored; none while a large store is being counted.
    fn record_counts(&self) -> Option<RecordCounts>;
    /// Waits until the writer has run a step that changes nothing: it writes nothing.
    async fn round_trip(&self) -> Result<()>;
    /// The newest moment that was noted and kept or, in a store without one, that of the newest
    /// events; none in a store without either.
    fn newest_moment(&self) -> Result<Option<Timestamp>>;
    /// Notes the newest moment that has certainly passed. It is kept to within a minute, with the
    /// next changes or when the store is closed: noting it writes nothing by itself.
    fn note_moment(&self, moment: Timestamp);
    /// How many damaged blocks of events were found since the start.
    fn damaged_blocks(&self) -> usize;
    /// How many other damaged records were found since the start. Lists, sweeps and starts leave
    /// them out.
    fn damaged_records(&self) -> usize;
    /// The number of the group of changes that is being written, if there is one. The same answer
    /// for a long time means that the disk hangs.
    fn under_way(&self) -> Option<u64>;
    /// The state of the store at this moment.
    fn health(&self) -> Health;
    /// Resolves when the store has stopped by itself, with the reason.
    async fn stopped(&self) -> String;
    /// Finishes the changes that wait and closes the store. Every later change is refused.
    async fn close(&self);
}
