//! Merges small blocks of the past into large ones, which take half the space and record what they
//! hold. A merge is computed outside the writer thread; its result is one step that stores the new
//! blocks and removes the old ones, as atomic as any other step.
//!
//! Events keep their positions, so cursors and ids stay valid. Readers are locked out while a
//! merge, an erasure or a sweep changes blocks (`block_lock`), and only one of these runs at a time
//! (`compaction_lock`). Reports only add blocks after all others.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::{Order, Position, Sketch, Timestamp};
use crate::store::Result;
use crate::store::sled::engine::keys::{self, Key};
use crate::store::sled::engine::record::corrupt;
use crate::store::sled::engine::transaction::{Change, Transaction};
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::block_iter::{BlockIter, RawBlock, first_loose, newest_merged};
use crate::store::sled::events::counts::count_by_name::NameCount;
use crate::store::sled::events::counts::sketches::{SketchKey, Sketches};
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::format::block::{Block, seal_merged};
use crate::store::sled::events::format::block_stats::{BlockKey, BlockStats};
use crate::store::sled::events::format::columns::{BlockEvent, Columns, DetailsBuffer};
use crate::store::sled::events::format::parts::{self, BlockPartKey};

/// Events at which a merged block is closed: more would compress a little better, but a query for
/// one user would read more.
const MERGED_EVENTS: usize = 1_536;
/// Bytes of columns at which a merged block is closed.
const MERGED_BYTES: usize = 256 * 1024;
/// Loose blocks are merged into one only if their first events are less than this apart. Events
/// that have waited this long are merged even if they do not fill a block.
const MERGED_SPAN: Duration = Duration::from_hours(1);
/// Merged blocks of one step: a larger step would delay the requests that wait behind it.
const STEP_MERGED_BLOCKS: usize = 8;

/// How many events of an hour and a name are removed.
pub(crate) type Uncounted = BTreeMap<(u32, u32), u64>;

/// The replacement of some adjacent blocks by one block, or by none.
pub(crate) struct Replacement {
    /// The keys of the old blocks' parts, and the bytes that the parts take in the database.
    pub(crate) old: Vec<Vec<u8>>,
    pub(crate) old_bytes: usize,
    /// The new block and its statistics; none if no events are left.
    pub(crate) key: BlockKey,
    pub(crate) new: Option<(Vec<u8>, BlockStats)>,
    /// The counts to subtract: by hour, with names in ascending order.
    pub(crate) uncounted: Uncounted,
}

impl Replacement {
    /// Replaces the block under `key` by a block of these columns, or by nothing if they are empty.
    /// Error: the new block does not read back.
    pub(crate) fn new(key: BlockKey, columns: &Columns) -> Result<Replacement> {
        let new = match columns.events() {
            0 => None,
            events => {
                let block = seal_merged(columns, key.position());
                // The old blocks hold acknowledged events: read the new block back before it
                // replaces them.
                let (read, mut room) =
                    (Block::open(key.clone(), &block)?, DetailsBuffer::default());
                let read = read.events(&mut room)?;
                let stats = BlockStats::of(&read, parts::stored_bytes(&block));
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
            uncounted: Uncounted::new(),
        })
    }
}

/// The changes of one step.
#[derive(Default)]
pub(crate) struct Merge {
    pub(crate) replacements: Vec<Replacement>,
    /// The stored sketches that change, with the users of these blocks added.
    pub(crate) sketches: Vec<(SketchKey, Sketch)>,
}

impl Merge {
    /// About how many bytes it is going to write.
    pub(crate) fn bytes(&self) -> u64 {
        let blocks = self.replacements.iter().filter_map(|it| it.new.as_ref());
        blocks.map(|(block, _)| block.len() as u64).sum()
    }
}

/// Loose blocks that become one.
struct Gathering {
    key: BlockKey,
    columns: Columns,
    earliest: Timestamp,
    users: Sketches,
    old: Vec<Vec<u8>>,
    old_bytes: usize,
}

impl Gathering {
    fn new(key: BlockKey, earliest: Timestamp) -> Gathering {
        Gathering {
            key,
            columns: Columns::default(),
            earliest,
            users: Sketches::default(),
            old: Vec::new(),
            old_bytes: 0,
        }
    }

    fn is_full(&self) -> bool {
        self.columns.events() >= MERGED_EVENTS || self.columns.len() >= MERGED_BYTES
    }

    /// Whether an event of this moment is too far from the first one.
    fn is_beyond_span(&self, at: Timestamp) -> bool {
        at.since(self.earliest).max(self.earliest.since(at)) >= MERGED_SPAN
    }

    /// Whether its events have waited as long as they may, or are later than `now` because the
    /// clock was set back.
    fn has_waited(&self, now: Timestamp) -> bool {
        self.earliest > now || now.since(self.earliest) >= MERGED_SPAN
    }
}

/// A merge that is being built.
#[derive(Default)]
struct Merger {
    replacements: Vec<Replacement>,
    users: Sketches,
    gathering: Option<Gathering>,
}

impl Merger {
    /// Adds the next loose block.
    fn add(&mut self, block: RawBlock) -> Result<()> {
        let everything = |_, _: &BlockEvent<'_>| true;
        let added = block.decode(everything, |events, _| self.add_events(&block.key, &events));
        if added.transpose()? != Some(true) {
            self.close()?;
            self.replacements.push(damaged(block));
            return Ok(());
        }
        if let Some(gathering) = &mut self.gathering {
            gathering.old_bytes += block.bytes();
            gathering.old.extend(block.parts);
            if gathering.is_full() {
                self.close()?;
            }
        }
        Ok(())
    }

    /// Adds the events of a loose block. False: it has no events, so it is damaged.
    fn add_events(
        &mut self,
        key: &BlockKey,
        events: &[(Position, BlockEvent<'_>)],
    ) -> Result<bool> {
        let Some((_, first)) = events.first() else {
            return Ok(false);
        };
        let is_beyond = |it: &Gathering| it.is_beyond_span(first.at);
        if self.gathering.as_ref().is_some_and(is_beyond) {
            self.close()?;
        }
        let fresh = || Gathering::new(key.clone(), first.at);
        let gathering = self.gathering.get_or_insert_with(fresh);
        for (position, event) in events {
            gathering.columns.keep(*position, event);
            gathering.users.see(event);
        }
        Ok(true)
    }

    /// Finishes the block that is being built, if there is one.
    fn close(&mut self) -> Result<()> {
        if let Some(gathering) = self.gathering.take() {
            self.users.unite(&gathering.users);
            self.replacements.push(Replacement {
                old: gathering.old,
                old_bytes: gathering.old_bytes,
                ..Replacement::new(gathering.key, &gathering.columns)?
            });
        }
        Ok(())
    }
}

/// Plans the merge of some loose blocks. With `all`, the plan includes the last ones, although
/// later blocks could still join them.
pub(crate) fn gather(tree: &Tree, now: Timestamp, all: bool) -> Result<Merge> {
    let (from, to) = (
        first_loose(newest_merged(tree)?.as_ref()),
        keys::end::<BlockPartKey>(),
    );
    let mut blocks = BlockIter::new(tree, &from, &to, Order::Ascending);
    let mut merger = Merger::default();
    while merger.replacements.len() < STEP_MERGED_BLOCKS {
        let Some(block) = blocks.next()? else {
            if merger
                .gathering
                .as_ref()
                .is_some_and(|it| all || it.has_waited(now))
            {
                merger.close()?;
            }
            break;
        };
        merger.add(block)?;
    }
    Ok(Merge {
        replacements: merger.replacements,
        sketches: merger.users.changed(tree)?,
    })
}

/// Leaves an unreadable block as it is, and records it as [`BlockStats::Damaged`] in the place of
/// statistics.
fn damaged(block: RawBlock) -> Replacement {
    log::error!(
        "the block of events {} is damaged: it is not merged",
        block.key
    );
    Replacement {
        new: Some((Vec::new(), BlockStats::Damaged)),
        old: Vec::new(),
        old_bytes: 0,
        key: block.key,
        uncounted: Uncounted::new(),
    }
}

/// Replaces old blocks by new ones, and corrects sketches, counters and totals.
pub(crate) fn replace(tx: &mut Transaction<'_>, log: &mut EventLog, merge: Merge) -> Result<()> {
    for (key, sketch) in &merge.sketches {
        tx.put(key, sketch)?;
    }
    let mut uncounted = Uncounted::new();
    for replacement in merge.replacements {
        for key in replacement.old {
            tx.change(key, Change::Remove);
        }
        let mut new_bytes = 0;
        match &replacement.new {
            Some((block, stats)) => {
                for (key, value) in parts::entries(&replacement.key, block)? {
                    tx.change(key, Change::Put(value));
                }
                tx.put(&replacement.key, stats)?;
                new_bytes = parts::stored_bytes(block);
            }
            None => tx.remove(&replacement.key),
        }
        log.change_block_bytes(replacement.old_bytes as u64, new_bytes as u64);
        for ((hour, name), count) in replacement.uncounted {
            *uncounted.entry((hour, name)).or_default() += count;
        }
    }
    subtract(tx, log, uncounted)
}

/// Subtracts the counts of removed events, hour by hour.
fn subtract(tx: &mut Transaction<'_>, log: &mut EventLog, uncounted: Uncounted) -> Result<()> {
    let mut hours: BTreeMap<u32, Vec<NameCount>> = BTreeMap::new();
    for ((hour, name), count) in uncounted {
        let counts = hours.entry(hour).or_default();
        counts.push(NameCount { name, count });
    }
    hours
        .iter()
        .try_for_each(|(hour, counts)| log.subtract(tx, *hour, counts))
}
