//! The writer's state for events: the blocks of the current group, and the counters, totals and
//! daily writes that it keeps from group to group. It adds its entries to every commit.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sled::Tree;

use crate::model::{Position, Timestamp};
use crate::store::sled::engine::keys::{Key, MetaKey, meta};
use crate::store::sled::engine::record::{self, postcard_records};
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::{RawEntry, Read};
use crate::store::sled::engine::writer::GroupState;
use crate::store::sled::events::block_iter::newest_block;
use crate::store::sled::events::counts::counters::Counters;
use crate::store::sled::events::disk_writes::DailyWrites;
use crate::store::sled::events::format::block::{self, BODY_BYTES};
use crate::store::sled::events::format::block_stats::BlockKey;
use crate::store::sled::events::format::columns::Columns;
use crate::store::sled::events::format::parts;
use crate::store::sled::events::live::{self, CommittedBlock, Live};
use crate::store::sled::events::report::EncodedReport;
use crate::store::{Error, Result};

/// The totals on the disk.
const TOTALS: MetaKey<Totals> = meta(MetaSlot::EventTotals);

/// Totals of the stored events, written with every group that changes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Events that were ever stored, erased ones included.
    pub(crate) events: u64,
    /// Bytes that the blocks take, with their keys.
    pub(crate) bytes: u64,
    /// The largest time, in milliseconds, by which the moment of a block was ever ahead of one of
    /// its events, because the clock was set back or the event waited for its block.
    ahead_millis: u64,
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

/// A block that gets its key when the group is committed.
struct PlacedBlock {
    /// The first and the last moment of its events.
    earliest: Timestamp,
    latest: Timestamp,
    block: Vec<u8>,
}

/// The writer's state for events.
pub(crate) struct EventLog {
    pub(crate) counters: Counters,
    pub(crate) totals: Totals,
    pub(crate) daily_writes: DailyWrites,
    /// The full blocks of the group, and the small reports that may share a block.
    blocks: Vec<PlacedBlock>,
    loose: Vec<(Timestamp, Columns)>,
    /// The moment of the newest block. No later block has an earlier moment.
    newest: Timestamp,
    written: Totals,
    /// The listeners, and the blocks that they get once the group is on the disk.
    live: Arc<Live>,
    committed: Vec<Arc<CommittedBlock>>,
}

impl EventLog {
    /// Opens the log in `tree`; `sequence` is the number of the last group.
    ///
    /// The number and all other changes of a group are one batch. A block of a later group means
    /// that sled's recovery skipped a part of sled's own log: error `Unusable`.
    pub(crate) fn open(
        tree: &Tree,
        sequence: u64,
        daily_writes: DailyWrites,
        live: Arc<Live>,
    ) -> Result<EventLog> {
        let totals = Totals::stored(tree)?;
        let newest = newest_block(tree)?;
        if let Some(block) = newest.as_ref().filter(|it| it.sequence > sequence) {
            let group = block.sequence;
            let why = format!(
                "the data is damaged: there are blocks of group {group}, but the group was not committed"
            );
            return Err(Error::Unusable(why));
        }
        Ok(EventLog {
            counters: Counters::default(),
            totals,
            daily_writes,
            blocks: Vec::new(),
            loose: Vec::new(),
            newest: newest.map_or(Timestamp::from_millis(i64::MIN), |key| key.at),
            written: totals,
            live,
            committed: Vec::new(),
        })
    }

    /// Adds a report to the group, and counts it. The caller has loaded its counters.
    pub(crate) fn add(&mut self, report: EncodedReport) {
        let (at, stored) = (report.at, report.stored());
        self.totals.events += stored;
        self.daily_writes.store(at, stored);
        self.counters.add(at.hour(), &report.counts);
        let blocks = report.blocks.into_iter();
        self.blocks.extend(blocks.map(|block| PlacedBlock {
            earliest: at,
            latest: at,
            block,
        }));
        self.loose.extend(report.loose.map(|columns| (at, columns)));
    }

    /// Joins small reports into shared blocks.
    fn join_loose(&mut self) {
        let mut loose = self.loose.drain(..).peekable();
        while let Some((mut earliest, mut joined)) = loose.next() {
            let mut latest = earliest;
            while let Some((at, columns)) = loose.next_if(|_| joined.len() < BODY_BYTES) {
                joined.append(&columns);
                earliest = earliest.min(at);
                latest = latest.max(at);
            }
            self.blocks.push(PlacedBlock {
                earliest,
                latest,
                block: block::seal(&joined, Position::default()),
            });
        }
    }

    /// The entries of the group's blocks, in the order of arrival.
    fn place_blocks(&mut self, sequence: u64) -> Result<Vec<RawEntry>> {
        let mut entries = Vec::new();
        for (index, block) in (0..).zip(std::mem::take(&mut self.blocks)) {
            // Even if the clock is set back, later blocks come after earlier ones.
            self.newest = self.newest.max(block.latest);
            let ahead = self.newest.since(block.earliest).as_millis();
            let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
            self.totals.ahead_millis = self.totals.ahead_millis.max(ahead);
            self.totals.bytes += parts::stored_bytes(&block.block) as u64;
            let key = BlockKey {
                at: self.newest,
                sequence,
                index,
            };
            entries.extend(parts::entries(&key, &block.block)?);
        }
        Ok(entries)
    }
}

impl GroupState for EventLog {
    fn is_idle(&self) -> bool {
        self.blocks.is_empty() && self.loose.is_empty() && self.totals == self.written
    }

    fn entries(&mut self, sequence: u64) -> Result<Vec<RawEntry>> {
        let has_listeners = self.live.begin(sequence);
        self.join_loose();
        let mut entries = self.counters.changed()?;
        let blocks = self.place_blocks(sequence)?;
        if has_listeners {
            self.committed = live::committed_blocks(&blocks);
        }
        entries.extend(blocks);
        if self.totals != self.written {
            let key = TOTALS.bytes();
            entries.push((key.clone(), record::seal(&key, &self.totals)?));
            self.written = self.totals;
        }
        Ok(entries)
    }

    fn committed(&mut self) {
        self.live.publish(&std::mem::take(&mut self.committed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::engine::open;
    use crate::store::sled::events::format::parts::BlockPartKey;

    #[test]
    fn a_block_of_a_group_without_its_number_is_damage() {
        let directory = tempfile::tempdir().unwrap();
        let tree = open::open(directory.path(), 1 << 20).unwrap().tree;
        let put_block = |sequence| {
            let key = BlockPartKey {
                at: Timestamp::default(),
                sequence,
                index: 0,
                part: 0,
            };
            tree.insert(key.bytes(), &[]).unwrap();
        };
        let log = |live: u64| {
            let live = Arc::new(Live::new(live));
            EventLog::open(&tree, 7, DailyWrites::default(), live).map(drop)
        };
        put_block(7);
        assert_eq!(log(7), Ok(()));
        put_block(8);
        let why =
            "the data is damaged: there are blocks of group 8, but the group was not committed";
        assert_eq!(log(7), Err(Error::Unusable(why.into())));
    }
}
