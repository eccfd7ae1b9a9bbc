//! Blocks of events that were found damaged: each is logged once, and how many there are
//! to whoever asks for our health.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::model::Position;
use crate::store::sled::events::format::block_stats::BlockKey;
use crate::sync::lock;

/// Blocks that are remembered one by one: a disk that has lost more has lost everything.
const KNOWN: usize = 10_000;

/// The damaged blocks that were met since the start.
#[derive(Default)]
pub(crate) struct Damage(Mutex<BTreeSet<Position>>);

impl Damage {
    /// Notes a block that could not be read.
    pub(crate) fn note(&self, key: &BlockKey) {
        let mut known = lock(&self.0);
        if known.len() < KNOWN && known.insert(key.position()) {
            log::error!("the block of events {key} is damaged: its events are left out");
        }
    }

    /// How many there are.
    pub(crate) fn blocks(&self) -> usize {
        lock(&self.0).len()
    }
}
