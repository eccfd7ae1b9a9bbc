//! Removing events that somebody has a right to see gone: block by block, in steps that each are as durable and atomic as any, with the
//! counters corrected in the same step. Should the process die between two steps, asking again finishes the work.

use std::collections::BTreeMap;

use crate::model::{Erasure, EventQuery, Order, UserId};
use crate::store::Result;
use crate::store::sled::engine::keys::{BlockKey, FormerKey, Key, NumberKey, UserKey};
use crate::store::sled::engine::transaction::{Read, Transaction, after_prefix};
use crate::store::sled::events::block_iter::{MergedBlockIter, Stored};
use crate::store::sled::events::compaction::{Merge, Replacement};
use crate::store::sled::events::counts::count_by_name::NameCount;
use crate::store::sled::events::format::columns::{Columns, DetailsBuffer};
use crate::store::sled::events::reader::{EventFilter, Reader};

/// BlockIter that one step rewrites.
const STEP_BLOCKS: usize = 8;

/// What one step is to do, and where the next one begins.
pub(crate) struct Erasing {
    pub(crate) merge: Merge,
    pub(crate) events: u64,
    pub(crate) next: Option<Vec<u8>>,
}

/// Some of the merged blocks from the key `from` on that hold such events, without them.
pub(crate) fn plan(reader: &Reader, what: &Erasure, from: &[u8]) -> Result<Erasing> {
    let mut erasing = Erasing {
        merge: Merge::default(),
        events: 0,
        next: None,
    };
    let query = EventQuery {
        name: what.name.clone(),
        subject: what.subject,
        to: what.before,
        ..EventQuery::all(Order::Ascending)
    };
    let Some(filter) = reader.resolve(&query)? else {
        return Ok(erasing);
    };
    let end = after_prefix(&[BlockKey::KIND]);
    let mut merged = MergedBlockIter::new(reader.tree(), from, &end, Order::Ascending);
    while let Some((key, stats)) = merged.next()? {
        if erasing.merge.replacements.len() == STEP_BLOCKS {
            erasing.next = Some(key.bytes());
            break;
        }
        if stats.is_some_and(|stats| !filter.may_match(&stats)) {
            continue;
        }
        let stored = Stored::fetch(reader.tree(), key)?;
        if let Some((replacement, events)) = without(reader, &filter, stored)? {
            erasing.merge.replacements.push(replacement);
            erasing.events += events;
        }
    }
    Ok(erasing)
}

/// A block without the events that are to go, and how many those are; none if it has none of them.
fn without(
    reader: &Reader,
    filter: &EventFilter<'_>,
    stored: Stored,
) -> Result<Option<(Replacement, u64)>> {
    let (block, mut room) = (stored.open(), DetailsBuffer::default());
    let events = block
        .as_ref()
        .and_then(|block| block.events(&mut room).ok());
    let Some(events) = events else {
        reader.note_damage(&stored.key);
        return Ok(None);
    };
    let mut kept = Columns::default();
    let mut gone: BTreeMap<(u32, u32), u64> = BTreeMap::new();
    for (position, event) in &events {
        if filter.matches(event) {
            *gone.entry((event.at.hour(), event.name)).or_default() += 1;
        } else {
            kept.keep(*position, event);
        }
    }
    if gone.is_empty() {
        return Ok(None);
    }
    let removed = gone.values().sum();
    let mut uncounted: BTreeMap<u32, Vec<NameCount>> = BTreeMap::new();
    for ((hour, name), count) in gone {
        let counts = uncounted.entry(hour).or_default();
        counts.push(NameCount { name, count });
    }
    let replacement = Replacement {
        uncounted,
        old_bytes: stored.bytes(),
        old: stored.parts,
        ..Replacement::new(stored.key, &kept)?
    };
    Ok(Some((replacement, removed)))
}

/// Forgets the number of an account that is gone and has no events any more.
pub(crate) fn forget_former(tx: &mut Transaction<'_>, id: UserId) -> Result<()> {
    let key = FormerKey { id };
    if let Some(number) = tx.fetch(&key)?
        && tx.fetch(&UserKey { id })?.is_none()
    {
        tx.remove(&NumberKey { number });
        tx.remove(&key);
    }
    Ok(())
}

/// Whether an erasure leaves nothing of a user behind.
pub(crate) fn is_complete(what: &Erasure) -> Option<UserId> {
    what.subject
        .filter(|_| what.name.is_none() && what.before.is_none())
}
