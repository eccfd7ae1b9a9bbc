//! What the store on sled counts of itself.

use crate::store::sled::store::SledStore;
use crate::store::{CacheStats, StoreStats, WriterStats};

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
}
