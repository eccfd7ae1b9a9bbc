//! Reads, exports, follows and erases events for administrators.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;

use super::{Error, Services};
use crate::model::{Erasure, EventPage, EventQuery, EventRow, LiveQuery, Timestamp};
use crate::store::{self, EventListener, EventScan, ScanProgress};

/// How long to wait before a retry when the exports or listeners are at their limit.
const RETRY_AFTER: Duration = Duration::from_secs(10);

impl Services {
    /// A page of events.
    pub async fn read_events(&self, query: EventQuery) -> Result<EventPage, Error> {
        Ok(self.store.read_events(query).await?)
    }

    /// All events that match a query; its limit does not apply. Error: `Busy` if the
    /// running exports are at their limit.
    pub async fn export_events(&self, query: EventQuery) -> Result<Export, Error> {
        let permit = Arc::clone(&self.exports).try_acquire_owned();
        let permit = permit.map_err(|_| Error::Busy {
            retry_after: RETRY_AFTER,
        })?;
        let scan = self.store.scan_events(query).await?;
        Ok(Export { scan, permit })
    }

    /// Starts listening to events. Error: `Busy` if the listeners are at their limit.
    pub async fn listen(&self, query: LiveQuery) -> Result<Box<dyn EventListener>, Error> {
        let listener = self.store.listen(query).await?;
        listener.ok_or(Error::Busy {
            retry_after: RETRY_AFTER,
        })
    }

    /// Removes all matching events, subtracts them from the counters, and returns how many it
    /// removed. Once begun, it runs to its end even if the client does not wait.
    pub async fn erase_events(&self, what: Erasure, now: Timestamp) -> Result<u64, Error> {
        let store = Arc::clone(&self.store);
        let erasing = tokio::spawn(async move { store.erase_events(what, now).await });
        let erased = erasing.await.map_err(|gone| Error::Internal(gone.into()))?;
        let erased = erased?;
        log::info!("{erased} events were removed for the administrator");
        Ok(erased)
    }
}

/// An export that is under way. Dropping it frees its permit.
pub struct Export {
    scan: Box<dyn EventScan>,
    #[expect(dead_code, reason = "it is held, not looked at")]
    permit: OwnedSemaphorePermit,
}

impl Export {
    /// Emits some more events. It blocks: call it on a thread that may wait.
    pub fn advance(&mut self, mut emit: impl FnMut(&EventRow<'_>)) -> store::Result<ScanProgress> {
        self.scan.advance(&mut emit)
    }
}
