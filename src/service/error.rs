//! The errors of the service, in the terms of the domain.

use std::time::Duration;

use crate::metrics::Limit;
use crate::model::{Invalid, Refusal};
use crate::store;

/// How long to wait before a retry after the store was busy.
const SOON: Duration = Duration::from_secs(1);

/// How long to wait before a retry after too many keys were remembered: they expire one by one.
const LATER: Duration = Duration::from_mins(1);

/// Why a verb of the service failed.
#[derive(Debug)]
pub enum Error {
    /// A value breaks a rule.
    Invalid(Invalid),
    /// An event of a report breaks a rule; nothing of the report was stored.
    InvalidEvent {
        /// Which event, counted from zero.
        index: usize,
        /// The field and the rule.
        invalid: Invalid,
    },
    /// A token is needed, but the request has none.
    NoToken,
    /// The token is unknown or was ended.
    BadToken,
    /// The access token has expired; until the end of its window it can be refreshed.
    AccessTokenExpired,
    /// A token of another kind has expired.
    TokenExpired,
    /// The token is live, but its holder may not do this.
    NotPermitted,
    /// The token is a live machine token that is not accepted here.
    NotGranted(Refusal),
    /// The account is unknown or the password wrong: one answer, at the same cost.
    BadCredentials,
    /// The address already belongs to an account.
    EmailTaken,
    /// No open invite has this code, or an invite is needed and the request has none.
    InviteNotFound,
    /// The holder has no such session.
    SessionNotFound,
    /// Nothing has this id.
    UnknownId,
    /// The resource is not of the version that the caller saw.
    Outdated,
    /// The request contradicts the present state; why, as a sentence.
    Conflict(String),
    /// The reset code is unknown, used, replaced or expired: one answer.
    BadResetCode,
    /// The request cannot be fulfilled; each reason as a sentence.
    Unprocessable(Vec<String>),
    /// The configuration allows no signups.
    SignupClosed,
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
    /// A rate limit or a quota is used up.
    TooManyRequests {
        /// How long to wait before the next try.
        retry_after: Duration,
        /// Which one.
        limit: Limit,
    },
    /// A queue is full.
    Busy {
        /// How long to wait before the next try.
        retry_after: Duration,
        /// Which one.
        limit: Limit,
    },
    /// Memory could not be allocated.
    OutOfMemory {
        /// How long to wait before the next try.
        retry_after: Duration,
    },
    /// The store accepts no changes now.
    Unavailable(store::Error),
    /// A fault of the server.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Error {
        Error::Invalid(invalid)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error::NotGranted(refusal)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        match error {
            store::Error::Busy => Error::Busy {
                retry_after: SOON,
                limit: Limit::WriterQueue,
            },
            store::Error::TooManyKeys => Error::Busy {
                retry_after: LATER,
                limit: Limit::RememberedKeys,
            },
            store::Error::Full
            | store::Error::Stopped(_)
            | store::Error::Unusable(_)
            | store::Error::Damaged(_) => Error::Unavailable(error),
            store::Error::Corrupt(_) => Error::Internal(Box::new(error)),
        }
    }
}
