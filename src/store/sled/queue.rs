//! The steps that wait for the writer, in order, and how they are cut into groups.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::super::{Outcome, StoreError};
use super::space::Needs;
use super::view::View;

/// Steps that may wait: more than there can be connections.
const QUEUE_STEPS: usize = 16_384;
/// Steps of one group: it bounds the batch, and how long the first of a group waits for the last.
const GROUP_STEPS: usize = 1_024;
/// What the steps of one group may bring: it bounds the batch in memory, and what one flush has to write. A step that brings
/// more is a group by itself.
const GROUP_BYTES: u64 = 8 << 20;

/// A step on its way, whatever it returns.
pub(super) trait Pending: Send {
    /// What it asks for.
    fn needs(&self) -> Needs;
    /// Runs it; without room only if it turns out to change nothing.
    fn run(&mut self, view: &mut View<'_>, has_room: bool);
    /// Tells whoever waits what came of it.
    fn answer(self: Box<Self>, group: Outcome<()>);
}

/// The steps of a group.
pub(super) type Group = Vec<Box<dyn Pending>>;

/// The queue in front of the writer.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Default)]
struct Waiting {
    steps: VecDeque<Box<dyn Pending>>,
    closed: bool,
}

impl Queue {
    /// Adds a step. `Stopped`: nothing is taken any more.
    pub(super) fn push(&self, step: Box<dyn Pending>) -> Outcome<()> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(StoreError::Stopped("it is closed".into()));
        }
        if waiting.steps.len() >= QUEUE_STEPS {
            return Err(StoreError::Busy);
        }
        waiting.steps.push_back(step);
        let is_first = waiting.steps.len() == 1;
        drop(waiting);
        if is_first {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits for steps and takes a group of them; none when the queue is closed and empty.
    pub(super) fn take_group(&self, group: &mut Group) -> bool {
        let waiting = self.lock();
        let mut waiting = self
            .arrived
            .wait_while(waiting, |it| it.steps.is_empty() && !it.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let mut bytes: u64 = 0;
        while let Some(next) = waiting.steps.front() {
            bytes = bytes.saturating_add(next.needs().bytes);
            let is_full = group.len() >= GROUP_STEPS || bytes > GROUP_BYTES;
            if is_full && !group.is_empty() {
                break;
            }
            group.extend(waiting.steps.pop_front());
        }
        !group.is_empty()
    }

    /// Takes no further steps; those that wait still happen.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_one();
    }

    /// Takes no further steps, and gives back those that wait.
    pub(super) fn abandon(&self) -> VecDeque<Box<dyn Pending>> {
        let mut waiting = self.lock();
        waiting.closed = true;
        std::mem::take(&mut waiting.steps)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::space::Room;
    use super::*;

    struct Weight(u64);

    impl Pending for Weight {
        fn needs(&self) -> Needs {
            Needs {
                room: Room::Change,
                bytes: self.0,
            }
        }
        fn run(&mut self, _: &mut View<'_>, _: bool) {}
        fn answer(self: Box<Self>, _: Outcome<()>) {}
    }

    fn groups(weights: &[u64]) -> Vec<Vec<u64>> {
        let queue = Queue::default();
        for weight in weights {
            queue.push(Box::new(Weight(*weight))).unwrap();
        }
        queue.close();
        let mut groups = Vec::new();
        loop {
            let mut group = Group::new();
            if !queue.take_group(&mut group) {
                return groups;
            }
            groups.push(group.iter().map(|step| step.needs().bytes).collect());
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
            queue.push(Box::new(Weight(1))).unwrap();
        }
        assert_eq!(queue.push(Box::new(Weight(1))), Err(StoreError::Busy));
        assert_eq!(queue.abandon().len(), QUEUE_STEPS);
        let late = queue.push(Box::new(Weight(1)));
        assert!(matches!(late, Err(StoreError::Stopped(_))), "{late:?}");
    }
}
