//! Why a verb of the service was not carried out, in the terms of the domain.

use std::time::Duration;

use crate::model::Invalid;
use crate::store;

/// When to come back after the store was busy.
const SOON: Duration = Duration::from_secs(1);

/// Why not.
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
    /// A token is needed and none was shown.
    NoToken,
    /// The token is unknown or was ended.
    BadToken,
    /// The token was good once.
    TokenExpired,
    /// The token is good, but its holder may not do this.
    NotPermitted,
    /// The account is unknown or the password wrong: one answer, at the same cost.
    BadCredentials,
    /// The address belongs to an account already.
    EmailTaken,
    /// An invite is needed, and this is none that is open.
    InviteNotFound,
    /// The holder has no such session.
    SessionNotFound,
    /// The reset code is unknown, used, replaced or expired: one answer.
    BadResetCode,
    /// What was asked for cannot be; each reason as a sentence.
    Unprocessable(Vec<String>),
    /// The owner takes no signups.
    SignupClosed,
    /// The idempotency key was used for another request.
    IdempotencyKeyReused,
    /// Too often.
    TooManyRequests {
        /// When it may be tried again.
        retry_after: Duration,
    },
    /// A queue is full.
    Busy {
        /// When it may be tried again.
        retry_after: Duration,
    },
    /// The store takes no changes just now.
    Unavailable(store::Error),
    /// Our fault.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Error {
        Error::Invalid(invalid)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Error {
        match error {
            store::Error::Busy => Error::Busy { retry_after: SOON },
            store::Error::Full | store::Error::Stopped(_) | store::Error::Unusable(_) => {
                Error::Unavailable(error)
            }
            store::Error::Corrupt(_) => Error::Internal(Box::new(error)),
        }
    }
}
