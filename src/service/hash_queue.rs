//! The queue in front of the hashing threads. It holds only jobs whose clients still wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::Error;
use super::counts::HashQueueCounts;
use super::hash_job::{Job, RETRY_AFTER};
use crate::metrics::{Histogram, Limit};
use crate::sync::{lock, recover};
use crate::world::Clock;

/// Jobs that may wait: at 20 ms each, the last one waits as long as a person would accept.
pub(super) const QUEUE_JOBS: usize = 256;
/// After this long without work a thread frees its memory.
const REST_AFTER: Duration = Duration::from_secs(10);

/// The queue.
pub(super) struct Queue {
    clock: Arc<dyn Clock>,
    jobs: Mutex<Jobs>,
    arrived: Condvar,
    /// Notified when the queue is closed.
    closing: Condvar,
    /// How long jobs have waited for a thread.
    waits: Histogram,
}

#[derive(Default)]
struct Jobs {
    /// The queued jobs, by number, and when they came (monotonic): the lowest came first.
    waiting: BTreeMap<u64, (Job, Duration)>,
    next_number: u64,
    closed: bool,
}

/// A job's place in the queue. Dropping it removes the job, unless a thread has taken it.
pub(super) struct Place<'a> {
    queue: &'a Queue,
    number: u64,
}

impl Queue {
    /// An empty queue.
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Queue {
        Queue {
            clock: Arc::clone(clock),
            jobs: Mutex::default(),
            arrived: Condvar::new(),
            closing: Condvar::new(),
            waits: Histogram::default(),
        }
    }

    /// Adds a job. `Busy`: too many jobs wait.
    pub(super) fn add(&self, job: Job) -> Result<Place<'_>, Error> {
        let mut jobs = lock(&self.jobs);
        if jobs.waiting.len() >= QUEUE_JOBS {
            return Err(Error::Busy {
                retry_after: RETRY_AFTER,
                limit: Limit::HashQueue,
            });
        }
        let number = jobs.next_number;
        jobs.next_number += 1;
        jobs.waiting.insert(number, (job, self.clock.monotonic()));
        drop(jobs);
        self.arrived.notify_one();
        Ok(Place {
            queue: self,
            number,
        })
    }

    /// Waits for the next job; none when the pool is closed and empty. Calls `rest` after
    /// `REST_AFTER` without a job.
    pub(super) fn next(&self, mut rest: impl FnMut()) -> Option<Job> {
        let mut jobs = lock(&self.jobs);
        loop {
            if let Some((_, (job, came_at))) = jobs.waiting.pop_first() {
                drop(jobs);
                let waited = self.clock.monotonic().saturating_sub(came_at);
                self.waits.record(waited);
                return Some(job);
            }
            if jobs.closed {
                return None;
            }
            let waited = self.arrived.wait_timeout(jobs, REST_AFTER);
            let (again, waited) = recover(waited);
            jobs = again;
            if waited.timed_out() {
                rest();
            }
        }
    }

    /// Lets the threads end when no job waits any more.
    pub(super) fn close(&self) {
        lock(&self.jobs).closed = true;
        self.arrived.notify_all();
        self.closing.notify_all();
    }

    /// Keeps a thread from its next job while `must_wait`, which is asked once in `pause`; at most
    /// until the queue is closed. The thread misses no job by that: jobs wake only the others.
    pub(super) fn stand_aside(&self, pause: Duration, mut must_wait: impl FnMut() -> bool) {
        let mut jobs = lock(&self.jobs);
        while !jobs.closed && must_wait() {
            jobs = recover(self.closing.wait_timeout(jobs, pause)).0;
        }
    }

    /// How many jobs wait, and how long others have waited.
    pub(super) fn counts(&self) -> HashQueueCounts {
        HashQueueCounts {
            waiting: lock(&self.jobs).waiting.len(),
            waits: self.waits.read(),
        }
    }

    /// Takes a job out of the queue, as a thread would.
    #[cfg(test)]
    pub(super) fn take(&self) -> Option<Job> {
        lock(&self.jobs)
            .waiting
            .pop_first()
            .map(|(_, (job, _))| job)
    }
}

#[cfg(test)]
impl Default for Queue {
    fn default() -> Queue {
        let clock: Arc<dyn Clock> = Arc::new(crate::world::SystemClock::start());
        Queue::new(&clock)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let job = lock(&self.queue.jobs).waiting.remove(&self.number);
        // Outside the lock: dropping an attempt takes the limiter's locks.
        drop(job);
    }
}
