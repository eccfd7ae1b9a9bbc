//! Permits for streams that run for long. One token has at most half of them. When all are taken, a
//! stream that has run for a while and is slower than the others must give its permit to a new one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use super::Error;
use crate::metrics::Limit;
use crate::model::TokenId;
use crate::sync::lock;

/// How long to wait before a retry when there is no permit.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// All permits of one kind.
pub(super) struct Permits {
    most: usize,
    /// How long a stream keeps its permit in any case.
    undisturbed: Duration,
    running: Mutex<Vec<Arc<Running>>>,
}

/// A stream that holds a permit.
struct Running {
    holder: TokenId,
    /// In monotonic time.
    started: Duration,
    bytes: AtomicU64,
    displaced: Notify,
}

/// A permit; dropping it gives it back.
pub struct Permit {
    permits: Arc<Permits>,
    running: Arc<Running>,
}

impl Permits {
    /// `most` permits. After `undisturbed` a stream can lose its permit to a new one.
    pub(super) fn new(most: usize, undisturbed: Duration) -> Arc<Permits> {
        Arc::new(Permits {
            most,
            undisturbed,
            running: Mutex::default(),
        })
    }

    /// A permit for a stream that begins at `now` (monotonic). Error: `Busy` if the token holds
    /// half of the permits, or if all are taken and no stream must give up its own.
    pub(super) fn take(
        self: &Arc<Permits>,
        holder: TokenId,
        now: Duration,
    ) -> Result<Permit, Error> {
        let busy = Err(Error::Busy {
            retry_after: RETRY_AFTER,
            limit: Limit::Streams,
        });
        let mut running = lock(&self.running);
        let held = running.iter().filter(|it| it.holder == holder).count();
        if held >= self.most / 2 {
            return busy;
        }
        if running.len() >= self.most {
            let Some(slowest) = self.slowest(&running, now) else {
                return busy;
            };
            running.swap_remove(slowest).displaced.notify_one();
        }
        let new = Arc::new(Running {
            holder,
            started: now,
            bytes: AtomicU64::new(0),
            displaced: Notify::new(),
        });
        running.push(Arc::clone(&new));
        Ok(Permit {
            permits: Arc::clone(self),
            running: new,
        })
    }

    /// How many streams hold a permit.
    pub(super) fn running(&self) -> usize {
        lock(&self.running).len()
    }

    /// The place of the slowest stream among those that may lose their permit.
    fn slowest(&self, running: &[Arc<Running>], now: Duration) -> Option<usize> {
        let places = running.iter().enumerate();
        let rates = places.filter_map(|(place, it)| {
            let time = now.saturating_sub(it.started);
            let bytes = u128::from(it.bytes.load(Ordering::Relaxed));
            let rate = bytes * 1000 / time.as_millis().max(1);
            (time >= self.undisturbed).then_some((rate, place))
        });
        rates.min().map(|(_, place)| place)
    }
}

impl Permit {
    /// Counts bytes that the client has taken.
    pub fn count(&self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.running.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Resolves when the stream has lost its permit and must end.
    pub async fn displaced(&self) {
        self.running.displaced.notified().await;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        lock(&self.permits.running).retain(|it| !Arc::ptr_eq(it, &self.running));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNDISTURBED: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn token(number: u8) -> TokenId {
        TokenId::from_random([number; 16])
    }

    #[test]
    fn one_token_has_at_most_half_and_gets_it_back() {
        let permits = Permits::new(4, UNDISTURBED);
        let first = permits.take(token(1), at(0)).unwrap();
        let _second = permits.take(token(1), at(0)).unwrap();
        assert!(permits.take(token(1), at(90)).is_err());
        drop(first);
        assert!(permits.take(token(1), at(90)).is_ok());
    }

    #[tokio::test]
    async fn the_slowest_that_has_run_for_a_while_gives_its_permit_up() {
        let permits = Permits::new(4, UNDISTURBED);
        let take = |number, now| permits.take(token(number), at(now));
        let [fast, slow] = [(1, 3000), (1, 100)].map(|(number, bytes)| {
            let permit = take(number, 0).unwrap();
            permit.count(bytes);
            permit
        });
        let _young = [take(2, 1).unwrap(), take(2, 1).unwrap()];
        assert!(take(3, 29).is_err());
        let _new = take(3, 30).unwrap();
        slow.displaced().await;
        // It still holds nothing when it ends.
        drop(slow);
        assert_eq!(lock(&permits.running).len(), 4);
        let _newer = take(3, 30).unwrap();
        fast.displaced().await;
    }
}
