//! Failures that wait to be written to the audit log.
//!
//! A failure changes nothing, and its entry waits in memory: a flood of failures becomes one entry
//! a minute for each network and account, with their number. The time is monotonic and an argument;
//! the memory is bounded.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;

use crate::model::{AuditEntry, FailureKey};
use crate::sync::lock;

/// How long the first failure of its kind waits for others. A kill loses those that wait.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// How long further failures of its kind are summed up.
const NEXT_WAIT: Duration = Duration::from_mins(1);
/// The most sums at once. Further failures are summed up without a network and an account.
const SUMS: usize = 1_024;

/// Failures that are not in the audit log yet.
#[derive(Default)]
pub(super) struct Failures {
    sums: Mutex<HashMap<FailureKey, Sum>>,
    /// Notified when a first failure of its kind comes.
    pub(super) noted: Notify,
}

/// Failures of one kind.
struct Sum {
    /// The last of them, with the number of those that are not written; none if all are.
    waiting: Option<AuditEntry>,
    /// When to write what waits and, if nothing waits then, to forget the kind.
    due_at: Duration,
}

impl Failures {
    /// Counts a failure.
    pub(super) fn note(&self, failure: AuditEntry, now: Duration) {
        let mut sums = lock(&self.sums);
        let mut key = FailureKey::of(&failure);
        let mut failure = failure;
        if sums.len() >= SUMS && !sums.contains_key(&key) {
            failure = failure.without_origin();
            key = FailureKey::of(&failure);
        }
        let is_new = !sums.contains_key(&key);
        let sum = sums.entry(key).or_insert(Sum {
            waiting: None,
            due_at: now + FIRST_WAIT,
        });
        let before = sum.waiting.as_ref().map_or(0, |it| it.count);
        failure.count = failure.count.saturating_add(before);
        sum.waiting = Some(failure);
        drop(sums);
        if is_new {
            self.noted.notify_one();
        }
    }

    /// Takes what is to be written: the sums that are due at `now`.
    pub(super) fn take_due(&self, now: Duration) -> Vec<AuditEntry> {
        let mut due = Vec::new();
        lock(&self.sums).retain(|_, sum| {
            if sum.due_at > now {
                return true;
            }
            sum.due_at = now + NEXT_WAIT;
            let waited = sum.waiting.take();
            let is_going_on = waited.is_some();
            due.extend(waited);
            is_going_on
        });
        due
    }

    /// Takes everything that waits.
    pub(super) fn take_all(&self) -> Vec<AuditEntry> {
        let mut sums = lock(&self.sums);
        sums.values_mut()
            .filter_map(|it| it.waiting.take())
            .collect()
    }

    /// When the next sum is due.
    pub(super) fn next_due(&self) -> Option<Duration> {
        lock(&self.sums).values().map(|sum| sum.due_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Actor, AuditAction, AuditOutcome, Caller, Client, RequestId, Timestamp};

    fn failure(address: [u8; 4]) -> AuditEntry {
        let caller = Caller {
            client: Client::new(address.into(), None),
            request: RequestId::of_number(7),
            at: Timestamp::default(),
        };
        let by = caller.acting(Actor::Anonymous);
        by.entry(AuditAction::LogIn, AuditOutcome::UnknownAccount)
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_flood_is_one_entry_a_minute_with_its_number() {
        let failures = Failures::default();
        for _ in 0..1_000 {
            failures.note(failure([192, 0, 2, 1]), seconds(0));
        }
        assert_eq!(failures.next_due(), Some(seconds(1)));
        assert!(failures.take_due(Duration::from_millis(999)).is_empty());
        let due = failures.take_due(seconds(1));
        assert_eq!(due.iter().map(|it| it.count).collect::<Vec<_>>(), [1_000]);
        for second in 2..61 {
            failures.note(failure([192, 0, 2, 1]), seconds(second));
            assert!(failures.take_due(seconds(second)).is_empty());
        }
        assert_eq!(failures.take_due(seconds(61)).remove(0).count, 59);
        // A minute without one: the next is a first one again.
        assert!(failures.take_due(seconds(121)).is_empty());
        assert_eq!(failures.next_due(), None);
    }

    #[test]
    fn failures_from_very_many_networks_are_one_sum() {
        let failures = Failures::default();
        let networks = u32::try_from(SUMS).unwrap() + 500;
        for network in 0..networks {
            failures.note(failure(network.to_be_bytes()), seconds(0));
        }
        let all = failures.take_all();
        assert_eq!(all.len(), SUMS + 1);
        let sum: u32 = all.iter().map(|it| it.count).sum();
        assert_eq!(sum, networks);
        let rest: Vec<_> = all.iter().filter(|it| it.client.is_none()).collect();
        assert_eq!((rest.len(), rest[0].count), (1, 500));
    }
}
