//! What the store on sled counts of itself.

use std::path::Path;

use async_trait::async_trait;

use crate::store::sled::accounts::outbox;
use crate::store::sled::engine::disk_space::free_bytes_of;
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::disk_writes::disk_bytes;
use crate::store::sled::events::totals::TOTALS;
use crate::store::sled::store::{SledStore, reading};
use crate::store::{CacheStats, Result, StoreSize, StoreStats, WriterStats};

/// How many waiting mails are read to find the oldest.
const MAILS_READ: usize = 1_000;

#[async_trait]
impl StoreStats for SledStore {
    fn writer_stats(&self) -> WriterStats {
        self.writer.stats()
    }

    fn token_cache_stats(&self) -> CacheStats {
        self.caches.tokens.stats()
    }

    fn user_cache_stats(&self) -> CacheStats {
        self.caches.users.stats()
    }

    async fn size(&self) -> Result<StoreSize> {
        let (tree, path) = (self.tree.clone(), self.path.clone());
        let live_bytes = self.recount.bytes();
        reading(move || size(&tree, &path, live_bytes)).await
    }
}

fn size(tree: &Tree, path: &Path, live_bytes: Option<u64>) -> Result<StoreSize> {
    let totals = tree.fetch_readable(&TOTALS)?.unwrap_or_default();
    let first = outbox::list(tree, None, MAILS_READ)?;
    Ok(StoreSize {
        disk_bytes: disk_bytes(path).unwrap_or(0),
        live_bytes,
        free_bytes: free_bytes_of(path)(),
        events: totals.events,
        event_bytes: totals.bytes,
        mails: tree.fetch_readable(&outbox::WAITING)?.unwrap_or(0),
        oldest_mail: first.iter().map(|mail| mail.asked_at).min(),
    })
}
