//! The one thread that writes. Requests hand it *steps*; it drains whatever waits, runs the steps in order over one view, applies the
//! group as one batch, makes it durable, and only then answers each. So steps are serializable by construction, and a step that
//! checks and then acts cannot be raced.
//!
//! If the process dies before the batch is on the disk, nothing of the group happened and nobody was told otherwise; if it
//! dies after that, all of it happened. Any failure to write ends the writer for good: it then refuses everything, and the
//! process is expected to end and be started anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use sled::{Db, Tree};
use tokio::sync::{Notify, oneshot};

use crate::store::sled::engine::disk_space::{
    DiskMonitor, DiskPressure, FreeBytes, WriteClass, WriteCost,
};
use crate::store::sled::engine::fdatasync;
use crate::store::sled::engine::group_commit::GroupCommit;
use crate::store::sled::engine::keys::{Key, meta};
use crate::store::sled::engine::queue::{Group, Queue, QueuedStep};
use crate::store::sled::engine::record;
use crate::store::sled::engine::transaction::{CommitBatch, Transaction, broken};
use crate::store::sled::events::append::EventLog;
use crate::store::sled::events::live::Live;
use crate::store::{Error, Result};

/// Where the sequence number of the last group lies.
pub(crate) const SEQUENCE: u8 = 1;

/// What the writer and everybody else know together.
#[derive(Default)]
pub(crate) struct Shared {
    queue: Queue,
    /// Why the writer has stopped, once it has.
    failure: OnceLock<String>,
    /// Told when it stops.
    failed: Notify,
    /// What is refused for want of space.
    disk_monitor: DiskMonitor,
    /// Groups begun and groups finished: they differ while one is under way.
    begun: AtomicU64,
    finished: AtomicU64,
}

impl Shared {
    /// Why the writer has stopped, if it has.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    fn gone(&self) -> Error {
        Error::Stopped(self.failure().unwrap_or("it is closed").to_owned())
    }

    /// What is refused for want of space.
    pub(crate) fn pressure(&self) -> DiskPressure {
        self.disk_monitor.read()
    }

    /// The number of the group under way, if one is: the same answer for a long time means that the disk hangs.
    pub(crate) fn under_way(&self) -> Option<u64> {
        let begun = self.begun.load(Ordering::Acquire);
        (begun != self.finished.load(Ordering::Acquire)).then_some(begun)
    }

    /// Stops everything, for this reason.
    pub(crate) fn fail(&self, why: String) {
        if self.failure.set(why).is_ok() {
            self.failed.notify_waiters();
        }
    }

    /// Waits until the writer has stopped by itself.
    pub(crate) async fn failed(&self) -> String {
        loop {
            let told = self.failed.notified();
            if let Some(why) = self.failure() {
                return why.to_owned();
            }
            told.await;
        }
    }
}

struct Step<T, F> {
    cost: WriteCost,
    run: Option<F>,
    outcome: Result<T>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> QueuedStep for Step<T, F>
where
    T: Send,
    F: FnOnce(&mut Transaction<'_>) -> Result<T> + Send,
{
    fn cost(&self) -> WriteCost {
        self.cost
    }

    fn run(&mut self, tx: &mut Transaction<'_>, has_room: bool) {
        let Some(run) = self.run.take() else { return };
        if !has_room && self.cost.room == WriteClass::Events {
            // Events cannot be taken back once they are in the group.
            self.outcome = Err(Error::Full);
            return;
        }
        self.outcome = match catch_unwind(AssertUnwindSafe(|| run(tx))) {
            Ok(Ok(_)) if !has_room && tx.step_has_changes() => Err(Error::Full),
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Corrupt("a step panicked; see the log".into())),
        };
        match self.outcome {
            Ok(_) => tx.keep(),
            Err(_) => tx.roll_back(),
        }
    }

    fn answer(self: Box<Self>, group: Result<()>) {
        // Nobody may be listening any more: the client went away. The step has happened all the same.
        let _ = self.answer.send(group.and(self.outcome));
    }
}

/// The hand that gives steps to the writer.
pub(crate) struct Writer {
    /// Shared with the thread.
    pub(crate) shared: Arc<Shared>,
    /// Resolves when the thread has ended.
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

/// Told which keys have changed.
pub(crate) type OnChange = Box<dyn Fn(&[Vec<u8>]) + Send>;

/// What the thread owns.
pub(crate) struct WriterThread {
    /// The database, for flushing.
    pub(crate) db: Db,
    /// The one tree.
    pub(crate) tree: Tree,
    /// How many bytes are free where it lies.
    pub(crate) free_bytes: FreeBytes,
    /// The number of the last group.
    pub(crate) sequence: u64,
    /// How long a group waits for company.
    pub(crate) pace: GroupCommit,
    /// The events.
    pub(crate) events: EventLog,
    /// Who listens to events.
    pub(crate) live: Arc<Live>,
    /// Called before anybody is answered.
    pub(crate) changed: OnChange,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(desk: WriterThread) -> Result<Writer, Error> {
        let shared = Arc::new(Shared::default());
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("doorward-writer".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || {
                    desk.serve(&shared);
                    // An error means that nobody waits for it.
                    let _ = end.send(());
                }
            });
        thread.map_err(|error| Error::Unusable(format!("no thread: {error}")))?;
        Ok(Writer {
            shared,
            ended: Mutex::new(Some(ended)),
        })
    }

    /// Hands over a step and waits until it is on the disk. When this future is dropped the step happens all the same.
    pub(crate) async fn step<T, F>(&self, cost: WriteCost, run: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let outcome = Err(Error::Stopped("the step was not run".into()));
        let step = Box::new(Step {
            cost,
            run: Some(run),
            outcome,
            answer,
        });
        self.shared
            .queue
            .push(step)
            .map_err(|refused| match refused {
                Error::Stopped(_) => self.shared.gone(),
                other => other,
            })?;
        answered.await.unwrap_or_else(|_| Err(self.shared.gone()))
    }

    /// Lets the steps that wait happen, refuses later ones, and waits until the thread has ended.
    pub(crate) async fn close(&self) {
        self.shared.queue.close();
        let ended = self
            .ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(ended) = ended
            && ended.await.is_err()
        {
            log::error!("the writer's thread panicked");
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long the disk takes, for the pace of the next group; nothing that is stored depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

impl WriterThread {
    fn serve(mut self, shared: &Shared) {
        let mut group = Group::new();
        while shared
            .queue
            .take_group(&mut group, |waiting| self.pace.wait_policy(waiting))
        {
            let (steps, started) = (group.len(), now());
            shared.begun.fetch_add(1, Ordering::Release);
            // A step's own panic is caught where it runs. Any other leaves nobody knows what behind: it is final.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.commit(&mut group, shared)));
            let outcome = outcome
                .unwrap_or_else(|_| Err(Error::Stopped("its writer panicked; see the log".into())));
            self.pace
                .note(steps, now().saturating_duration_since(started));
            shared.finished.fetch_add(1, Ordering::Release);
            if let Err(error) = &outcome {
                log::error!("nothing more is written: {error}");
                shared.fail(match error {
                    Error::Stopped(why) => why.clone(),
                    other => other.to_string(),
                });
            }
            for step in group.drain(..) {
                step.answer(outcome.clone());
            }
            if outcome.is_err() {
                break;
            }
        }
        for step in shared.queue.abandon() {
            step.answer(Err(shared.gone()));
        }
    }

    /// Runs a group and makes it durable. An error is final.
    fn commit(&mut self, group: &mut Group, shared: &Shared) -> Result<()> {
        let mut space = shared.disk_monitor.note((self.free_bytes)());
        let mut tx = Transaction::new(&self.tree, &mut self.events);
        for step in group {
            let has_room = space.take(step.cost());
            step.run(&mut tx, has_room);
        }
        if tx.is_idle() {
            return Ok(());
        }
        let sequence = self.sequence + 1;
        let has_listeners = self.live.begin(sequence);
        let CommitBatch {
            mut batch,
            keys,
            committed_blocks,
        } = tx.finish(sequence, has_listeners)?;
        let number = meta::<u64>(SEQUENCE).bytes();
        batch.insert(number.clone(), record::seal(&number, &sequence)?);
        let syncs = fdatasync::syncs();
        self.tree
            .apply_batch(batch)
            .map_err(|error| broken(&error))?;
        self.db.flush().map_err(|error| broken(&error))?;
        if fdatasync::syncs() == syncs {
            return Err(Error::Stopped("a flush did not reach the disk".into()));
        }
        self.sequence = sequence;
        (self.changed)(&keys);
        self.live.publish(&committed_blocks);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicBool;
    use std::task::{Context, Poll, Waker};

    use tempfile::TempDir;

    use super::*;
    use crate::model::{LiveQuery, NewEvent, Principal, Timestamp, UserId, UserNumber};
    use crate::store::sled::engine::transaction::Read;
    use crate::store::sled::events::counts::names::Names;
    use crate::store::sled::events::disk_writes::DailyWrites;
    use crate::store::sled::events::format::columns::Reporter;
    use crate::store::sled::events::live::Listener;
    use crate::store::sled::events::resolver::Lookup;
    use crate::store::{Delivery, EventListener};
    use crate::store::{events, open};

    const NEEDS: WriteCost = WriteCost {
        room: WriteClass::Change,
        bytes: 1,
    };

    /// A writer with a database of its own, and what can be seen beside it.
    struct Written {
        writer: Writer,
        tree: Tree,
        _directory: TempDir,
    }

    /// Starts a writer; `changed` is made for the live events and the lookup beside it.
    fn start(changed: impl FnOnce(&Arc<Live>, Lookup) -> OnChange) -> Written {
        let directory = tempfile::tempdir().unwrap();
        let opened = open::open(directory.path(), 1 << 20).unwrap();
        let names = Arc::new(Names::load(&opened.tree, 1).unwrap());
        let live = Arc::new(Live::new(opened.sequence));
        let changed = changed(&live, Lookup::new(&opened.tree, &names));
        let desk = WriterThread {
            events: EventLog::open(&opened.tree, names, DailyWrites::default()).unwrap(),
            live,
            db: opened.db,
            tree: opened.tree.clone(),
            free_bytes: Box::new(|| u64::MAX),
            sequence: opened.sequence,
            pace: GroupCommit::default(),
            changed,
        };
        Written {
            writer: Writer::start(desk).unwrap(),
            tree: opened.tree,
            _directory: directory,
        }
    }

    #[tokio::test]
    async fn a_panic_of_the_writer_stops_it_for_good_with_a_reason() {
        // Only the first group fails: a writer that went on would write the second.
        let has_failed = AtomicBool::new(false);
        let fail_once = move |_: &[Vec<u8>]| assert!(has_failed.swap(true, Ordering::SeqCst));
        let Written { writer, tree, .. } = start(|_, _| Box::new(fail_once));
        let put = |tx: &mut Transaction<'_>| tx.put(&meta::<u64>(200), &1);
        let outcome = writer.step(NEEDS, put).await;
        let is_stopped = matches!(outcome, Err(Error::Stopped(_)));
        assert!(is_stopped, "{outcome:?}");
        assert!(writer.shared.failed().await.contains("panicked"));
        let has_run = Arc::new(AtomicBool::new(false));
        let later = {
            let has_run = Arc::clone(&has_run);
            writer.step(NEEDS, move |tx| {
                has_run.store(true, Ordering::SeqCst);
                tx.put(&meta::<u64>(201), &1)
            })
        };
        assert_eq!(later.await, outcome);
        assert!(!has_run.load(Ordering::SeqCst));
        assert_eq!(tree.fetch(&meta::<u64>(201)), Ok(None));
        writer.close().await;
    }

    /// What a listener hears right now, if anything.
    fn heard(listener: &mut Listener) -> Option<Result<Delivery>> {
        let next = pin!(listener.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(heard) => Some(heard),
            Poll::QueuedStep => None,
        }
    }

    #[tokio::test]
    async fn listeners_are_told_only_after_the_flush() {
        let listener = Arc::new(Mutex::new(None));
        let was_told = Arc::new(Mutex::new(None));
        let Written { writer, .. } = start(|live, lookup| {
            let (listener, was_told) = (Arc::clone(&listener), Arc::clone(&was_told));
            let query = LiveQuery::default();
            *listener.lock().unwrap() = Listener::register(live, lookup, query);
            // This is called between the flush and the telling.
            Box::new(move |_| {
                let told = heard(listener.lock().unwrap().as_mut().unwrap()).is_some();
                *was_told.lock().unwrap() = Some(told);
            })
        });
        let event = NewEvent {
            name: "a",
            subject: UserId::from_random([1; 16]),
            details: None,
            id: None,
        };
        let (at, reporter) = (Timestamp::default(), Reporter::Admin);
        let report = append::encode(at, reporter, &[event], &[0], &[UserNumber(1)]);
        let append = |tx: &mut Transaction<'_>| append::append(tx, Principal::Admin, None, report);
        writer.step(NEEDS, append).await.unwrap();
        assert_eq!(*was_told.lock().unwrap(), Some(false));
        let told = heard(listener.lock().unwrap().as_mut().unwrap());
        assert!(
            matches!(&told, Some(Ok(Delivery::Events(events))) if events.len() == 1),
            "{told:?}"
        );
        writer.close().await;
    }
}
