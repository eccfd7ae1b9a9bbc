//! The writer's state for events: the blocks of the current group, and the counters, totals and
//! daily writes that it keeps from group to group. It adds its entries to every commit.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::{Position, Timestamp};
use crate::store::sled::engine::group_state::GroupState;
use crate::store::sled::engine::keys::Key;
use crate::store::sled::engine::newest_moment::NewestMoment;
use crate::store::sled::engine::read::RawEntry;
use crate::store::sled::engine::record;
use crate::store::sled::engine::transaction::{GroupEntries, Transaction};
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::block_iter::newest_block;
use crate::store::sled::events::counts::count_by_name::NameCount;
use crate::store::sled::events::counts::counters::{self, Counters};
use crate::store::sled::events::counts::names::Names;
use crate::store::sled::events::disk_writes::DailyWrites;
use crate::store::sled::events::format::block::{self, BODY_BYTES};
use crate::store::sled::events::format::block_stats::BlockKey;
use crate::store::sled::events::format::columns::Columns;
use crate::store::sled::events::format::parts;
use crate::store::sled::events::live::{self, CommittedBlock, Live};
use crate::store::sled::events::remembered::{Remember, Remembered};
use crate::store::sled::events::report::EncodedReport;
use crate::store::sled::events::step_changes::StepChanges;
use crate::store::sled::events::totals::{TOTALS, Totals};
use crate::store::{Error, Result};

/// A block that gets its key when the group is committed.
struct PlacedBlock {
    /// The first and the last moment of its events.
    earliest: Timestamp,
    latest: Timestamp,
    block: Vec<u8>,
}

/// What the log shares with the rest of the store, and its bound.
pub(crate) struct LogParts {
    pub(crate) daily_writes: DailyWrites,
    pub(crate) newest_moment: NewestMoment,
    pub(crate) live: Arc<Live>,
    pub(crate) names: Arc<Names>,
    pub(crate) remembered: Remembered,
}

/// The writer's state for events.
pub(crate) struct EventLog {
    pub(crate) counters: Counters,
    totals: Totals,
    pub(crate) daily_writes: DailyWrites,
    pub(crate) newest_moment: NewestMoment,
    names: Arc<Names>,
    remembered: Remembered,
    /// The changes of the current step.
    pub(crate) step: StepChanges,
    /// The numbers of names that were used since a search for unused ones began.
    used_names: Option<HashSet<u32>>,
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
    /// that sled's recovery skipped a part of sled's own log: error `Damaged`.
    pub(crate) fn open(tree: &Tree, sequence: u64, parts: LogParts) -> Result<EventLog> {
        let totals = Totals::counted(tree)?;
        let newest = newest_block(tree)?;
        if let Some(block) = newest.as_ref().filter(|it| it.sequence > sequence) {
            let group = block.sequence;
            let why = format!("there are blocks of group {group}, but the group was not committed");
            return Err(Error::Damaged(why));
        }
        Ok(EventLog {
            counters: Counters::default(),
            totals,
            daily_writes: parts.daily_writes,
            newest_moment: parts.newest_moment,
            names: parts.names,
            remembered: parts.remembered,
            step: StepChanges::default(),
            used_names: None,
            blocks: Vec::new(),
            loose: Vec::new(),
            newest: newest.map_or(Timestamp::from_millis(i64::MIN), |key| key.at),
            written: totals,
            live: parts.live,
            committed: Vec::new(),
        })
    }

    /// What is stored of events in all, without the changes of the current step.
    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// The numbers of event names.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Adds a report in the current step. The caller has loaded its counters.
    pub(crate) fn add(&mut self, report: EncodedReport) {
        self.step.reports.push(report);
    }

    /// Changes the bytes that blocks take, in the current step.
    pub(crate) fn change_block_bytes(&mut self, old: u64, new: u64) {
        let signed = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.step.block_bytes += signed(new) - signed(old);
    }

    /// Subtracts counts of an hour in the current step: names in order, each once, and each hour
    /// once in a step.
    pub(crate) fn subtract(
        &mut self,
        tx: &mut Transaction<'_>,
        hour: u32,
        counts: &[NameCount],
    ) -> Result<()> {
        let rows = counters::subtract(tx, &self.counters, hour, counts)?;
        self.step.rows.extend(rows);
        Ok(())
    }

    /// Remembers ids and idempotency keys that the current step stores. Error: `TooManyKeys`.
    pub(crate) fn remember(&mut self, change: Remember) -> Result<()> {
        if !self.remembered.has_room(&change) {
            return Err(Error::TooManyKeys);
        }
        self.step.remembered.push(change);
        Ok(())
    }

    /// Starts to note which names reports use.
    pub(crate) fn note_used_names(&mut self) {
        self.used_names = Some(HashSet::new());
    }

    /// Ends what `note_used_names` started.
    pub(crate) fn forget_used_names(&mut self) {
        self.used_names = None;
    }

    /// Whether a report has used this name since `note_used_names`.
    pub(crate) fn was_used(&self, name: u32) -> bool {
        let is_used = |used: &HashSet<u32>| used.contains(&name);
        self.used_names.as_ref().is_none_or(is_used)
    }

    /// Stores the counts of bytes written in the current step, if that is worth a write.
    pub(crate) fn save_days(&mut self, tx: &mut Transaction<'_>, at_the_end: bool) -> Result<()> {
        self.step.saves_days = self.daily_writes.save(tx, at_the_end)?;
        Ok(())
    }

    /// Bytes that events and what is remembered of them take in the database, with the changes of
    /// the current step.
    pub(crate) fn used_bytes(&self) -> u64 {
        let blocks = self
            .totals
            .bytes
            .saturating_add_signed(self.step.block_bytes);
        blocks + self.remembered.bytes() + self.names.bytes()
    }

    /// Counts a report and takes its blocks.
    fn place(&mut self, report: EncodedReport) {
        let (at, stored) = (report.at, report.stored());
        self.totals.events += stored;
        self.daily_writes.store(at, stored);
        self.counters.add(at.hour(), &report.counts);
        if let Some(used) = &mut self.used_names {
            used.extend(report.counts.iter().map(|it| it.name));
        }
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
    fn step_bytes(&self) -> u64 {
        self.step.bytes()
    }

    fn keep(&mut self) {
        let step = std::mem::take(&mut self.step);
        self.totals.bytes = self.totals.bytes.saturating_add_signed(step.block_bytes);
        for change in step.remembered {
            self.remembered.apply(change);
        }
        for report in step.reports {
            self.place(report);
        }
        self.counters.set(step.rows);
        for (id, record) in &step.learned {
            self.names.learn(*id, record);
        }
        for id in step.forgotten {
            self.names.forget(id);
        }
        if step.saves_days {
            self.daily_writes.saved();
        }
    }

    fn roll_back(&mut self) {
        self.step = StepChanges::default();
    }

    fn is_idle(&self) -> bool {
        let has_no_blocks = self.blocks.is_empty() && self.loose.is_empty();
        has_no_blocks && self.remembered.is_idle() && self.totals == self.written
    }

    fn entries(&mut self, sequence: u64) -> Result<GroupEntries> {
        let has_listeners = self.live.begin(sequence);
        self.join_loose();
        let mut changed = self.counters.changed()?;
        let new = self.place_blocks(sequence)?;
        if has_listeners {
            self.committed = live::committed_blocks(&new);
        }
        if self.totals != self.written {
            let key = TOTALS.bytes();
            changed.push((key.clone(), record::seal(&key, &self.totals)?));
            self.written = self.totals;
        }
        let mut entries = GroupEntries { changed, new };
        self.remembered.pack(sequence, &mut entries)?;
        Ok(entries)
    }

    fn bookkeeping(&mut self) -> Result<Option<RawEntry>> {
        self.newest_moment.entry()
    }

    fn committed(&mut self) {
        self.live.publish(&std::mem::take(&mut self.committed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::engine::open::{self, OpenOptions};
    use crate::store::sled::events::format::parts::BlockPartKey;
    use crate::store::sled::options::StoreOptions;

    #[test]
    fn a_block_of_a_group_without_its_number_is_damage() {
        let directory = tempfile::tempdir().unwrap();
        let tree = open::open(directory.path(), &OpenOptions::default())
            .unwrap()
            .tree;
        let put_block = |sequence| {
            let key = BlockPartKey {
                at: Timestamp::default(),
                sequence,
                index: 0,
                part: 0,
            };
            tree.insert(key.bytes(), &[]).unwrap();
        };
        let names = Arc::new(Names::load(&tree, StoreOptions::default().name_limits()).unwrap());
        let log = |live: u64| {
            let parts = LogParts {
                daily_writes: DailyWrites::default(),
                newest_moment: NewestMoment::load(&tree).unwrap(),
                live: Arc::new(Live::new(live)),
                names: Arc::clone(&names),
                remembered: Remembered::load(&tree, 0).unwrap(),
            };
            EventLog::open(&tree, 7, parts).map(drop)
        };
        put_block(7);
        assert_eq!(log(7), Ok(()));
        put_block(8);
        let why = "there are blocks of group 8, but the group was not committed";
        assert_eq!(log(7), Err(Error::Damaged(why.into())));
    }
}
