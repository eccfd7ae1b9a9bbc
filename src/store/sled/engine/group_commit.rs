//! How long a group waits for more steps before it is committed. Fewer and larger groups cost less:
//! each is a flush, some pages that are written anew, and a stir among the threads that write them.

use std::time::Duration;

/// From so many clients on a group waits for those who were just answered. Fewer share a flush so
/// seldom that waiting would cost them more than it saves.
const CROWD_STEPS: usize = 16;
/// A group of a crowd waits for so many times what the last one took.
const TIMES: u32 = 2;
/// And never longer than this, however slow the disk is.
const CROWD_WAIT: Duration = Duration::from_millis(4);

/// How long the writer waits for more steps once the first of a group is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WaitPolicy {
    /// Until so many steps are there;
    pub(crate) steps: usize,
    /// at most so long.
    pub(crate) at_most: Duration,
}

/// What the last group was like, and what the owner wants.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GroupCommit {
    /// What the owner lets a group wait: `storage.commit_delay`.
    delay: Duration,
    /// How many steps the last group had.
    steps: usize,
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

    /// How long the next group waits when so many steps are there already. Those of the last group
    /// were just answered: if they are many, most will soon be back.
    pub(crate) fn wait_policy(&self, waiting: usize) -> WaitPolicy {
        let crowd = self.steps.saturating_add(waiting);
        if !self.delay.is_zero() {
            WaitPolicy {
                steps: usize::MAX,
                at_most: self.delay,
            }
        } else if crowd >= CROWD_STEPS {
            WaitPolicy {
                steps: crowd,
                at_most: self.took.saturating_mul(TIMES).min(CROWD_WAIT),
            }
        } else {
            WaitPolicy::default()
        }
    }

    /// Notes what a group was like.
    pub(crate) fn note(&mut self, steps: usize, took: Duration) {
        (self.steps, self.took) = (steps, took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn few_clients_never_wait_for_each_other() {
        let mut group_commit = GroupCommit::default();
        assert_eq!(group_commit.wait_policy(0), WaitPolicy::default());
        group_commit.note(1, MS);
        assert_eq!(group_commit.wait_policy(1), WaitPolicy::default());
        group_commit.note(CROWD_STEPS / 2, MS);
        assert_eq!(
            group_commit.wait_policy(CROWD_STEPS / 2 - 1),
            WaitPolicy::default()
        );
    }

    #[test]
    fn a_crowd_is_waited_for_as_long_as_it_is_worth() {
        let mut group_commit = GroupCommit::default();
        group_commit.note(100, MS);
        let (steps, at_most) = (130, TIMES * MS);
        assert_eq!(group_commit.wait_policy(30), WaitPolicy { steps, at_most });
        group_commit.note(100, 500 * MS);
        assert_eq!(group_commit.wait_policy(30).at_most, CROWD_WAIT);
    }

    #[test]
    fn a_delay_holds_for_everybody() {
        let mut group_commit = GroupCommit::new(50 * MS);
        assert_eq!(group_commit.wait_policy(0).at_most, 50 * MS);
        group_commit.note(100, MS);
        assert_eq!(group_commit.wait_policy(7).at_most, 50 * MS);
    }
}
