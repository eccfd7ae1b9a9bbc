//! The time that the service uses. Only this file reads the wall clock, and passes on a moment that
//! is safe to use; `model::ClockTrust` says which one that is.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::model::{ClockReading, ClockTerms, ClockTrust, Timestamp, Trust};
use crate::store::{self, Store};
use crate::sync::lock;
use crate::world::{Clock, EARLIEST};

/// How long readings that are as expected need no further judgement, and so how coarsely the
/// newest moment is kept in the store.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// The wall clock, as far as it is believed.
pub(super) struct ServiceClock {
    clock: Arc<dyn Clock>,
    store: Arc<dyn Store>,
    terms: ClockTerms,
    /// Where the clock is expected when monotonic time is zero, in milliseconds: all that most
    /// readings need, without a lock.
    expected_start: AtomicI64,
    /// Readings at or after this monotonic time need the lock, in milliseconds; 0 while the clock
    /// is suspect.
    look_at: AtomicU64,
    judge: Mutex<Judge>,
}

struct Judge {
    course: ClockTrust,
    /// The last verdict.
    trust: Trust,
}

impl ServiceClock {
    /// Judges the clock at the start by the newest moment in the store.
    pub(super) fn start(
        terms: &ClockTerms,
        clock: Arc<dyn Clock>,
        store: Arc<dyn Store>,
    ) -> store::Result<ServiceClock> {
        let (monotonic, wall) = (clock.monotonic(), clock.now());
        let newest = store.newest_moment()?;
        let started = ServiceClock {
            clock,
            store,
            terms: terms.clone(),
            expected_start: AtomicI64::default(),
            look_at: AtomicU64::default(),
            judge: Mutex::new(Judge {
                course: ClockTrust::start(terms.clone(), EARLIEST, newest, wall, monotonic),
                trust: Trust::Trusted,
            }),
        };
        started.judge(wall, monotonic);
        Ok(started)
    }

    /// The moment of now, for a caller that has just read the monotonic clock.
    pub(super) fn moment_at(&self, monotonic: Duration) -> Timestamp {
        let wall = self.clock.now();
        let believed = self.believed(wall, monotonic);
        believed.unwrap_or_else(|| self.judge(wall, monotonic).moment)
    }

    /// The moment of now.
    pub(super) fn moment(&self) -> Timestamp {
        self.moment_at(self.clock.monotonic())
    }

    /// Judges the clock as it is now.
    pub(super) fn read(&self) -> ClockReading {
        let monotonic = self.clock.monotonic();
        self.judge(self.clock.now(), monotonic)
    }

    /// Lets moments follow the wall clock again, if it may be believed. Call it when no record is
    /// left that had expired. True: the clock was suspect and is trusted now.
    pub(super) fn follow(&self) -> bool {
        let (monotonic, wall) = (self.clock.monotonic(), self.clock.now());
        let was_suspect = {
            let mut judge = lock(&self.judge);
            judge.course.follow(wall, monotonic);
            judge.trust != Trust::Trusted
        };
        let reading = self.judge(wall, monotonic);
        was_suspect && reading.trust == Trust::Trusted
    }

    /// The moment of a reading that is as expected; none: it must be judged.
    fn believed(&self, wall: Timestamp, monotonic: Duration) -> Option<Timestamp> {
        let look_at = Duration::from_millis(self.look_at.load(Ordering::Relaxed));
        let start = Timestamp::from_millis(self.expected_start.load(Ordering::Relaxed));
        let believed = self.terms.believed(start, wall, monotonic);
        believed.filter(|_| monotonic < look_at)
    }

    /// Judges a reading, logs a new verdict, and tells the store the newest certain moment.
    fn judge(&self, wall: Timestamp, monotonic: Duration) -> ClockReading {
        let mut judge = lock(&self.judge);
        let reading = judge.course.observe(wall, monotonic);
        if judge.trust != reading.trust {
            log_change(&reading, wall, &self.terms);
            judge.trust = reading.trust;
        }
        let look_at = match reading.trust {
            Trust::Trusted => (monotonic + LOOK_INTERVAL).as_millis(),
            Trust::Ahead | Trust::Behind => 0,
        };
        let start = judge.course.expected_start();
        self.expected_start.store(start.millis(), Ordering::Relaxed);
        let look_at = u64::try_from(look_at).unwrap_or(u64::MAX);
        self.look_at.store(look_at, Ordering::Relaxed);
        self.store.note_moment(reading.certain);
        reading
    }
}

fn log_change(reading: &ClockReading, wall: Timestamp, terms: &ClockTerms) {
    let side = match reading.trust {
        Trust::Trusted => {
            log::info!("the clock is trusted again: it is {}", wall.rfc3339());
            return;
        }
        Trust::Ahead => "later",
        Trust::Behind => "earlier",
    };
    log::warn!(
        "the clock is suspect: it shows {}, which is {side} than the expected {}; nothing is removed because of its age until the clock is right again or has kept step for {} s",
        wall.rfc3339(),
        reading.certain.rfc3339(),
        terms.trusted_after.as_secs()
    );
}
