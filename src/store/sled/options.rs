//! The options of the store.

use std::time::Duration;

use crate::config::Config;
use crate::store::sled::events::disk_writes::WriteMeter;

/// The options with which the store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The memory that the store may use in all, in bytes.
    pub memory_budget: u64,
    /// How many event names are counted one by one.
    pub max_names: usize,
    /// How long to delay a commit so that more writes can join: fewer flushes, later answers.
    pub commit_delay: Duration,
    /// Counts the bytes that are sent to the disk.
    pub meter: WriteMeter,
}

impl StoreOptions {
    /// The options of a configuration.
    pub fn of(config: &Config, meter: WriteMeter) -> StoreOptions {
        StoreOptions {
            memory_budget: config.storage.memory_budget,
            max_names: config.events.max_names,
            commit_delay: config.storage.commit_delay,
            meter,
        }
    }
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            memory_budget: 64 << 20,
            max_names: 10_000,
            commit_delay: Duration::ZERO,
            meter: WriteMeter::open(),
        }
    }
}
