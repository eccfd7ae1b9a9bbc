//! How busy the server is with requests other than logins: they carry tokens, and each token check
//! is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::world::Clock;

/// More token checks than this in a second are a high rate: from there on two busy hashing threads
/// delay other requests noticeably.
const HIGH_RATE: u128 = 1_000;
/// The shortest time over which the rate is measured.
pub(super) const WINDOW: Duration = Duration::from_millis(100);

/// The number of token checks since the start.
#[derive(Default)]
pub(super) struct TokenChecks(AtomicU64);

impl TokenChecks {
    /// Counts one.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Measures the rate of token checks for one observer.
pub(super) struct RateMeter {
    checks: Arc<TokenChecks>,
    clock: Arc<dyn Clock>,
    /// The count at the last measurement, and when it was.
    counted: u64,
    measured_at: Duration,
    is_high: bool,
}

impl RateMeter {
    pub(super) fn new(checks: Arc<TokenChecks>, clock: Arc<dyn Clock>) -> RateMeter {
        RateMeter {
            counted: checks.0.load(Ordering::Relaxed),
            measured_at: clock.monotonic(),
            checks,
            clock,
            is_high: false,
        }
    }

    /// Whether the rate since the last measurement is high. Within `WINDOW` of a measurement its
    /// result stands.
    pub(super) fn is_high(&mut self) -> bool {
        let now = self.clock.monotonic();
        let passed = now.saturating_sub(self.measured_at);
        if passed >= WINDOW {
            let count = self.checks.0.load(Ordering::Relaxed);
            let more = u128::from(count.wrapping_sub(self.counted));
            self.is_high = more * 1_000 > HIGH_RATE * passed.as_millis();
            (self.counted, self.measured_at) = (count, now);
        }
        self.is_high
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::model::Timestamp;
    use crate::sync::lock;

    #[derive(Default)]
    struct HandClock(Mutex<Duration>);

    impl Clock for HandClock {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }
        fn monotonic(&self) -> Duration {
            *lock(&self.0)
        }
    }

    #[test]
    fn more_than_a_thousand_token_checks_a_second_are_a_high_rate() {
        let checks = Arc::new(TokenChecks::default());
        let clock = Arc::new(HandClock::default());
        let mut meter = RateMeter::new(Arc::clone(&checks), Arc::clone(&clock) as _);
        let mut after = |count, time| {
            (0..count).for_each(|_| checks.add());
            *lock(&clock.0) += time;
            meter.is_high()
        };
        let second = Duration::from_secs(1);
        assert!(!after(1_000, second));
        assert!(after(1_001, second));
        // A measurement stands for its window.
        assert!(after(0, WINDOW / 2));
        assert!(!after(0, WINDOW / 2));
        assert!(after(101, WINDOW));
    }
}
