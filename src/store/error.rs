//! The errors of the store.

use std::fmt;

/// A failure of the store. Outcomes that depend on a caller's input are values, not errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Too many changes wait already: try again in a moment.
    Busy,
    /// As many ids of events and idempotency keys are remembered as there is room for: try again
    /// when some have expired, or without them.
    TooManyKeys,
    /// The disk is (nearly) full: changes are refused until space is free again; reads still work.
    Full,
    /// The database failed or was closed, and refuses every change; only a restart can help.
    Stopped(String),
    /// A stored record is damaged: its kind, a fingerprint of its key, and the fault.
    Corrupt(String),
    /// The database cannot be opened because of its surroundings: the directory, the disk, another
    /// process, another version.
    Unusable(String),
    /// The database cannot be opened because its files are damaged.
    Damaged(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Busy => f.write_str("too many changes are waiting for the disk"),
            Error::TooManyKeys => {
                f.write_str("too many event ids and idempotency keys are remembered")
            }
            Error::Full => f.write_str("the disk is full"),
            Error::Stopped(why) => write!(f, "the database has stopped: {why}"),
            Error::Corrupt(what) => write!(f, "a stored record is damaged: {what}"),
            Error::Damaged(what) => write!(f, "the database is damaged: {what}"),
            Error::Unusable(why) => write!(f, "the database cannot be used: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// The result of every verb of the store.
pub type Result<T, E = Error> = std::result::Result<T, E>;
