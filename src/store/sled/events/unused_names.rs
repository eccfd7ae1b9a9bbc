//! Gives back the numbers of names that no event and no counter refers to any more, so that names
//! which were used once do not take the room of others for ever.

use std::collections::HashSet;

use crate::model::Order;
use crate::store::Result;
use crate::store::sled::SledStore;
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::keys::{self, Key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::block_access::BACKGROUND_NICE;
use crate::store::sled::events::block_iter::{
    BlockIter, MergedBlockIter, RawBlock, first_loose, newest_merged,
};
use crate::store::sled::events::counts::counters::{CountKey, CountRow, ROW_NAMES};
use crate::store::sled::events::counts::name_record::{NameRecord, STEP_NAMES};
use crate::store::sled::events::counts::sketches::SketchKey;
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::format::block_stats::{BlockKey, BlockStats};
use crate::store::sled::events::format::columns::BlockEvent;
use crate::store::sled::events::format::parts::BlockPartKey;
use crate::store::sled::events::reader::Reader;

impl SledStore {
    /// Removes names that nothing refers to, if names were refused a number and events or counters
    /// were removed since the last time.
    ///
    /// Reports go on meanwhile. The writer notes the names that they use, and a report whose names
    /// were resolved before some were removed is encoded again.
    pub(crate) async fn remove_unused_names(&self) -> Result<()> {
        if !self.names.take_search_is_due() {
            return Ok(());
        }
        let _no_block_is_replaced = self.compaction_lock.lock().await;
        let note = |_: &mut Transaction<'_>, log: &mut EventLog| {
            log.note_used_names();
            Ok(())
        };
        self.change_events(WriteClass::Reclaim, note).await?;
        let names = self.names.all_numbers();
        let search = move |reader: &mut Reader| unused(reader.tree(), names);
        let unused = self.on_thread("names", BACKGROUND_NICE, search).await?;
        for some in unused.chunks(STEP_NAMES) {
            let some = some.to_vec();
            let remove = move |tx: &mut Transaction<'_>, log: &mut EventLog| {
                for id in some {
                    if !log.was_used(id) {
                        log.step.forget_name(tx, id);
                    }
                }
                Ok(())
            };
            self.change_events(WriteClass::Reclaim, remove).await?;
        }
        let end = |_: &mut Transaction<'_>, log: &mut EventLog| {
            log.forget_used_names();
            Ok(())
        };
        self.change_events(WriteClass::Reclaim, end).await
    }

    /// Names the numbers that events or counters refer to and whose names were lost with damaged
    /// files, so that they do not get the names of other events.
    pub(crate) async fn name_lost_numbers(&self) -> Result<()> {
        let unnamed = self.names.unnamed_numbers();
        let unused: HashSet<u32> = unused(&self.tree, unnamed.clone())?.into_iter().collect();
        let lost = unnamed.into_iter().filter(|id| !unused.contains(id));
        let lost: Vec<_> = lost.map(|id| (id, NameRecord::lost(id))).collect();
        for some in lost.chunks(STEP_NAMES) {
            let some = some.to_vec();
            let name = move |tx: &mut Transaction<'_>, log: &mut EventLog| {
                for (id, record) in some {
                    log.step.learn_name(tx, id, record)?;
                }
                Ok(())
            };
            self.change_events(WriteClass::Reclaim, name).await?;
        }
        Ok(())
    }
}

/// The numbers among these to which no event, counter or sketch refers.
fn unused(tree: &Tree, mut numbers: Vec<u32>) -> Result<Vec<u32>> {
    without_counted(tree, &mut numbers)?;
    without_merged(tree, &mut numbers)?;
    without_loose(tree, &mut numbers)?;
    let mut unused = Vec::new();
    for name in numbers {
        let key = |hour| SketchKey { name, hour }.bytes();
        if tree.raw_range(&key(0), &key(u32::MAX), 1)?.is_empty() {
            unused.push(name);
        }
    }
    Ok(unused)
}

/// Leaves out the names that are counted in some hour.
fn without_counted(tree: &Tree, numbers: &mut Vec<u32>) -> Result<()> {
    let mut counted = HashSet::new();
    tree.visit(|key: CountKey, counts| {
        let first = key.row * ROW_NAMES;
        match counts {
            Some(CountRow(counts)) => {
                let names = (first..).zip(counts).filter(|(_, count)| *count > 0);
                counted.extend(names.map(|(name, _)| name));
            }
            // It may count any of them.
            None => counted.extend(first..first + ROW_NAMES),
        }
    })?;
    numbers.retain(|name| !counted.contains(name));
    Ok(())
}

/// Leaves out the names that merged blocks may hold. Nothing reads the events of a damaged block.
fn without_merged(tree: &Tree, numbers: &mut Vec<u32>) -> Result<()> {
    let (from, to) = (keys::first::<BlockKey>(), keys::end::<BlockKey>());
    let mut merged = MergedBlockIter::new(tree, &from, &to, Order::Ascending);
    while let Some((key, stats)) = merged.next()? {
        match stats {
            Some(BlockStats::Events { names, .. }) => {
                numbers.retain(|number| !names.may_hold(*number));
            }
            Some(BlockStats::Damaged) => {}
            None => without_names_of(&RawBlock::fetch(tree, key)?, numbers),
        }
    }
    Ok(())
}

/// Leaves out the names that loose blocks hold.
fn without_loose(tree: &Tree, numbers: &mut Vec<u32>) -> Result<()> {
    let from = first_loose(newest_merged(tree)?.as_ref());
    let to = keys::end::<BlockPartKey>();
    let mut blocks = BlockIter::new(tree, &from, &to, Order::Ascending);
    while let Some(block) = blocks.next()? {
        without_names_of(&block, numbers);
    }
    Ok(())
}

fn without_names_of(block: &RawBlock, numbers: &mut Vec<u32>) {
    let everything = |_, _: &BlockEvent<'_>| true;
    block.decode(everything, |events, _| {
        let held: HashSet<u32> = events.iter().map(|(_, event)| event.name).collect();
        numbers.retain(|number| !held.contains(number));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_damaged_row_may_count_are_used() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let tree = Tree::of(&db);
        let key = CountKey { hour: 7, row: 0 };
        tree.insert(key.bytes(), b"damaged").unwrap();
        let behind = ROW_NAMES;
        assert_eq!(unused(&tree, vec![1, 63, behind]), Ok(vec![behind]));
    }
}
