//! One job of the hashing pool: a password to hash, or to compare with hashes.

use std::time::Duration;

use tokio::sync::oneshot;

use super::Error;
use super::attempts::Attempt;
use crate::crypto::{HashError, PasswordHasher, Verdict};
use crate::model::Secret;

/// How long to wait before a retry after there was no room or no memory: by then there likely is.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Carries the result of a job to its client.
pub(super) type Answer<T> = oneshot::Sender<Result<T, Error>>;

/// A job on its way to a thread.
pub(super) enum Job {
    /// Hash a password.
    Hash {
        secret: Secret,
        salt: [u8; 16],
        answer: Answer<String>,
    },
    /// Compare a password with hashes.
    Verify {
        secret: Secret,
        /// The PHC strings to compare with. Every one is compared, also after a match.
        hashes: Vec<String>,
        attempt: Attempt,
        answer: Answer<(Verdict, Attempt)>,
    },
}

impl Job {
    /// Runs the job. The client may have disconnected; the job runs anyway.
    pub(super) fn run(self, hasher: &mut PasswordHasher) {
        match self {
            Job::Hash {
                secret,
                salt,
                answer,
            } => {
                let _ = answer.send(hasher.hash(&secret, salt).map_err(failed));
            }
            Job::Verify {
                secret,
                hashes,
                mut attempt,
                answer,
            } => {
                let outcome = compare(hasher, &secret, &hashes).map(|verdict| {
                    attempt.note_comparison();
                    (verdict, attempt)
                });
                let _ = answer.send(outcome.map_err(failed));
            }
        }
    }
}

/// Compares with every hash, even after a match: the time must not reveal which one matched.
fn compare(
    hasher: &mut PasswordHasher,
    secret: &Secret,
    known: &[String],
) -> Result<Verdict, HashError> {
    let mut found = Verdict::Wrong;
    for phc in known {
        let verdict = hasher.verify(secret, phc)?;
        if found == Verdict::Wrong {
            found = verdict;
        }
    }
    Ok(found)
}

fn failed(error: HashError) -> Error {
    match error {
        HashError::OutOfMemory => Error::OutOfMemory {
            retry_after: RETRY_AFTER,
        },
        HashError::Argon2(_) | HashError::Phc => Error::Internal(Box::new(error)),
    }
}
