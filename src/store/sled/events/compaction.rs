//! Small blocks of the past are merged into large ones, which take half the space and say what they hold. The work is done beside the
//! writer; what it comes to is one step that puts the new block and removes the old ones, as atomic as all others.
//!
//! Events keep their positions, so that cursors and ids stay good. While a merge, an erasure or a sweep changes blocks, nobody
//! reads them, and no two of these run at once (`block_lock`); reports only ever add blocks behind all others.

use std::collections::BTreeMap;
use std::time::Duration;

use sled::Tree;

use crate::model::{Order, Sketch, Timestamp};
use crate::store::Result;
use crate::store::sled::engine::keys::{BlockKey, BlockPartKey, Key, SketchKey};
use crate::store::sled::engine::record::corrupt;
use crate::store::sled::engine::transaction::{Change, Transaction, after_prefix};
use crate::store::sled::events::block_iter::{BlockIter, Stored, first_loose, newest_merged};
use crate::store::sled::events::counts::count_by_name::NameCount;
use crate::store::sled::events::counts::counters;
use crate::store::sled::events::counts::sketches::Sketches;
use crate::store::sled::events::format::block::{Block, entries, seal_merged, stored_bytes};
use crate::store::sled::events::format::block_stats::BlockStats;
use crate::store::sled::events::format::columns::{Columns, DetailsBuffer};

/// Events of a merged block: more would compress a little better and make a question about one user read more.
const MERGED_EVENTS: usize = 1_536;
/// Bytes of its columns.
const MERGED_BYTES: usize = 256 * 1024;
/// The time from its first event to its last: it is also how long events may wait to be merged.
const MERGED_SPAN: Duration = Duration::from_hours(1);
/// Merged blocks of one step: it must not hold up the requests that wait behind it.
const STEP_MERGED_BLOCKS: usize = 8;

/// What becomes of some blocks that stand together.
pub(crate) struct Replacement {
    /// The keys of their parts, and what they take.
    pub(crate) old: Vec<Vec<u8>>,
    pub(crate) old_bytes: usize,
    /// The block in their place.
    pub(crate) key: BlockKey,
    pub(crate) new: Option<(Vec<u8>, BlockStats)>,
    /// What is not counted any more: hour by hour, the names in their order.
    pub(crate) uncounted: BTreeMap<u32, Vec<NameCount>>,
}

impl Replacement {
    /// One that puts these columns in the place of the block under `key`, or nothing if they are empty.
    pub(crate) fn new(key: BlockKey, columns: &Columns) -> Result<Replacement> {
        let new = match columns.events() {
            0 => None,
            events => {
                let block = seal_merged(columns, key.position());
                // What was acknowledged is given up only for what has been read back.
                let (read, mut room) =
                    (Block::open(key.part(0), &block)?, DetailsBuffer::default());
                let read = read.events(&mut room)?;
                let stats = BlockStats::of(&read, stored_bytes(&block));
                let stats = stats.filter(|_| read.len() == events);
                Some((
                    block,
                    stats.ok_or_else(|| corrupt(&key.bytes(), "not merged"))?,
                ))
            }
        };
        Ok(Replacement {
            old: Vec::new(),
            old_bytes: 0,
            key,
            new,
            uncounted: BTreeMap::new(),
        })
    }
}

/// What one step is to do.
#[derive(Default)]
pub(crate) struct Merge {
    pub(crate) replacements: Vec<Replacement>,
    /// Sketches that know users of these blocks that they did not know before.
    pub(crate) sketches: Vec<(SketchKey, Sketch)>,
}

impl Merge {
    /// About how many bytes it is going to write.
    pub(crate) fn bytes(&self) -> u64 {
        let blocks = self.replacements.iter().filter_map(|it| it.new.as_ref());
        blocks.map(|(block, _)| block.len() as u64).sum()
    }
}

/// Loose blocks on their way into one.
struct Gathering {
    key: BlockKey,
    columns: Columns,
    earliest: Timestamp,
    users: Sketches,
    old: Vec<Vec<u8>>,
    old_bytes: usize,
}

impl Gathering {
    fn finish(self, users: &mut Sketches) -> Result<Replacement> {
        users.unite(&self.users);
        Ok(Replacement {
            old: self.old,
            old_bytes: self.old_bytes,
            ..Replacement::new(self.key, &self.columns)?
        })
    }

    fn is_full(&self) -> bool {
        self.columns.events() >= MERGED_EVENTS || self.columns.len() >= MERGED_BYTES
    }
}

/// Some of the loose blocks, merged. With `all`, the last ones too, although more may come to fill their block.
pub(crate) fn gather(tree: &Tree, now: Timestamp, all: bool) -> Result<Merge> {
    let from = first_loose(newest_merged(tree)?.as_ref());
    let mut blocks = BlockIter::new(
        tree,
        &from,
        &after_prefix(&[BlockPartKey::KIND]),
        Order::Ascending,
    );
    let mut merged = Vec::new();
    let mut users = Sketches::default();
    let mut gathering: Option<Gathering> = None;
    while merged.len() < STEP_MERGED_BLOCKS {
        let Some(stored) = blocks.next()? else {
            let waited =
                |it: &Gathering| it.earliest > now || now.since(it.earliest) >= MERGED_SPAN;
            let last = gathering.filter(|it| all || waited(it));
            merged.extend(finished(last, &mut users)?);
            break;
        };
        let (block, mut room) = (stored.open(), DetailsBuffer::default());
        let events = block
            .as_ref()
            .and_then(|block| block.events(&mut room).ok());
        let Some((events, (_, first))) = events.as_ref().and_then(|it| Some((it, it.first()?)))
        else {
            merged.extend(finished(gathering.take(), &mut users)?);
            merged.push(damaged(stored));
            continue;
        };
        let span = |it: &Gathering| first.at.since(it.earliest).max(it.earliest.since(first.at));
        if gathering.as_ref().is_some_and(|it| span(it) >= MERGED_SPAN) {
            merged.extend(finished(gathering.take(), &mut users)?);
        }
        let under_way = gathering.get_or_insert_with(|| Gathering {
            key: stored.key.clone(),
            columns: Columns::default(),
            earliest: first.at,
            users: Sketches::default(),
            old: Vec::new(),
            old_bytes: 0,
        });
        for (position, event) in events {
            under_way.columns.keep(*position, event);
            under_way.users.see(event);
        }
        under_way.old_bytes += stored.bytes();
        under_way.old.extend(stored.parts);
        if under_way.is_full() {
            merged.extend(finished(gathering.take(), &mut users)?);
        }
    }
    Ok(Merge {
        replacements: merged,
        sketches: users.changed(tree)?,
    })
}

fn finished(gathering: Option<Gathering>, users: &mut Sketches) -> Result<Option<Replacement>> {
    gathering.map(|it| it.finish(users)).transpose()
}

/// A block that cannot be read stays as it is; that it is there is said beside it, like what the others hold.
fn damaged(stored: Stored) -> Replacement {
    log::error!(
        "the block of events {} is damaged: it is not merged",
        stored.key
    );
    Replacement {
        new: Some((Vec::new(), BlockStats::Damaged)),
        old: Vec::new(),
        old_bytes: 0,
        key: stored.key,
        uncounted: BTreeMap::new(),
    }
}

/// Puts new blocks in the place of old ones.
pub(crate) fn replace(tx: &mut Transaction<'_>, merge: Merge) -> Result<()> {
    for (key, sketch) in &merge.sketches {
        tx.put(key, sketch)?;
    }
    for replacement in merge.replacements {
        for key in replacement.old {
            tx.change(key, Change::Remove);
        }
        let mut new_bytes = 0;
        match &replacement.new {
            Some((block, stats)) => {
                for (key, value) in entries(&replacement.key, block)? {
                    tx.change(key, Change::Put(value));
                }
                tx.put(&replacement.key, stats)?;
                new_bytes = stored_bytes(block);
            }
            None => tx.remove(&replacement.key),
        }
        for (hour, counts) in replacement.uncounted {
            counters::subtract(tx, hour, &counts)?;
        }
        let totals = &mut tx.events.totals;
        totals.bytes = totals.bytes.saturating_add(new_bytes as u64);
        totals.bytes = totals.bytes.saturating_sub(replacement.old_bytes as u64);
    }
    Ok(())
}
