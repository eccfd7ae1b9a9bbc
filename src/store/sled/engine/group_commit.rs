//! Decides how long a group waits for more steps before it is committed. Fewer and larger groups
//! cost less: each group costs a flush, some page rewrites and some thread wake-ups.

use std::time::Duration;

/// From this many steps on, a group waits for the clients that were just answered. Fewer clients
/// share a flush so seldom that waiting would cost them more than it saves.
const CROWD_STEPS: usize = 16;
/// Such a group waits at most this many times as long as the last group took.
const TIMES: u32 = 2;
/// From this many bytes a step on, steps are large, and a group waits for half of the clients only.
/// More of them would save little of a flush that is long anyway, and the other half is encoded
/// meanwhile.
const LARGE_STEP_BYTES: u64 = 2 * 1024;
/// It never waits longer than this, even on a slow disk.
const CROWD_WAIT: Duration = Duration::from_millis(4);

/// How long the writer waits for more steps after the first step of a group has arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WaitPolicy {
    /// Until this many steps wait;
    pub(crate) steps: usize,
    /// at most this long.
    pub(crate) at_most: Duration,
}

/// The size and duration of the last group, and the configured delay.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GroupCommit {
    /// The configured wait of a group: `storage.commit_delay`.
    delay: Duration,
    /// How many steps the last group had.
    steps: usize,
    /// About how many bytes these steps wrote.
    bytes: u64,
    /// How long it took until it was durable.
    took: Duration,
}

impl GroupCommit {
    /// A group commit with this delay.
    pub(crate) fn new(delay: Duration) -> GroupCommit {
        GroupCommit {
            delay,
            ..GroupCommit::default()
        }
    }

    /// How long the next group waits when `waiting` steps wait already. The clients of the last
    /// group were just answered: if there are many, most soon send another step.
    pub(crate) fn wait_policy(&self, waiting: usize) -> WaitPolicy {
        let crowd = self.steps.saturating_add(waiting);
        if !self.delay.is_zero() {
            WaitPolicy {
                steps: usize::MAX,
                at_most: self.delay,
            }
        } else if crowd >= CROWD_STEPS {
            let is_large = self.bytes >= LARGE_STEP_BYTES.saturating_mul(self.steps as u64);
            WaitPolicy {
                steps: if is_large { crowd / 2 } else { crowd },
                at_most: self.took.saturating_mul(TIMES).min(CROWD_WAIT),
            }
        } else {
            WaitPolicy::default()
        }
    }

    /// Notes the sizes of the steps of a group, in bytes, and its duration.
    pub(crate) fn note(&mut self, sizes: impl ExactSizeIterator<Item = u64>, took: Duration) {
        (self.steps, self.took) = (sizes.len(), took);
        self.bytes = sizes.sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn sizes(count: usize, bytes: u64) -> impl ExactSizeIterator<Item = u64> {
        std::iter::repeat_n(bytes, count)
    }

    #[test]
    fn few_clients_never_wait_for_each_other() {
        let mut group_commit = GroupCommit::default();
        assert_eq!(group_commit.wait_policy(0), WaitPolicy::default());
        group_commit.note(sizes(1, 1), MS);
        assert_eq!(group_commit.wait_policy(1), WaitPolicy::default());
        group_commit.note(sizes(CROWD_STEPS / 2, 1), MS);
        assert_eq!(
            group_commit.wait_policy(CROWD_STEPS / 2 - 1),
            WaitPolicy::default()
        );
    }

    #[test]
    fn a_crowd_is_waited_for_as_long_as_it_is_worth() {
        let mut group_commit = GroupCommit::default();
        group_commit.note(sizes(100, 1), MS);
        let (steps, at_most) = (130, TIMES * MS);
        assert_eq!(group_commit.wait_policy(30), WaitPolicy { steps, at_most });
        group_commit.note(sizes(100, 1), 500 * MS);
        assert_eq!(group_commit.wait_policy(30).at_most, CROWD_WAIT);
    }

    #[test]
    fn large_steps_wait_for_half_of_the_crowd_only() {
        let mut group_commit = GroupCommit::default();
        group_commit.note(sizes(100, LARGE_STEP_BYTES), MS);
        assert_eq!(group_commit.wait_policy(30).steps, 65);
        group_commit.note(sizes(100, LARGE_STEP_BYTES - 1), MS);
        assert_eq!(group_commit.wait_policy(30).steps, 130);
    }

    #[test]
    fn a_delay_holds_for_everybody() {
        let mut group_commit = GroupCommit::new(50 * MS);
        assert_eq!(group_commit.wait_policy(0).at_most, 50 * MS);
        group_commit.note(sizes(100, 1), MS);
        assert_eq!(group_commit.wait_policy(7).at_most, 50 * MS);
    }
}
