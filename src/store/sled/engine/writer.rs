//! The writer thread, the only thread that writes. Requests queue *steps*; the thread takes the
//! steps that wait as a group, runs them in order over one transaction, applies the group as one
//! batch, makes it durable, and only then answers each step. So steps are serializable by
//! construction: no other step runs between the check and the change of a step.
//!
//! If the process dies before the batch is on the disk, nothing of the group happened and no client
//! got an answer; if it dies after that, all of it happened. Any failure to write stops the writer
//! for good: it then refuses every step, and the process is expected to end and be started again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use sled::Db;

use crate::metrics::{Counter, Histogram};
use crate::store::sled::engine::tree::Tree;
use tokio::sync::{Notify, oneshot};

use crate::store::sled::engine::disk_space::{
    DiskMonitor, DiskPressure, FreeBytes, STEP_BYTES, WriteClass, WriteCost,
};
use crate::store::sled::engine::fdatasync;
use crate::store::sled::engine::group_commit::GroupCommit;
use crate::store::sled::engine::group_state::GroupState;
use crate::store::sled::engine::ledger::{Applied, Ledger};
use crate::store::sled::engine::queue::{Group, Queue};
use crate::store::sled::engine::read::from_sled;
use crate::store::sled::engine::step::Step;
use crate::store::sled::engine::transaction::{Transaction, entry_bytes};
use crate::store::{Error, Result, WriterStats};
use crate::sync::lock;

/// The state that the writer thread shares with all other threads.
pub(crate) struct Shared<S> {
    queue: Queue<S>,
    /// Why the writer has stopped; empty while it runs.
    failure: OnceLock<String>,
    /// Notified when it stops.
    failed: Notify,
    disk_monitor: DiskMonitor,
    /// How many groups have begun; it differs from `finished` while a group is under way.
    begun: AtomicU64,
    finished: AtomicU64,
    /// How many steps have been run.
    steps: Counter,
    /// How long each group that changed something took until it was durable.
    group_durations: Histogram,
    /// How long the last part of that took: forcing it to the disk.
    flush_durations: Histogram,
}

impl<S> Default for Shared<S> {
    fn default() -> Shared<S> {
        Shared {
            queue: Queue::default(),
            failure: OnceLock::new(),
            failed: Notify::new(),
            disk_monitor: DiskMonitor::default(),
            begun: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            steps: Counter::default(),
            group_durations: Histogram::default(),
            flush_durations: Histogram::default(),
        }
    }
}

impl<S> Shared<S> {
    fn stopped(&self) -> Error {
        Error::Stopped(self.failure().unwrap_or("it is closed").to_owned())
    }

    fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Refuses every step from now on, for this reason.
    fn fail(&self, error: &Error) {
        log::error!("the writer has stopped: {error}");
        let reason = match error {
            Error::Stopped(reason) => reason.clone(),
            other => other.to_string(),
        };
        if self.failure.set(reason).is_ok() {
            self.failed.notify_waiters();
        }
    }
}

/// Sends steps to the writer thread.
pub(crate) struct Writer<S> {
    shared: Arc<Shared<S>>,
    /// Resolves when the thread has ended.
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

/// Called with the keys that a group has changed.
pub(crate) type OnChange = Box<dyn Fn(&[Vec<u8>]) + Send>;

/// The state that the writer thread owns.
pub(crate) struct WriterThread<S> {
    /// The database, for flushing.
    pub(crate) db: Db,
    /// The only tree.
    pub(crate) tree: Tree,
    /// How many bytes are free on its disk.
    pub(crate) free_bytes: FreeBytes,
    /// What is known of the last group.
    pub(crate) ledger: Ledger,
    /// How long to delay a commit so that more writes can join.
    pub(crate) group_commit: GroupCommit,
    /// The state that takes part in every commit.
    pub(crate) state: S,
    /// Called when a group is on the disk, before any step of it is answered.
    pub(crate) changed: OnChange,
}

impl<S: GroupState> Writer<S> {
    /// Starts the thread.
    pub(crate) fn start(thread: WriterThread<S>) -> Result<Writer<S>> {
        let shared = Arc::new(Shared::default());
        let (end, ended) = oneshot::channel();
        let spawned = std::thread::Builder::new()
            .name("doorward-writer".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    thread.run(&shared);
                    // An error means that the receiver is gone: nothing waits for the end.
                    let _ = end.send(());
                }
            });
        spawned.map_err(|error| Error::Unusable(format!("cannot start a thread: {error}")))?;
        Ok(Writer {
            shared,
            ended: Mutex::new(Some(ended)),
        })
    }

    /// Queues a step and waits until it is on the disk. If this future is dropped, the queued step
    /// still runs.
    pub(crate) async fn step<T, F>(&self, cost: WriteCost, run: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>, &mut S) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.shared
            .queue
            .push(Box::new(Step::new(cost, run, answer)))
            .map_err(|refused| match refused {
                Error::Stopped(_) => self.shared.stopped(),
                other => other,
            })?;
        answered
            .await
            .unwrap_or_else(|_| Err(self.shared.stopped()))
    }

    /// Waits until every step that was queued before is on the disk.
    pub(crate) async fn barrier(&self) -> Result<()> {
        let cost = WriteCost {
            class: WriteClass::Reclaim,
            bytes: STEP_BYTES,
        };
        self.step(cost, |_, _| Ok(())).await
    }

    /// Runs the steps that wait, refuses later ones, and waits until the thread has ended.
    pub(crate) async fn close(&self) {
        self.shared.queue.close();
        let ended = lock(&self.ended).take();
        if let Some(ended) = ended
            && ended.await.is_err()
        {
            log::error!("the writer's thread panicked");
        }
    }

    /// Why the writer has stopped; none while it runs.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.shared.failure()
    }

    /// Resolves when the writer has stopped by itself, with the reason.
    pub(crate) async fn failed(&self) -> String {
        loop {
            let failed = self.shared.failed.notified();
            if let Some(reason) = self.failure() {
                return reason.to_owned();
            }
            failed.await;
        }
    }

    /// Which writes are refused for lack of space.
    pub(crate) fn pressure(&self) -> DiskPressure {
        self.shared.disk_monitor.read()
    }

    /// What was counted since the start.
    pub(crate) fn stats(&self) -> WriterStats {
        WriterStats {
            steps: self.shared.steps.get(),
            waiting: self.shared.queue.len(),
            groups: self.shared.group_durations.read(),
            flushes: self.shared.flush_durations.read(),
        }
    }

    /// The number of the group under way, if there is one: the same answer for a long time means
    /// that the disk hangs.
    pub(crate) fn under_way(&self) -> Option<u64> {
        let begun = self.shared.begun.load(Ordering::Acquire);
        let finished = self.shared.finished.load(Ordering::Acquire);
        (begun != finished).then_some(begun)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the disk takes, for the delay of the next group; nothing that is stored depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

impl<S: GroupState> WriterThread<S> {
    fn run(mut self, shared: &Shared<S>) {
        let mut group = Group::new();
        while shared
            .queue
            .take_group(&mut group, |waiting| self.group_commit.wait_policy(waiting))
        {
            let started = now();
            shared.begun.fetch_add(1, Ordering::Release);
            // A panic of a step is caught where the step runs. Any other panic leaves an unknown
            // state, so it stops the writer.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.commit(&mut group, shared)));
            let outcome = outcome
                .unwrap_or_else(|_| Err(Error::Stopped("its writer panicked; see the log".into())));
            let sizes = group.iter().map(|step| step.cost().bytes);
            let took = now() - started;
            self.group_commit.note(sizes, took);
            shared.steps.add(group.len() as u64);
            if matches!(outcome, Ok(true)) {
                shared.group_durations.record(took);
            }
            let outcome = outcome.map(drop);
            shared.finished.fetch_add(1, Ordering::Release);
            if let Err(error) = &outcome {
                shared.fail(error);
            }
            for step in group.drain(..) {
                step.answer(outcome.clone());
            }
            if outcome.is_err() {
                break;
            }
        }
        self.ledger.sync();
        for step in shared.queue.abandon() {
            step.answer(Err(shared.stopped()));
        }
    }

    /// Runs a group and makes it durable. False: it changes nothing. An error is final.
    fn commit(&mut self, group: &mut Group<S>, shared: &Shared<S>) -> Result<bool> {
        let mut budget = shared.disk_monitor.note((self.free_bytes)());
        let mut tx = Transaction::new(&self.tree);
        for step in group {
            step.run(&mut tx, &mut self.state, &mut budget);
        }
        if tx.is_empty() && self.state.is_idle() {
            return Ok(false);
        }
        let mut entries = self.state.entries(self.ledger.sequence() + 1)?;
        let bookkeeping = self.state.bookkeeping()?;
        let uncharged = bookkeeping
            .as_ref()
            .map_or(0, |(key, value)| entry_bytes(key, value));
        entries.changed.extend(bookkeeping);
        let syncs = fdatasync::syncs();
        let Applied { keys, bytes } = self.ledger.apply(&self.tree, tx, entries)?;
        debug_assert!(
            bytes <= budget.taken() + uncharged,
            "the steps are charged less than their group writes: {bytes} bytes"
        );
        let applied = now();
        self.db.flush().map_err(|error| from_sled(&error))?;
        shared.flush_durations.record(now() - applied);
        if fdatasync::syncs() == syncs {
            return Err(Error::Stopped("a flush did not reach the disk".into()));
        }
        self.ledger.note_durable();
        (self.changed)(&keys);
        self.state.committed();
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use tempfile::TempDir;

    use super::*;
    use crate::store::sled::engine::keys::meta;
    use crate::store::sled::engine::open::{self, OpenOptions};
    use crate::store::sled::engine::read::Read;
    use crate::store::sled::engine::registry::MetaSlot;
    use crate::store::sled::engine::transaction::GroupEntries;

    const COST: WriteCost = WriteCost {
        class: WriteClass::Change,
        bytes: 1,
    };

    /// Records whether `committed` was called.
    #[derive(Default)]
    struct Probe(Arc<AtomicBool>);

    impl GroupState for Probe {
        fn step_bytes(&self) -> u64 {
            0
        }
        fn keep(&mut self) {}
        fn roll_back(&mut self) {}
        fn is_idle(&self) -> bool {
            true
        }
        fn entries(&mut self, _: u64) -> Result<GroupEntries> {
            Ok(GroupEntries::default())
        }
        fn committed(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    /// A writer with a database of its own.
    struct Fixture {
        writer: Writer<Probe>,
        tree: Tree,
        _directory: TempDir,
    }

    impl Fixture {
        fn start(state: Probe, changed: OnChange) -> Fixture {
            let directory = tempfile::tempdir().unwrap();
            let opened = open::open(directory.path(), &OpenOptions::default()).unwrap();
            let thread = WriterThread {
                db: opened.db,
                tree: opened.tree.clone(),
                free_bytes: Box::new(|| u64::MAX),
                ledger: opened.ledger,
                group_commit: GroupCommit::default(),
                state,
                changed,
            };
            Fixture {
                writer: Writer::start(thread).unwrap(),
                tree: opened.tree,
                _directory: directory,
            }
        }
    }

    #[tokio::test]
    async fn a_panic_of_the_writer_stops_it_for_good_with_a_reason() {
        // Only the first group fails: a writer that went on would write the second.
        let has_failed = AtomicBool::new(false);
        let fail_once = move |_: &[Vec<u8>]| assert!(has_failed.swap(true, Ordering::SeqCst));
        let fixture = Fixture::start(Probe::default(), Box::new(fail_once));
        let Fixture { writer, tree, .. } = &fixture;
        let put = |tx: &mut Transaction<'_>, _: &mut Probe| tx.put(&meta(MetaSlot::Starts), &1_u64);
        let outcome = writer.step(COST, put).await;
        assert!(matches!(outcome, Err(Error::Stopped(_))), "{outcome:?}");
        assert!(writer.failed().await.contains("panicked"));
        let has_run = Arc::new(AtomicBool::new(false));
        let later = {
            let has_run = Arc::clone(&has_run);
            writer.step(COST, move |tx, _| {
                has_run.store(true, Ordering::SeqCst);
                tx.put(&meta(MetaSlot::WaitingMails), &1_u64)
            })
        };
        assert_eq!(later.await, outcome);
        assert!(!has_run.load(Ordering::SeqCst));
        assert_eq!(tree.fetch(&meta::<u64>(MetaSlot::WaitingMails)), Ok(None));
        writer.close().await;
    }

    #[tokio::test]
    async fn the_state_is_notified_of_a_group_only_after_the_flush() {
        let notified = Arc::new(AtomicBool::new(false));
        let notified_before = Arc::new(Mutex::new(None));
        // This is called when the group is on the disk, before `committed` of the state.
        let changed = {
            let (notified, notified_before) = (Arc::clone(&notified), Arc::clone(&notified_before));
            move |_: &[Vec<u8>]| *lock(&notified_before) = Some(notified.load(Ordering::SeqCst))
        };
        let fixture = Fixture::start(Probe(Arc::clone(&notified)), Box::new(changed));
        let put = |tx: &mut Transaction<'_>, _: &mut Probe| tx.put(&meta(MetaSlot::Starts), &1_u64);
        fixture.writer.step(COST, put).await.unwrap();
        assert_eq!(*lock(&notified_before), Some(false));
        assert!(notified.load(Ordering::SeqCst));
        // A group that changes nothing is not forced to the disk.
        fixture.writer.barrier().await.unwrap();
        let stats = fixture.writer.stats();
        assert_eq!((stats.steps, stats.waiting), (2, 0));
        assert_eq!((stats.groups.count(), stats.flushes.count()), (1, 1));
        fixture.writer.close().await;
    }
}
