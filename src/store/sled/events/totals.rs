//! What is stored of events in all.

use std::time::Duration;

use crate::store::sled::engine::tree::Tree;
use serde::{Deserialize, Serialize};

use crate::model::Order;
use crate::store::Result;
use crate::store::sled::engine::keys::{self, MetaKey, meta};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::ENTRY_BYTES;
use crate::store::sled::events::block_iter::BlockIter;
use crate::store::sled::events::format::parts::BlockPartKey;

/// The totals on the disk.
pub(crate) const TOTALS: MetaKey<Totals> = meta(MetaSlot::EventTotals);
/// The totals with their key in the log at most, in bytes: ten for each number.
pub(crate) const TOTALS_BYTES: u64 = 8 + 3 * 10 + ENTRY_BYTES;
/// Ten years: more than a clock is set back by.
const UNKNOWN_AHEAD_MILLIS: u64 = 10 * 366 * 86_400_000;

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
    /// How far the moment of a block may be ahead of those of its events, by the totals on the
    /// disk.
    pub(crate) fn stored_ahead(from: &impl Read) -> Result<Duration> {
        let totals: Option<Totals> = from.fetch_readable(&TOTALS)?;
        let millis = totals.map_or(UNKNOWN_AHEAD_MILLIS, |totals| totals.ahead_millis);
        Ok(Duration::from_millis(millis))
    }

    /// The totals on the disk. Where the record is lost or damaged, the blocks are counted.
    pub(crate) fn counted(tree: &Tree) -> Result<Totals> {
        match tree.fetch_readable(&TOTALS)? {
            Some(totals) => Ok(totals),
            None => Totals::of_blocks(tree),
        }
    }

    /// The totals of the blocks that are there. It is not known how far they are ahead of their
    /// events: no query leaves one out for that.
    fn of_blocks(tree: &Tree) -> Result<Totals> {
        let (start, end) = (keys::first::<BlockPartKey>(), keys::end::<BlockPartKey>());
        let mut blocks = BlockIter::new(tree, &start, &end, Order::Ascending);
        let mut totals = Totals::default();
        while let Some(block) = blocks.next()? {
            totals.events += block.events() as u64;
            totals.bytes += block.bytes() as u64;
            totals.ahead_millis = UNKNOWN_AHEAD_MILLIS;
        }
        Ok(totals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Position, Timestamp};
    use crate::store::sled::engine::open::{self, OpenOptions};
    use crate::store::sled::events::format::block_stats::BlockKey;
    use crate::store::sled::events::format::columns::Columns;
    use crate::store::sled::events::format::{block, parts};

    #[test]
    fn totals_that_were_lost_are_counted_again() {
        let directory = tempfile::tempdir().unwrap();
        let opened = open::open(directory.path(), &OpenOptions::default()).unwrap();
        let tree = opened.tree;
        let counted = || Totals::counted(&tree).unwrap();
        assert_eq!((counted().bytes, counted().ahead_millis), (0, 0));
        let key = BlockKey {
            at: Timestamp::default(),
            sequence: 7,
            index: 0,
        };
        let block = block::seal(&Columns::default(), Position::default());
        for (key, part) in parts::entries(&key, &block).unwrap() {
            tree.insert(key, part).unwrap();
        }
        assert_eq!(counted().bytes, parts::stored_bytes(&block) as u64);
        assert_eq!(counted().ahead_millis, UNKNOWN_AHEAD_MILLIS);
        let ahead = Totals::stored_ahead(&tree).unwrap();
        assert_eq!(ahead, Duration::from_millis(UNKNOWN_AHEAD_MILLIS));
    }
}
