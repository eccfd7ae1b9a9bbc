//! What a connection is doing, as one number: its rank among the connections to close when there
//! are too many. The lowest is closed first:
//!
//! 1. idle connections, in the order in which they became idle;
//! 2. connections that wait for their client, which sends a request or reads an answer, in the
//!    order in which their credit ends;
//! 3. never a connection that waits for this server.
//!
//! Credit measures progress. A request begins with the credit of one window, and each byte earns
//! the time that it may take at the least rate, up to one window. A client that sends faster than
//! the least rate keeps nearly all of its credit; one that stalls or drips uses it up. Time in
//! which the connection waits for this server costs no credit.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The rank of a connection that waits for this server.
const SERVED: u64 = u64::MAX;
/// Added to the moment at which the credit of a connection ends. The rank of an idle connection is
/// the moment at which it became idle, without this.
const WAITS_FOR_CLIENT: u64 = 1 << 63;

/// How fast clients must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// The credit of a new request, and the most that a connection can have.
    pub(super) window: Duration,
    /// Bytes in a second.
    pub(super) least_rate: u64,
}

/// The activity of one connection. Only the connection's own task changes it; others read its rank.
pub(super) struct Activity {
    pace: Pace,
    rank: AtomicU64,
    /// The rank to return to when the client has done its part: `SERVED`, or that of an idle
    /// connection whose last answer is not yet written.
    base: AtomicU64,
    /// The credit that was left when the connection last waited for its client, in microseconds.
    credit: AtomicU64,
}

impl Activity {
    /// A connection that is idle from `now` on. Moments are monotonic.
    pub(super) fn new(pace: Pace, now: Duration) -> Activity {
        Activity {
            pace,
            rank: AtomicU64::new(micros(now)),
            base: AtomicU64::new(micros(now)),
            credit: AtomicU64::new(micros(pace.window)),
        }
    }

    /// Its place in the order above; `None` if it must not be closed.
    pub(super) fn rank(&self) -> Option<u64> {
        let rank = self.rank.load(Ordering::SeqCst);
        (rank != SERVED).then_some(rank)
    }

    /// Whether it is idle: its client has sent no byte since the last answer.
    pub(super) fn is_idle(&self) -> bool {
        self.rank.load(Ordering::Relaxed) < WAITS_FOR_CLIENT
    }

    /// Whether it waits for its client in the middle of a request or an answer.
    pub(super) fn is_waiting(&self) -> bool {
        let rank = self.rank.load(Ordering::Relaxed);
        rank != SERVED && rank >= WAITS_FOR_CLIENT
    }

    /// Becomes idle.
    pub(super) fn rest(&self, now: Duration) {
        self.base.store(micros(now), Ordering::Relaxed);
        self.rank.store(micros(now), Ordering::SeqCst);
    }

    /// The client has begun to send a request.
    pub(super) fn begin(&self, now: Duration) {
        self.renew_credit();
        self.wait(now);
    }

    /// The head of a request has arrived. From now on the connection waits for this server, except
    /// between `wait` and `advance`.
    pub(super) fn serve(&self) {
        self.renew_credit();
        self.base.store(SERVED, Ordering::Relaxed);
        self.rank.store(SERVED, Ordering::SeqCst);
    }

    /// The next step is the client's: bytes of a request, or room for an answer.
    pub(super) fn wait(&self, now: Duration) {
        let credit = self.credit.load(Ordering::Relaxed);
        let until = WAITS_FOR_CLIENT | micros(now).saturating_add(credit);
        self.rank.store(until, Ordering::SeqCst);
    }

    /// The client has sent or taken so many bytes.
    pub(super) fn advance(&self, bytes: usize, now: Duration) {
        let until = self.rank.load(Ordering::Relaxed) & !WAITS_FOR_CLIENT;
        let left = until.saturating_sub(micros(now));
        let credit = left.saturating_add(self.earned(bytes));
        let credit = credit.min(micros(self.pace.window));
        self.credit.store(credit, Ordering::Relaxed);
        self.rank
            .store(self.base.load(Ordering::Relaxed), Ordering::SeqCst);
    }

    /// The time in which so many bytes arrive at the least rate, in microseconds.
    fn earned(&self, bytes: usize) -> u64 {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        bytes.saturating_mul(1_000_000) / self.pace.least_rate.max(1)
    }

    fn renew_credit(&self) {
        self.credit
            .store(micros(self.pace.window), Ordering::Relaxed);
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        window: Duration::from_secs(10),
        least_rate: 1000,
    };

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn idle(now: Duration) -> Activity {
        Activity::new(PACE, now)
    }

    fn sending(now: Duration) -> Activity {
        let activity = idle(now);
        activity.begin(now);
        activity
    }

    /// A client that sends so many bytes each second since the moment 0.
    fn sending_at_rate(bytes: usize, seconds: u64) -> Activity {
        let activity = sending(at(0));
        activity.serve();
        for second in 0..seconds {
            activity.wait(at(second));
            activity.advance(bytes, at(second + 1));
        }
        activity.wait(at(seconds));
        activity
    }

    #[test]
    fn the_idle_go_first_then_who_made_least_progress_and_never_who_waits_for_us() {
        let served = sending(at(0));
        served.serve();
        let order = [
            idle(at(90)),
            idle(at(91)),
            sending(at(60)),            // stalled in its head
            sending_at_rate(1, 100),    // drips
            sending_at_rate(900, 100),  // too slow
            sending_at_rate(1000, 100), // at the least rate
            sending_at_rate(5000, 100), // faster
        ];
        let ranks: Vec<_> = order.iter().map(|it| it.rank().unwrap()).collect();
        assert!(ranks.is_sorted(), "{ranks:?}");
        assert_eq!(served.rank(), None);
    }

    #[test]
    fn time_in_which_the_client_waits_costs_it_nothing() {
        let reading = sending(at(0));
        reading.serve();
        reading.wait(at(1000));
        assert_eq!(reading.rank(), sending(at(1000)).rank());
        reading.advance(1, at(1001));
        assert_eq!(reading.rank(), None);
    }

    #[test]
    fn a_connection_whose_last_answer_was_taken_is_idle_since_then() {
        let activity = sending(at(0));
        activity.serve();
        activity.rest(at(5));
        activity.wait(at(6));
        assert!(activity.is_waiting());
        activity.advance(100, at(7));
        assert!(activity.is_idle());
        assert_eq!(activity.rank(), idle(at(5)).rank());
    }
}
