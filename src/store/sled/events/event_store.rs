//! Implements [`EventStore`], the part of the store's contract for events.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use crate::model::{
    AuditContext, Erasure, EventCounts, EventPage, EventQuery, LiveQuery, Timestamp,
};
use crate::store::sled::SledStore;
use crate::store::sled::engine::keys;
use crate::store::sled::events::counts::count_query;
use crate::store::sled::events::format::block_stats::BlockKey;
use crate::store::sled::events::listener::Listener;
use crate::store::sled::events::{erase, replay};
use crate::store::{Appended, Error, EventListener, EventScan, EventStore, Report, Result};

/// The largest number of attempts to store a report. An attempt fails if another report stores some
/// of its ids meanwhile; each attempt has fewer events left.
const APPEND_ATTEMPTS: usize = 8;

#[async_trait]
impl EventStore for SledStore {
    async fn append_events(&self, report: Report<'_>) -> Result<Appended> {
        for _ in 0..APPEND_ATTEMPTS {
            if let Some(answer) = self.append_once(&report).await? {
                return Ok(answer);
            }
        }
        Err(Error::Busy)
    }

    async fn read_events(&self, query: EventQuery) -> Result<EventPage> {
        self.read_blocks(move |reader| reader.page(&query)).await
    }

    async fn scan_events(&self, query: EventQuery) -> Result<Box<dyn EventScan>> {
        Ok(Box::new(self.scan(query)))
    }

    async fn listen(&self, query: LiveQuery) -> Result<Box<dyn EventListener>> {
        let after = query.after;
        let mut listener = Listener::register(&self.live, self.resolver(), query);
        if let Some(after) = after {
            // Every group that had begun before the registration must be on the disk.
            self.writer.barrier().await?;
            listener.catch_up(self.scan(replay::query(after)));
        }
        Ok(Box::new(listener))
    }

    async fn event_counts(&self, hours: Range<u32>, name: Option<&str>) -> Result<EventCounts> {
        let number = match name.map(|name| self.names.number(name)) {
            Some(None) => return Ok(EventCounts::default()),
            number => number.flatten(),
        };
        // Years of hours may come from the disk: reading them must not delay other requests.
        self.read_blocks(move |reader| count_query::read(reader, hours, number))
            .await
    }

    async fn erase_events(&self, what: Erasure, by: AuditContext) -> Result<u64> {
        while self.merge_some(by.at, true).await? {}
        let what = Arc::new(what);
        // The first step that removes events writes it down.
        let mut entry = Some(erase::entry(&what, &by));
        let (mut erased, mut from) = (0, Some(keys::first::<BlockKey>()));
        while let Some(key) = from {
            let (events, next) = self.erase_some(&what, key, &mut entry).await?;
            erased += events;
            from = next;
        }
        self.remove_unused_names().await?;
        Ok(erased)
    }

    async fn merge_events(&self, now: Timestamp) -> Result<bool> {
        self.merge_some(now, false).await
    }
}
