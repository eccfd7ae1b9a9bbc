//! The counters of the service.

use super::Error;
use crate::metrics::{Counter, HistogramReading, LoginOutcome, Logins};
use crate::model::TokenKind;

/// The kinds of tokens that a login brings: all but those of machines.
const KINDS: usize = 5;

/// Counters of the service.
#[derive(Default)]
pub(super) struct ServiceCounts {
    pub(super) logins: [Logins; KINDS],
    pub(super) mails: MailCounts,
    /// Checks of tokens that failed; the other ones are counted by `TokenChecks`.
    pub(super) bad_tokens: BadTokens,
}

/// Checks of tokens that failed.
#[derive(Debug, Default)]
pub(super) struct BadTokens {
    /// Expired, but known.
    pub(super) expired: Counter,
    /// Unknown, or ended.
    pub(super) unknown: Counter,
    /// A machine token without the scope, or from another network.
    pub(super) refused: Counter,
    /// The store could not answer.
    pub(super) failed: Counter,
}

impl BadTokens {
    /// Counts a check that failed with this error.
    pub(super) fn count(&self, error: &Error) {
        let counter = match error {
            Error::AccessTokenExpired | Error::TokenExpired => &self.expired,
            Error::BadToken => &self.unknown,
            Error::NotGranted(_) => &self.refused,
            _ => &self.failed,
        };
        counter.increment();
    }
}

/// What became of mails. One that is tried again later is counted with each attempt.
#[derive(Debug, Default)]
pub(super) struct MailCounts {
    /// Given to the mail server or, without one, to the log or a file.
    pub(super) sent: Counter,
    /// Tried without success; another attempt follows.
    pub(super) postponed: Counter,
    /// Refused for good, or tried too often.
    pub(super) given_up: Counter,
    /// Of no use any more, without a valid address, or one too many for its address.
    pub(super) dropped: Counter,
}

/// The queue in front of the hashing threads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HashQueueCounts {
    /// How many passwords wait.
    pub waiting: usize,
    /// How long each has waited for a thread.
    pub waits: HistogramReading,
}

impl ServiceCounts {
    /// Counts a login that was to bring a token of this kind.
    pub(super) fn login<T>(&self, kind: TokenKind, outcome: &Result<T, Error>) {
        let outcome = match outcome {
            Ok(_) => LoginOutcome::Right,
            Err(Error::TooManyRequests { .. } | Error::Busy { .. } | Error::OutOfMemory { .. }) => {
                LoginOutcome::Refused
            }
            Err(Error::Unavailable(_) | Error::Internal(_)) => LoginOutcome::Failed,
            Err(_) => LoginOutcome::Wrong,
        };
        if let Some(logins) = self.logins.get(kind as usize) {
            logins.count(outcome);
        }
    }
}
