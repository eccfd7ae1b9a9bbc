//! Reads, exports, follows and erases events for administrators.

use std::sync::Arc;

use super::{Administrator, Error, Permit, Services};
use crate::model::{AuditContext, Erasure, EventPage, EventQuery, LiveQuery};
use crate::store::{EventListener, EventScan};

impl Services {
    /// A page of events.
    pub async fn read_events(&self, query: EventQuery) -> Result<EventPage, Error> {
        Ok(self.store.read_events(query).await?)
    }

    /// All events that match a query; its limit does not apply. The export must end when its permit
    /// is displaced. Error: `Busy` if there is no permit.
    pub async fn export_events(
        &self,
        query: EventQuery,
        administrator: &Administrator,
    ) -> Result<(Box<dyn EventScan>, Permit), Error> {
        let now = self.world.clock.monotonic();
        let permit = self.exports.take(administrator.counted_as(), now)?;
        Ok((self.store.scan_events(query).await?, permit))
    }

    /// Starts to listen to events, for as long as the permit is held. Error: `Busy` if there is no
    /// permit.
    pub async fn listen(
        &self,
        query: LiveQuery,
        administrator: &Administrator,
    ) -> Result<(Box<dyn EventListener>, Permit), Error> {
        let now = self.world.clock.monotonic();
        let permit = self.listeners.take(administrator.counted_as(), now)?;
        Ok((self.store.listen(query).await?, permit))
    }

    /// Removes all matching events, subtracts them from the counters, and returns how many it
    /// removed. Once begun, it runs to its end even if the client does not wait.
    pub async fn erase_events(&self, what: Erasure, by: AuditContext) -> Result<u64, Error> {
        let store = Arc::clone(&self.store);
        let erasing = tokio::spawn(async move { store.erase_events(what, by).await });
        let erased = erasing.await.map_err(|gone| Error::Internal(gone.into()))?;
        let erased = erased?;
        log::info!("{erased} events were removed for the administrator");
        Ok(erased)
    }
}
