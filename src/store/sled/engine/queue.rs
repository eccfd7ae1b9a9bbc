//! The steps that wait for the writer, in order, and how they are cut into groups.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};

use crate::store::sled::engine::disk_space::{DiskBudget, WriteClass, WriteCost};
use crate::store::sled::engine::group_commit::WaitPolicy;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::{Error, Result};
use crate::sync::{lock, recover};

/// Steps that may wait: more than the default of `limits.connections`.
const QUEUE_STEPS: usize = 16_384;
/// Steps of one group: it bounds the batch, and how long the first of a group waits for the last.
const GROUP_STEPS: usize = 1_024;
/// Bytes that the steps of one group may write: it bounds the batch in memory and the bytes of one
/// flush. A step that writes more is a group by itself.
const GROUP_BYTES: u64 = 8 << 20;

/// A step in the queue, whatever type it returns.
pub(crate) trait QueuedStep<S>: Send {
    /// The class of the step, and about how many bytes it writes.
    fn cost(&self) -> WriteCost;
    /// Runs the step, and rolls it back if the budget has too little for what it writes.
    fn run(&mut self, tx: &mut Transaction<'_>, state: &mut S, budget: &mut DiskBudget);
    /// Sends the result of the step, or the error of its group, to the caller that waits for it.
    fn answer(self: Box<Self>, group: Result<()>);
}

/// The steps of a group.
pub(crate) type Group<S> = Vec<Box<dyn QueuedStep<S>>>;

/// The queue in front of the writer.
pub(crate) struct Queue<S> {
    waiting: Mutex<Waiting<S>>,
    arrived: Condvar,
}

struct Waiting<S> {
    steps: VecDeque<Box<dyn QueuedStep<S>>>,
    /// How many bytes they write together.
    bytes: u64,
    /// The writer sleeps until this many steps wait; 0 while it is awake.
    wake_at: usize,
    /// Whether one of the steps must not wait for more writes to join.
    urgent: bool,
    closed: bool,
}

impl<S> Waiting<S> {
    /// Whether the writer has waited long enough.
    fn are_enough(&self) -> bool {
        let is_group = self.steps.len() >= self.wake_at || self.bytes >= GROUP_BYTES;
        is_group || self.urgent || self.closed
    }

    fn cut(&mut self, group: &mut Group<S>) {
        let mut bytes: u64 = 0;
        while let Some(next) = self.steps.front() {
            let more = next.cost().bytes;
            bytes = bytes.saturating_add(more);
            let is_full = group.len() >= GROUP_STEPS || bytes > GROUP_BYTES;
            if is_full && !group.is_empty() {
                break;
            }
            group.extend(self.steps.pop_front());
            self.bytes = self.bytes.saturating_sub(more);
        }
        self.urgent &= !self.steps.is_empty();
    }
}

impl<S> Default for Queue<S> {
    fn default() -> Queue<S> {
        let waiting = Waiting {
            steps: VecDeque::new(),
            bytes: 0,
            wake_at: 0,
            urgent: false,
            closed: false,
        };
        Queue {
            waiting: Mutex::new(waiting),
            arrived: Condvar::new(),
        }
    }
}

impl<S> Queue<S> {
    /// Adds a step. Errors: `Busy` when the queue is full, `Stopped` when it is closed.
    pub(crate) fn push(&self, step: Box<dyn QueuedStep<S>>) -> Result<()> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Error::Stopped("it is closed".into()));
        }
        if waiting.steps.len() >= QUEUE_STEPS {
            return Err(Error::Busy);
        }
        let WriteCost { class, bytes } = step.cost();
        waiting.bytes = waiting.bytes.saturating_add(bytes);
        // Steps that free space, and the steps of the start, most of which run one after the other.
        waiting.urgent |= class == WriteClass::Reclaim;
        waiting.steps.push_back(step);
        // Notify once: while the writer works or is about to wake up, `wake_at` is 0 and no thread
        // needs a notification.
        let wakes = waiting.wake_at > 0 && waiting.are_enough();
        if wakes {
            waiting.wake_at = 0;
        }
        drop(waiting);
        if wakes {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// How many steps wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().steps.len()
    }

    /// Waits for steps and takes a group of them; false when the queue is closed and empty.
    /// `wait_policy` gets the number of steps that wait already.
    pub(crate) fn take_group(
        &self,
        group: &mut Group<S>,
        wait_policy: impl FnOnce(usize) -> WaitPolicy,
    ) -> bool {
        let at_once = self.lock();
        let wait_policy = wait_policy(at_once.steps.len());
        let mut waiting = self.wait_for_first(at_once);
        waiting.wake_at = wait_policy.steps.min(GROUP_STEPS);
        if !wait_policy.at_most.is_zero() && !waiting.are_enough() {
            let waited = self
                .arrived
                .wait_timeout_while(waiting, wait_policy.at_most, |it| !it.are_enough());
            waiting = recover(waited).0;
        }
        waiting.wake_at = 0;
        waiting.cut(group);
        !group.is_empty()
    }

    fn wait_for_first<'a>(
        &'a self,
        mut waiting: MutexGuard<'a, Waiting<S>>,
    ) -> MutexGuard<'a, Waiting<S>> {
        while waiting.steps.is_empty() && !waiting.closed {
            waiting.wake_at = 1;
            waiting = recover(self.arrived.wait(waiting));
        }
        waiting
    }

    /// Refuses further steps; the steps that wait still run.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Refuses further steps, and returns the steps that wait.
    pub(crate) fn abandon(&self) -> VecDeque<Box<dyn QueuedStep<S>>> {
        let mut waiting = self.lock();
        waiting.closed = true;
        std::mem::take(&mut waiting.steps)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<S>> {
        lock(&self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Weight(u64, WriteClass);

    impl QueuedStep<()> for Weight {
        fn cost(&self) -> WriteCost {
            WriteCost {
                class: self.1,
                bytes: self.0,
            }
        }
        fn run(&mut self, _: &mut Transaction<'_>, (): &mut (), _: &mut DiskBudget) {}
        fn answer(self: Box<Self>, _: Result<()>) {}
    }

    fn step(bytes: u64) -> Box<dyn QueuedStep<()>> {
        Box::new(Weight(bytes, WriteClass::Events))
    }

    fn groups(weights: &[u64]) -> Vec<Vec<u64>> {
        let queue = Queue::default();
        for weight in weights {
            queue.push(step(*weight)).unwrap();
        }
        queue.close();
        let mut groups = Vec::new();
        loop {
            let mut group = Group::new();
            if !queue.take_group(&mut group, |_| WaitPolicy::default()) {
                return groups;
            }
            groups.push(group.iter().map(|step| step.cost().bytes).collect());
        }
    }

    #[test]
    fn a_group_ends_at_its_bytes_and_the_rest_follows_in_order() {
        let half = GROUP_BYTES / 2;
        assert_eq!(
            groups(&[half, half, 1, 3 * half, 2, half, 3]),
            [vec![half, half], vec![1], vec![3 * half], vec![2, half, 3]]
        );
    }

    #[test]
    fn a_group_ends_at_its_steps() {
        let groups = groups(&[1; GROUP_STEPS + 5]);
        let lengths: Vec<usize> = groups.iter().map(Vec::len).collect();
        assert_eq!(lengths, [GROUP_STEPS, 5]);
    }

    #[test]
    fn what_is_too_much_is_refused_and_so_is_what_comes_too_late() {
        let queue = Queue::default();
        for _ in 0..QUEUE_STEPS {
            queue.push(step(1)).unwrap();
        }
        assert_eq!(queue.push(step(1)), Err(Error::Busy));
        assert_eq!(queue.abandon().len(), QUEUE_STEPS);
        let late = queue.push(step(1));
        assert!(matches!(late, Err(Error::Stopped(_))), "{late:?}");
    }

    /// Queues one step, lets the writer wait for up to three without a time limit, and returns how
    /// many it took.
    fn group_with(more: impl FnOnce(&Queue<()>) + Send) -> usize {
        let queue = Queue::default();
        queue.push(step(1)).unwrap();
        let wait_policy = WaitPolicy {
            steps: 3,
            at_most: Duration::MAX,
        };
        std::thread::scope(|scope| {
            scope.spawn(|| more(&queue));
            let mut group = Group::new();
            queue.take_group(&mut group, |_| wait_policy);
            group.len()
        })
    }

    #[test]
    fn a_group_waits_for_more_steps_until_they_are_enough_or_the_queue_is_closed() {
        let more = |queue: &Queue<()>, weights: &[u64]| {
            for weight in weights {
                queue.push(step(*weight)).unwrap();
            }
        };
        assert_eq!(group_with(|queue| more(queue, &[1, 1])), 3);
        assert_eq!(group_with(|queue| more(queue, &[GROUP_BYTES])), 1);
        assert_eq!(group_with(Queue::close), 1);
        let hurry = |queue: &Queue<()>| {
            queue
                .push(Box::new(Weight(1, WriteClass::Reclaim)))
                .unwrap();
        };
        assert_eq!(group_with(hurry), 2);
    }

    #[test]
    fn a_group_without_more_steps_is_taken_alone_in_the_end() {
        let queue = Queue::default();
        queue.push(step(1)).unwrap();
        let wait_policy = WaitPolicy {
            steps: 2,
            at_most: Duration::from_millis(1),
        };
        let mut group = Group::new();
        assert!(queue.take_group(&mut group, |_| wait_policy) && group.len() == 1);
    }
}
