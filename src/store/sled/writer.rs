//! The one thread that writes. Requests hand it *steps*; it drains whatever waits, runs the steps in order over one view, applies the
//! group as one batch, makes it durable, and only then answers each. So steps are serializable by construction, and a step that
//! checks and then acts cannot be raced.
//!
//! If the process dies before the batch is on the disk, nothing of the group happened and nobody was told otherwise; if it
//! dies after that, all of it happened. Any failure to write ends the writer for good: it then refuses everything, and the
//! process is expected to end and be started anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use sled::{Db, Tree};
use tokio::sync::{Notify, mpsc, oneshot};

use super::super::{Outcome, StoreError};
use super::durable;
use super::events::EventLog;
use super::keys::{Key, meta};
use super::live::Live;
use super::record;
use super::view::{Finished, View, broken};

/// Steps that may wait: more than there can be connections.
const QUEUE_STEPS: usize = 16_384;
/// Steps of one group: it bounds the batch, and how long the first of a group waits for the last.
const GROUP_STEPS: usize = 1_024;
/// Where the sequence number of the last group lies.
pub(super) const SEQUENCE: u8 = 1;

/// How much free disk a step asks for before it runs. sled does not survive a full disk without being opened anew, and opening
/// needs space too, so changes stop while there is some left: events first, then accounts and tokens, and the sweeper, which
/// makes room, last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Room {
    /// For what frees space.
    Reclaim,
    /// For accounts, tokens and codes.
    Change,
    /// For events.
    Events,
}

impl Room {
    fn free_bytes(self) -> u64 {
        match self {
            Room::Reclaim => 2 << 20,
            Room::Change => 6 << 20,
            Room::Events => 16 << 20,
        }
    }
}

/// What the writer and everybody else know together.
pub(super) struct Shared {
    /// Why the writer has stopped, once it has.
    failure: OnceLock<String>,
    /// Told when it stops.
    failed: Notify,
    /// Set while changes are refused for want of space.
    full: AtomicBool,
    /// Groups begun and groups finished: they differ while one is under way.
    begun: AtomicU64,
    finished: AtomicU64,
    /// Set when the group under way is to be the last.
    closing: AtomicBool,
}

impl Shared {
    /// Why the writer has stopped, if it has.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Whether changes are refused for want of space.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// The number of the group under way, if one is: the same answer for a long time means that the disk hangs.
    pub(super) fn under_way(&self) -> Option<u64> {
        let begun = self.begun.load(Ordering::Acquire);
        (begun != self.finished.load(Ordering::Acquire)).then_some(begun)
    }

    /// Stops everything, for this reason.
    pub(super) fn fail(&self, why: String) {
        if self.failure.set(why).is_ok() {
            self.failed.notify_waiters();
        }
    }

    /// Waits until the writer has stopped by itself.
    pub(super) async fn failed(&self) -> String {
        loop {
            let told = self.failed.notified();
            if let Some(why) = self.failure() {
                return why.to_owned();
            }
            told.await;
        }
    }
}

/// A step on its way, whatever it returns.
trait Pending: Send {
    fn room(&self) -> Room;
    fn run(&mut self, view: &mut View<'_>);
    fn answer(self: Box<Self>, group: Outcome<()>);
}

struct Step<T, F> {
    room: Room,
    run: Option<F>,
    outcome: Outcome<T>,
    answer: oneshot::Sender<Outcome<T>>,
}

impl<T, F> Pending for Step<T, F>
where
    T: Send,
    F: FnOnce(&mut View<'_>) -> Outcome<T> + Send,
{
    fn room(&self) -> Room {
        self.room
    }

    fn run(&mut self, view: &mut View<'_>) {
        let Some(run) = self.run.take() else { return };
        self.outcome = match catch_unwind(AssertUnwindSafe(|| run(view))) {
            Ok(outcome) => outcome,
            Err(_) => Err(StoreError::Corrupt("a step panicked; see the log".into())),
        };
        match self.outcome {
            Ok(_) => view.keep(),
            Err(_) => view.roll_back(),
        }
    }

    fn answer(self: Box<Self>, group: Outcome<()>) {
        // Nobody may be listening any more: the client went away. The step has happened all the same.
        let _ = self.answer.send(group.and(self.outcome));
    }
}

/// The hand that gives steps to the writer.
pub(super) struct Writer {
    steps: mpsc::Sender<Box<dyn Pending>>,
    /// Shared with the thread.
    pub(super) shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Told which keys have changed.
pub(super) type OnChange = Box<dyn Fn(&[Vec<u8>]) + Send>;

/// What the thread owns.
pub(super) struct Desk {
    /// The database, for flushing.
    pub(super) db: Db,
    /// The one tree.
    pub(super) tree: Tree,
    /// Where it lies, for asking how much space is left.
    pub(super) path: PathBuf,
    /// The number of the last group.
    pub(super) sequence: u64,
    /// The events.
    pub(super) events: EventLog,
    /// Who listens to events.
    pub(super) live: Arc<Live>,
    /// Called before anybody is answered.
    pub(super) changed: OnChange,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(desk: Desk) -> Result<Writer, StoreError> {
        let shared = Arc::new(Shared {
            failure: OnceLock::new(),
            failed: Notify::new(),
            full: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            closing: AtomicBool::new(false),
        });
        let (steps, queue) = mpsc::channel(QUEUE_STEPS);
        let thread = std::thread::Builder::new()
            .name("doorward-writer".into())
            .spawn({
                let shared = Arc::clone(&shared);
                move || desk.serve(queue, &shared)
            });
        let thread = thread.map_err(|error| StoreError::Unusable(format!("no thread: {error}")))?;
        Ok(Writer {
            steps,
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands over a step and waits until it is on the disk. When this future is dropped the step happens all the same.
    pub(super) async fn step<T, F>(&self, room: Room, run: F) -> Outcome<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut View<'_>) -> Outcome<T> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let outcome = Err(StoreError::Stopped("the step was not run".into()));
        let step = Box::new(Step {
            room,
            run: Some(run),
            outcome,
            answer,
        });
        self.steps.try_send(step).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => self.gone(),
        })?;
        answered.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Lets the steps that wait happen, refuses later ones, and ends the thread.
    pub(super) async fn close(&self) {
        self.shared.closing.store(true, Ordering::Release);
        // Wakes the thread; that the store has stopped already is no matter here.
        let _ = self.step(Room::Reclaim, |_| Ok(())).await;
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the writer's thread panicked");
        }
    }

    fn gone(&self) -> StoreError {
        StoreError::Stopped(self.shared.failure().unwrap_or("it is closed").to_owned())
    }
}

impl Desk {
    fn serve(mut self, mut queue: mpsc::Receiver<Box<dyn Pending>>, shared: &Shared) {
        let mut group = Vec::with_capacity(GROUP_STEPS);
        while let Some(first) = queue.blocking_recv() {
            group.push(first);
            while group.len() < GROUP_STEPS {
                let Ok(next) = queue.try_recv() else { break };
                group.push(next);
            }
            shared.begun.fetch_add(1, Ordering::Release);
            let outcome = self.commit(&mut group, shared);
            shared.finished.fetch_add(1, Ordering::Release);
            if let Err(error) = &outcome {
                log::error!("the database has stopped, nothing more is written: {error}");
                shared.fail(error.to_string());
            }
            for step in group.drain(..) {
                step.answer(outcome.clone());
            }
            let closed = shared.closing.load(Ordering::Acquire) && queue.is_empty();
            if outcome.is_err() || closed {
                break;
            }
        }
        queue.close();
        let gone = StoreError::Stopped(shared.failure().unwrap_or("it is closed").to_owned());
        while let Some(step) = queue.blocking_recv() {
            step.answer(Err(gone.clone()));
        }
    }

    /// Runs a group and makes it durable. An error is final.
    fn commit(&mut self, group: &mut Vec<Box<dyn Pending>>, shared: &Shared) -> Outcome<()> {
        let free = self.free_bytes();
        let mut view = View::new(&self.tree, &mut self.events);
        let mut refused = Vec::new();
        let mut index = 0;
        while let Some(step) = group.get_mut(index) {
            if free < step.room().free_bytes() {
                refused.push(group.remove(index));
            } else {
                step.run(&mut view);
                index += 1;
            }
        }
        note_space(shared, free);
        for step in refused {
            step.answer(Err(StoreError::Full));
        }
        if view.is_idle() {
            return Ok(());
        }
        let sequence = self.sequence + 1;
        let is_heard = self.live.begin(sequence);
        let Finished {
            mut batch,
            keys,
            fresh,
        } = view.finish(sequence, is_heard)?;
        let number = meta::<u64>(SEQUENCE).bytes();
        batch.insert(number.clone(), record::seal(&number, &sequence)?);
        let syncs = durable::syncs();
        self.tree
            .apply_batch(batch)
            .map_err(|error| broken(&error))?;
        self.db.flush().map_err(|error| broken(&error))?;
        if durable::syncs() == syncs {
            return Err(StoreError::Stopped("a flush did not reach the disk".into()));
        }
        self.sequence = sequence;
        (self.changed)(&keys);
        self.live.publish(&fresh);
        Ok(())
    }

    fn free_bytes(&self) -> u64 {
        // Not knowing is no reason to refuse.
        rustix::fs::statvfs(&self.path)
            .map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}

fn note_space(shared: &Shared, free: u64) {
    let full = free < Room::Change.free_bytes();
    if shared.full.swap(full, Ordering::Relaxed) != full {
        if full {
            log::error!("the disk is nearly full: changes are refused until there is room again");
        } else {
            log::info!("there is room on the disk again: changes are taken");
        }
    }
}
