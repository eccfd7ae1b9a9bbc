//! The options of the store.

use std::time::Duration;

use crate::config::Config;
use crate::crypto::SystemRandom;
use crate::store::sled::events::counts::names::NameLimits;
use crate::store::sled::events::disk_writes::WriteMeter;
use crate::world::Random;

/// Names may take this part of what events may take and of the memory budget; so may ids and
/// idempotency keys.
const SHARE: u64 = 4;
/// Bytes of memory for each byte of a remembered id or key in the database.
const REMEMBERED_MEMORY: u64 = 2;

/// The options with which the store is opened.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The memory budget, in bytes; a quarter of it is for the bodies of requests.
    pub memory_budget: u64,
    /// How many event names are counted one by one.
    pub max_names: usize,
    /// How many of them one reporter may bring. The administrator may bring any number.
    pub names_per_reporter: usize,
    /// What events may take in the database, in bytes; a quarter of it may be names, another
    /// quarter ids and idempotency keys.
    pub max_event_bytes: u64,
    /// How long to delay a commit so that more writes can join: fewer flushes, later answers.
    pub commit_delay: Duration,
    /// Start with what is left when something is damaged.
    pub open_damaged: bool,
    /// The id of the store, should it be new: random bytes.
    pub new_id: [u8; 16],
    /// Counts the bytes that are sent to the disk.
    pub meter: WriteMeter,
}

impl StoreOptions {
    /// The options of a configuration.
    pub fn of(config: &Config, new_id: [u8; 16], meter: WriteMeter) -> StoreOptions {
        StoreOptions {
            memory_budget: config.storage.memory_budget,
            max_names: config.events.max_names,
            names_per_reporter: config.events.names_per_reporter,
            max_event_bytes: config.events.max_bytes,
            commit_delay: config.storage.commit_delay,
            open_damaged: config.storage.open_damaged,
            new_id,
            meter,
        }
    }
}

impl StoreOptions {
    /// How many event names get a number.
    pub(crate) fn name_limits(&self) -> NameLimits {
        NameLimits {
            names: self.max_names,
            bytes: self.max_event_bytes.min(self.memory_budget) / SHARE,
            per_reporter: self.names_per_reporter,
        }
    }

    /// How much of the database ids of events and idempotency keys may take, in bytes.
    pub(crate) fn remembered_bytes(&self) -> u64 {
        let in_memory = self.memory_budget / REMEMBERED_MEMORY;
        self.max_event_bytes.min(in_memory) / SHARE
    }
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        let mut new_id = [0; 16];
        SystemRandom::default().fill(&mut new_id);
        StoreOptions {
            memory_budget: 64 << 20,
            max_names: 10_000,
            names_per_reporter: 1_000,
            max_event_bytes: 1 << 30,
            commit_delay: Duration::ZERO,
            open_damaged: false,
            new_id,
            meter: WriteMeter::open(),
        }
    }
}
