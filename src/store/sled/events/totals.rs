//! What is stored of events in all.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::store::Result;
use crate::store::sled::engine::keys::{MetaKey, meta};
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::{ENTRY_BYTES, Read};

/// The totals on the disk.
pub(crate) const TOTALS: MetaKey<Totals> = meta(MetaSlot::EventTotals);
/// The totals with their key in the log at most, in bytes: ten for each number.
pub(crate) const TOTALS_BYTES: u64 = 8 + 3 * 10 + ENTRY_BYTES;

/// Totals of the stored events, written with every group that changes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Events that were ever stored, erased ones included.
    pub(crate) events: u64,
    /// Bytes that the blocks take, with their keys.
    pub(crate) bytes: u64,
    /// The largest time, in milliseconds, by which the moment of a block was ever ahead of one of
    /// its events, because the clock was set back or the event waited for its block.
    pub(crate) ahead_millis: u64,
}

postcard_records!(Totals);

impl Totals {
    /// The totals on the disk.
    pub(crate) fn stored(from: &impl Read) -> Result<Totals> {
        Ok(from.fetch(&TOTALS)?.unwrap_or_default())
    }

    /// How far the moment of a block may be ahead of those of its events.
    pub(crate) fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_millis)
    }
}
