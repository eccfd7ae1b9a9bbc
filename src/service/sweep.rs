//! The sweeper: it merges small blocks of events and removes expired records, in small steps that
//! do not delay requests.

use std::time::Duration;

use super::Services;
use crate::model::{Retention, Timestamp};
use crate::store;

/// The pause after a sweep that left nothing more to do.
const PAUSE: Duration = Duration::from_secs(30);
/// The pause between two steps of one sweep.
const STEP_PAUSE: Duration = Duration::from_millis(20);

impl Services {
    /// Sweeps in an endless loop.
    pub async fn keep_sweeping(&self) {
        loop {
            let more = match self.sweep(self.world.clock.now()).await {
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
    pub async fn sweep(&self, now: Timestamp) -> store::Result<bool> {
        let events = &self.config.events;
        // Merging needs space before it frees some, so a full disk stops only the merge.
        let merged = match self.store.merge_events(now).await {
            Err(store::Error::Full) => false,
            merged => merged?,
        };
        let keep = Retention {
            events: events.retention,
            counts: events.keep_counts,
            max_bytes: events.max_bytes,
        };
        let swept = self.store.sweep(now, keep).await?;
        if swept.removed > 0 {
            log::debug!("{} expired records were removed", swept.removed);
        }
        Ok(swept.more || merged)
    }
}
