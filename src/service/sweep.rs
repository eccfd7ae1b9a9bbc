//! The sweeper: it merges small blocks of events and gives back the space of what has expired, in
//! small steps that hold up nobody.

use std::time::Duration;

use super::Services;
use crate::model::{Retention, Timestamp};
use crate::store;

/// The pause between two sweeps that found nothing more.
const PAUSE: Duration = Duration::from_secs(30);
/// The pause between two steps of one sweep.
const STEP_PAUSE: Duration = Duration::from_millis(20);

impl Services {
    /// Sweeps, for ever.
    pub async fn keep_sweeping(&self) {
        loop {
            let more = match self.sweep(self.world.clock.now()).await {
                Ok(more) => more,
                Err(error) => {
                    log::warn!("what has expired could not be removed: {error}");
                    false
                }
            };
            tokio::time::sleep(if more { STEP_PAUSE } else { PAUSE }).await;
        }
    }

    /// One step: whether more waits to be removed.
    pub async fn sweep(&self, now: Timestamp) -> store::Result<bool> {
        let events = &self.config.events;
        // Merging needs room before it makes some; sweeping needs none.
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
