//! A clock that tests advance by hand, and random bytes that are the same in every run.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use doorward::crypto;
use doorward::model::Timestamp;
use doorward::world::{Clock, Random};

/// The time at which every test begins: 2026-03-01T12:00:00.250Z.
const BEGIN_MILLIS: u64 = 1_772_366_400_250;

/// A clock that moves only when a test advances it.
pub(crate) struct HandClock {
    passed_millis: AtomicU64,
}

impl HandClock {
    /// A clock at the time at which every test begins.
    pub(crate) fn start() -> HandClock {
        HandClock {
            passed_millis: AtomicU64::new(0),
        }
    }

    /// Advances the clock, in whole milliseconds.
    pub(crate) fn advance(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.passed_millis.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        let millis = BEGIN_MILLIS + self.passed_millis.load(Ordering::SeqCst);
        Timestamp::from_millis(i64::try_from(millis).unwrap())
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.passed_millis.load(Ordering::SeqCst))
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
