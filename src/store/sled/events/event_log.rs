//! The events of the group under way, and what the writer remembers of events from group to group:
//! its part in every commit.

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

/// What is stored of events in all. It is written with every group that changes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Events that were ever stored.
    pub(crate) events: u64,
    /// What the blocks take with their keys, in bytes.
    pub(crate) bytes: u64,
    /// The most, in milliseconds, that the moment of a block ever was ahead of one of its events:
    /// the clock was set back, or its events had waited.
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

/// The writer's memory of events.
pub(crate) struct EventLog {
    pub(crate) counters: Counters,
    pub(crate) totals: Totals,
    pub(crate) daily_writes: DailyWrites,
    /// The blocks of the group, and the reports that may share one.
    blocks: Vec<PlacedBlock>,
    loose: Vec<(Timestamp, Columns)>,
    /// The moment of the newest block. No later block has an earlier moment.
    newest: Timestamp,
    written: Totals,
    /// The listeners, and the blocks that they are told of once they are on the disk.
    live: Arc<Live>,
    committed: Vec<Arc<CommittedBlock>>,
}

impl EventLog {
    /// The log that lies in `tree`, whose last group is `sequence`.
    ///
    /// That number and everything of its group were one batch: a block of a later group means that
    /// a piece of the database's own log was skipped in recovery.
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
            let why = format!("the data is damaged: group {group} without its number");
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

    /// Adds a report to the group, and counts it. Its counters are loaded.
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

    /// Small reports share blocks.
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
            // Whatever the clock does, what is stored later stands behind what was stored before.
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
        let why = "the data is damaged: group 8 without its number";
        assert_eq!(log(7), Err(Error::Unusable(why.into())));
    }
}
