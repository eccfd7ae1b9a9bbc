//! Why the store did not do what it was asked to.

use std::fmt;

/// A failure of the store. Outcomes that a caller can bring about are values, not errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Too many changes wait already: try again in a moment.
    Busy,
    /// The disk is (nearly) full: changes are refused until there is room again, reads go on.
    Full,
    /// The database failed and refuses everything; only a restart can help.
    Stopped(String),
    /// A stored record is damaged: its key, and what is wrong with it.
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

/// What every verb of the store returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
