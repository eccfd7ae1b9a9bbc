//! One listener of live events: it delivers events that were stored before it was registered, then
//! those that the writer hands over.

use std::sync::{Arc, Weak};
use std::vec;

use async_trait::async_trait;
use tokio::task::JoinHandle;

use crate::model::{Event, LiveQuery, Position};
use crate::store::sled::events::format::columns::DetailsBuffer;
use crate::store::sled::events::live::{CommittedBlock, Item, Live, Queue};
use crate::store::sled::events::replay::{self, Backlog};
use crate::store::sled::events::resolver::Resolver;
use crate::store::sled::events::scan::Scan;
use crate::store::{Delivery, Error, EventListener, Result};

/// Events of the backlog that are delivered at once: about as many as a block holds.
const DELIVERED_AT_ONCE: usize = 128;

/// A registered listener; dropping it ends the registration.
pub(crate) struct Listener {
    live: Arc<Live>,
    queue: Arc<Queue>,
    resolver: Resolver,
    query: LiveQuery,
    /// The task that reads the backlog, while it runs.
    catching_up: Option<JoinHandle<Result<Backlog>>>,
    /// Events of the backlog that are not delivered yet, and how many further ones are only
    /// counted.
    before: vec::IntoIter<(Position, Event)>,
    missed_before: u64,
}

impl Listener {
    /// Registers a listener.
    pub(crate) fn register(live: &Arc<Live>, resolver: Resolver, query: LiveQuery) -> Listener {
        Listener {
            queue: live.register(),
            live: Arc::clone(live),
            resolver,
            query,
            catching_up: None,
            before: Vec::new().into_iter(),
            missed_before: 0,
        }
    }

    /// Starts to read the backlog on a thread of its own. Call this when every group that had begun
    /// before the registration is on the disk.
    pub(crate) fn catch_up(&mut self, scan: Scan) {
        let (query, until) = (self.query.clone(), self.queue.since);
        let queue: Weak<Queue> = Arc::downgrade(&self.queue);
        self.catching_up = Some(tokio::task::spawn_blocking(move || {
            let given_up = || queue.strong_count() == 0;
            replay::read(scan, &query, until, given_up)
        }));
    }

    /// The events of a block that match the listener's query.
    fn decode(&mut self, block: &CommittedBlock) -> Result<Delivery> {
        let block = block.open()?;
        let (query, mut events) = (&self.query, Vec::new());
        let mut buffer = DetailsBuffer::default();
        for (position, event) in block.events(&mut buffer)? {
            self.resolver.emit(position, &event, &mut |row| {
                if query.matches(row) {
                    events.push((row.position, row.to_event()));
                }
            })?;
        }
        Ok(Delivery::Events(events))
    }
}

#[async_trait]
impl EventListener for Listener {
    async fn next(&mut self) -> Result<Delivery> {
        if let Some(reading) = &mut self.catching_up {
            let read = reading.await;
            self.catching_up = None;
            let backlog = read.map_err(|error| Error::Corrupt(error.to_string()))??;
            self.before = backlog.events.into_iter();
            self.missed_before = backlog.missed;
        }
        if self.before.len() > 0 {
            let some = self.before.by_ref().take(DELIVERED_AT_ONCE);
            return Ok(Delivery::Events(some.collect()));
        }
        if self.missed_before > 0 {
            return Ok(Delivery::Missed(std::mem::take(&mut self.missed_before)));
        }
        match self.queue.item().await {
            Item::Block(block) => self.decode(&block),
            Item::Missed(count) => Ok(Delivery::Missed(count)),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.live.leave(&self.queue);
    }
}
