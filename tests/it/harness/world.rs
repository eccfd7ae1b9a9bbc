//! A clock that tests advance by hand, and random bytes that are the same in every run.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use doorward::crypto;
use doorward::model::Timestamp;
use doorward::world::{Clock, Random};

/// The time at which every test begins: 2026-03-01T12:00:00.250Z.
const BEGIN_MILLIS: u64 = 1_772_366_400_250;

/// A clock that moves only when a test advances it, and whose wall side a test can also set.
pub(crate) struct HandClock {
    passed_millis: AtomicU64,
    /// What had passed when the server was last started: then its monotonic time was zero.
    started_millis: AtomicU64,
    /// By how many milliseconds the wall clock is ahead of the right time.
    shift: AtomicI64,
}

impl HandClock {
    /// A clock at the time at which every test begins.
    pub(crate) fn start() -> HandClock {
        HandClock {
            passed_millis: AtomicU64::new(0),
            started_millis: AtomicU64::new(0),
            shift: AtomicI64::new(0),
        }
    }

    /// Advances the clock, in whole milliseconds.
    pub(crate) fn advance(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.passed_millis.fetch_add(millis, Ordering::SeqCst);
    }

    /// Lets monotonic time begin again, as in a new process.
    pub(crate) fn restart(&self) {
        let passed = self.passed_millis.load(Ordering::SeqCst);
        self.started_millis.store(passed, Ordering::SeqCst);
    }

    /// Sets the wall clock ahead of the right time.
    pub(crate) fn set_ahead(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.shift.store(millis, Ordering::SeqCst);
    }

    /// Sets the wall clock back behind the right time.
    pub(crate) fn set_back(&self, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        self.shift.store(-millis, Ordering::SeqCst);
    }

    /// Sets the wall clock to 1970, as a board without a battery does when it starts.
    pub(crate) fn set_to_1970(&self) {
        self.set_right();
        self.set_back(self.now().since(Timestamp::default()));
    }

    /// Sets the wall clock to the right time.
    pub(crate) fn set_right(&self) {
        self.set_ahead(Duration::ZERO);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        let right = BEGIN_MILLIS + self.passed_millis.load(Ordering::SeqCst);
        let ahead = self.shift.load(Ordering::SeqCst);
        Timestamp::from_millis(i64::try_from(right).unwrap() + ahead)
    }

    fn monotonic(&self) -> Duration {
        let started = self.started_millis.load(Ordering::SeqCst);
        Duration::from_millis(self.passed_millis.load(Ordering::SeqCst) - started)
    }
}

/// The same bytes in every run: the SHA-256 of a counter. Which caller gets which bytes depends on
/// the order of the threads.
pub(crate) struct SeededRandom {
    drawn: AtomicU64,
    before_next: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl SeededRandom {
    /// A source whose counter is 0.
    pub(crate) fn start() -> SeededRandom {
        SeededRandom {
            drawn: AtomicU64::new(0),
            before_next: Mutex::default(),
        }
    }

    /// Runs `act` once, at the start of the next draw. The drawing thread runs it first.
    pub(crate) fn before_next_draw(&self, act: impl FnOnce() + Send + 'static) {
        *self.before_next.lock().unwrap() = Some(Box::new(act));
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        // Take `act` out and release the lock first, because `act` may draw bytes too.
        let act = self.before_next.lock().unwrap().take();
        if let Some(act) = act {
            act();
        }
        for chunk in bytes.chunks_mut(32) {
            let count = self.drawn.fetch_add(1, Ordering::SeqCst);
            let drawn = crypto::digest(&count.to_be_bytes()).0;
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    }
}
