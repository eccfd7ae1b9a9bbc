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
    pub(super) checked_tokens: CheckedTokens,
}

/// How checks of tokens ended.
#[derive(Debug, Default)]
pub(super) struct CheckedTokens {
    /// The token was good.
    pub(super) live: Counter,
    /// Expired, but known.
    pub(super) expired: Counter,
    /// Unknown, or ended.
    pub(super) unknown: Counter,
    /// A machine token without the scope, or from another network.
    pub(super) refused: Counter,
    /// The store could not answer.
    pub(super) failed: Counter,
}

impl CheckedTokens {
    /// Counts a check that is over.
    pub(super) fn count<T>(&self, outcome: &Result<T, Error>) {
        let counter = match outcome {
            Ok(_) => &self.live,
            Err(Error::AccessTokenExpired | Error::TokenExpired) => &self.expired,
            Err(Error::BadToken) => &self.unknown,
            Err(Error::NotGranted(_)) => &self.refused,
            Err(_) => &self.failed,
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
