//! Removes events for good, block by block. Each step is as durable and atomic as any other, and
//! corrects the counters too. If the process dies between two steps, a repeated request finishes
//! the work.

use crate::model::{
    AuditAction, AuditContext, AuditEntry, Erasure, EventQuery, Order, Timestamp, UserId,
};
use crate::store::Result;
use crate::store::sled::engine::keys::{self, Key};
use crate::store::sled::events::block_iter::{MergedBlockIter, RawBlock};
use crate::store::sled::events::compaction::{Merge, Replacement, Uncounted};
use crate::store::sled::events::filter::EventFilter;
use crate::store::sled::events::format::block_stats::BlockKey;
use crate::store::sled::events::format::columns::{BlockEvent, Columns};
use crate::store::sled::events::reader::Reader;

/// Blocks that one step rewrites.
const STEP_BLOCKS: usize = 8;
/// Blocks that one step looks at. No merge and no sweep runs meanwhile.
const STEP_SEEN_BLOCKS: usize = 10_000;

/// The changes of one step, and where the next step begins.
#[derive(Default)]
pub(crate) struct ErasurePlan {
    pub(crate) merge: Merge,
    /// How many events it removes.
    pub(crate) events: u64,
    /// The key of the next block; none: nothing follows.
    pub(crate) next: Option<Vec<u8>>,
}

/// Plans to rewrite some of the merged blocks from the key `from` on, without the events that are
/// to be erased.
pub(crate) fn plan(reader: &Reader, what: &Erasure, from: &[u8]) -> Result<ErasurePlan> {
    let mut plan = ErasurePlan::default();
    let query = EventQuery {
        name: what.name.clone(),
        subject: what.subject,
        to: what.before,
        ..EventQuery::all(Order::Ascending)
    };
    let Some(filter) = reader.resolve(&query)? else {
        return Ok(plan);
    };
    let (end, mut seen) = (keys::end::<BlockKey>(), 0);
    let mut merged = MergedBlockIter::new(reader.tree(), from, &end, Order::Ascending);
    while let Some((key, stats)) = merged.next()? {
        if plan.merge.replacements.len() == STEP_BLOCKS || seen == STEP_SEEN_BLOCKS {
            plan.next = Some(key.bytes());
            break;
        }
        seen += 1;
        if stats.is_some_and(|stats| !filter.may_match(&stats)) {
            continue;
        }
        let block = RawBlock::fetch(reader.tree(), key)?;
        if let Some((replacement, events)) = without(reader, &filter, block)? {
            plan.merge.replacements.push(replacement);
            plan.events += events;
        }
    }
    Ok(plan)
}

/// Replaces a block by one without the matching events. Returns the replacement and how many events
/// it removes; none if no event matches, or if the block is damaged.
fn without(
    reader: &Reader,
    filter: &EventFilter<'_>,
    block: RawBlock,
) -> Result<Option<(Replacement, u64)>> {
    let mut kept = Columns::default();
    let mut erased = Uncounted::new();
    let everything = |_, _: &BlockEvent<'_>| true;
    reader.decode(&block, everything, |events, _| {
        for (position, event) in &events {
            if filter.matches(event) {
                *erased.entry((event.at.hour(), event.name)).or_default() += 1;
            } else {
                kept.keep(*position, event);
            }
        }
    });
    if erased.is_empty() {
        return Ok(None);
    }
    let removed = erased.values().sum();
    let replacement = Replacement {
        uncounted: erased,
        old_bytes: block.bytes(),
        old: block.parts,
        ..Replacement::new(block.key, &kept)?
    };
    Ok(Some((replacement, removed)))
}

/// The entry of an erasure in the audit log.
pub(crate) fn entry(what: &Erasure, by: &AuditContext) -> AuditEntry {
    let mut filters = Vec::new();
    filters.extend(what.name.as_ref().map(|name| format!("name {name}")));
    let before = what.before.map(Timestamp::rfc3339_millis);
    filters.extend(before.map(|moment| format!("before {moment}")));
    let entry = by.done(AuditAction::EraseEvents).about(filters.join(", "));
    match what.subject {
        Some(user) => entry.on(user),
        None => entry,
    }
}

/// The user whose events are all erased; none if the erasure has no user or further conditions.
pub(crate) fn leaves_nothing_of(what: &Erasure) -> Option<UserId> {
    what.subject
        .filter(|_| what.name.is_none() && what.before.is_none())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::store::sled::engine::record;
    use crate::store::sled::events::format::block_stats::BlockStats;
    use crate::store::sled::options::StoreOptions;
    use crate::store::sled::store::SledStore;

    #[tokio::test]
    async fn a_step_looks_at_so_many_blocks_and_the_next_one_goes_on_behind_them() {
        let directory = tempfile::tempdir().unwrap();
        let opened = SledStore::open(directory.path(), StoreOptions::default());
        let store = opened.await.unwrap();
        let key = |index| {
            let at = Timestamp::default();
            BlockKey {
                at,
                sequence: 0,
                index,
            }
            .bytes()
        };
        let last = u32::try_from(STEP_SEEN_BLOCKS).unwrap();
        for index in 0..=last {
            let key = key(index);
            let stats = record::seal(&key, &BlockStats::Damaged).unwrap();
            store.tree.insert(key, stats).unwrap();
        }
        let everything = Arc::new(Erasure::default());
        let first = store.erase_some(&everything, key(0), &mut None).await;
        assert_eq!(first, Ok((0, Some(key(last)))));
        let second = store.erase_some(&everything, key(last), &mut None).await;
        assert_eq!(second, Ok((0, None)));
    }
}
