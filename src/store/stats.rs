//! What a store counts of itself.

use crate::metrics::HistogramReading;

/// What a store counts of itself, for the metrics. Reading it waits neither for the writer nor for
/// the disk.
pub trait StoreStats: Send + Sync + 'static {
    /// The writer of changes.
    fn writer_stats(&self) -> WriterStats;
    /// The tokens that are cached.
    fn token_cache_stats(&self) -> CacheStats;
    /// The accounts that are cached.
    fn user_cache_stats(&self) -> CacheStats;
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
