//! Remembers damaged blocks of events: each is logged once, and the health report gives their
//! number.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::model::Position;
use crate::store::sled::events::format::block_stats::BlockKey;
use crate::sync::lock;

/// The largest number of damaged blocks that are remembered and logged: with more, the whole disk
/// is lost.
const KNOWN: usize = 10_000;

/// The damaged blocks that readers have found since the start.
#[derive(Default)]
pub(crate) struct Damage(Mutex<BTreeSet<Position>>);

impl Damage {
    /// Records a block that could not be read.
    pub(crate) fn note(&self, key: &BlockKey) {
        let mut known = lock(&self.0);
        if known.len() < KNOWN && known.insert(key.position()) {
            log::error!("the block of events {key} is damaged: its events are skipped");
        }
    }

    /// How many there are.
    pub(crate) fn blocks(&self) -> usize {
        lock(&self.0).len()
    }
}
