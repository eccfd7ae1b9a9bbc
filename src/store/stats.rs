//! What a store counts of itself.

use async_trait::async_trait;

use super::Result;
use crate::metrics::HistogramReading;
use crate::model::Timestamp;

/// What a store counts of itself, for the metrics. Reading it does not wait for the writer.
#[async_trait]
pub trait StoreStats: Send + Sync + 'static {
    /// The writer of changes.
    fn writer_stats(&self) -> WriterStats;
    /// The tokens that are cached.
    fn token_cache_stats(&self) -> CacheStats;
    /// The accounts that are cached.
    fn user_cache_stats(&self) -> CacheStats;
    /// How large the store and the outbox are. It may wait for the disk.
    async fn size(&self) -> Result<StoreSize>;
}

/// What the writer did since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriterStats {
    /// How many changes were asked for and carried out or refused.
    pub steps: u64,
    /// How many wait.
    pub waiting: usize,
    /// How long each group of changes took until it was on the disk.
    pub groups: HistogramReading,
    /// How long it took to force each group to the disk: a part of the time above.
    pub flushes: HistogramReading,
}

/// How large the store and its outbox are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreSize {
    /// Bytes of all files of the store.
    pub disk_bytes: u64,
    /// Bytes of the records in them; none while the records of a large store are being counted. The
    /// rest is what the database has not reclaimed yet, with its own overhead.
    pub live_bytes: Option<u64>,
    /// Free space on their file system, in bytes.
    pub free_bytes: u64,
    /// Events that were ever stored, removed ones included.
    pub events: u64,
    /// Bytes that the stored events take.
    pub event_bytes: u64,
    /// Mails that wait.
    pub mails: u64,
    /// When the one that waits longest was asked for, of the thousand that are due first.
    pub oldest_mail: Option<Timestamp>,
}

/// A cache, and its lookups since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// How many values are cached.
    pub entries: usize,
    /// How many lookups found a value.
    pub hits: u64,
    /// How many found none.
    pub misses: u64,
}
