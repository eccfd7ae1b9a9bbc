//! The sweeper: it merges small blocks of events and removes expired records, in small steps that
//! do not delay requests.

use std::time::Duration;

use super::Services;
use crate::model::{ClockReading, Retention, Trust};
use crate::store::{self, Swept};

/// The pause after a sweep that left nothing more to do.
const PAUSE: Duration = Duration::from_secs(30);
/// The pause between two steps of one sweep.
const STEP_PAUSE: Duration = Duration::from_millis(20);

impl Services {
    /// Sweeps in an endless loop.
    pub async fn keep_sweeping(&self) {
        loop {
            let more = match self.sweep().await {
                Ok(more) => more,
                Err(error) => {
                    log::warn!("expired records could not be removed: {error}");
                    false
                }
            };
            tokio::time::sleep(if more { STEP_PAUSE } else { PAUSE }).await;
        }
    }

    /// Runs one step. True: more may wait to be merged or removed.
    pub async fn sweep(&self) -> store::Result<bool> {
        let clock = self.clock.read();
        // Merging needs space before it frees some, so a full disk stops only the merge.
        let merged = match self.store.merge_events(clock.moment).await {
            Err(store::Error::Full) => false,
            merged => merged?,
        };
        let swept = self.reclaim(&clock).await?;
        if swept.removed > 0 {
            log::debug!("{} expired records were removed", swept.removed);
        }
        let audit = self.sweep_audit().await?;
        let more = swept.more || audit.more;
        let trusted_again = !more && self.clock.follow();
        Ok(more || merged || trusted_again)
    }

    /// Removes some of what need not be kept. While the clock is suspect, nothing is removed
    /// because of its age.
    async fn reclaim(&self, clock: &ClockReading) -> store::Result<Swept> {
        let config = self.config();
        let events = &config.events;
        let keep = Retention {
            events: events.retention,
            counts: events.keep_counts,
            ended: config.tokens.remember_ended,
            max_bytes: events.max_bytes,
        };
        match clock.trust {
            Trust::Trusted => self.store.sweep(clock.moment, keep).await,
            // Moments are about to go back, and no expired token may come back with them.
            Trust::Behind if clock.goes_back => {
                let expired_only = Retention {
                    events: Duration::MAX,
                    counts: Duration::MAX,
                    ended: Duration::MAX,
                    ..keep
                };
                self.store.sweep(clock.moment, expired_only).await
            }
            Trust::Ahead | Trust::Behind => self.store.trim(clock.moment, events.max_bytes).await,
        }
    }
}
