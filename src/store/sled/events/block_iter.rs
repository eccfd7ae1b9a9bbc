//! Iterates over the blocks of events in key order. Older blocks are merged, and a record beside
//! each merged block says what it holds ([`BlockStats`]). Blocks after the newest merged one are
//! *loose*: they are still as the writer stored them.

use crate::model::{Order, Position};
use crate::store::Result;
use crate::store::sled::engine::keys::{self, Key};
use crate::store::sled::engine::read::{Read, from_sled};
use crate::store::sled::engine::record;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::format::block::{Block, events_in};
use crate::store::sled::events::format::block_stats::{BlockKey, BlockStats};
use crate::store::sled::events::format::columns::{BlockEvent, DetailsBuffer};
use crate::store::sled::events::format::parts::{BlockPartKey, Part, stored_bytes};

/// A block as the tree stores it, with its parts joined.
pub(crate) struct RawBlock {
    pub(crate) key: BlockKey,
    /// The keys of its parts.
    pub(crate) parts: Vec<Vec<u8>>,
    /// None: the block is damaged.
    joined: Option<Vec<u8>>,
}

/// A part of a block; its bytes are missing if it is damaged.
type RawPart = (BlockPartKey, Option<Vec<u8>>);

impl RawBlock {
    /// Joins the parts of one block, which come in order.
    fn join(key: BlockKey, parts: Vec<RawPart>) -> RawBlock {
        let mut numbered = (0..).zip(&parts);
        let is_whole = numbered.all(|(part, (key, bytes))| key.part == part && bytes.is_some());
        let keys = parts.iter().map(|(key, _)| key.bytes()).collect();
        let joined = is_whole && !parts.is_empty();
        let bytes = parts.into_iter().filter_map(|(_, bytes)| bytes);
        RawBlock {
            key,
            parts: keys,
            joined: joined.then(|| bytes.collect::<Vec<_>>().concat()),
        }
    }

    /// Reads the block under `key`.
    pub(crate) fn fetch(tree: &Tree, key: BlockKey) -> Result<RawBlock> {
        let entries = tree.raw_range(&key.part(0).bytes(), &key.behind(), usize::MAX)?;
        touch_page(tree, &key)?;
        let parts = entries.iter().filter_map(|(key, stored)| part(key, stored));
        let parts = parts.collect();
        Ok(RawBlock::join(key, parts))
    }

    /// Decodes the block and passes the events that `wants` selects to `see`, in the order of their
    /// positions, with the position of the block's last event. `wants` is called before the details
    /// are decoded. None: the block is damaged.
    pub(crate) fn decode<T>(
        &self,
        wants: impl Fn(Position, &BlockEvent<'_>) -> bool,
        see: impl FnOnce(Vec<(Position, BlockEvent<'_>)>, Position) -> T,
    ) -> Option<T> {
        let block = Block::open(self.key.clone(), self.joined.as_ref()?).ok()?;
        let mut buffer = DetailsBuffer::default();
        let last = block.last()?;
        let events = block.events_where(&mut buffer, wants).ok()?;
        Some(see(events, last))
    }

    /// The number of events that the block's header states; 0 if the block is damaged.
    pub(crate) fn events(&self) -> usize {
        let events = self.joined.as_deref().map_or(0, events_in);
        usize::try_from(events).unwrap_or(usize::MAX)
    }

    /// Bytes that it takes in the database, with its keys; 0 if it is damaged.
    pub(crate) fn bytes(&self) -> usize {
        self.joined.as_deref().map_or(0, stored_bytes)
    }
}

/// Reads the page of a block repeatedly, so that sled evicts other pages. sled's cache has 256
/// shards, and evicts from a shard only after 64 accesses: a scan that reads each page once would
/// bring the whole history into memory before sled evicts anything.
fn touch_page(tree: &Tree, key: &BlockKey) -> Result<()> {
    const READS: usize = 16;
    let key = key.part(0).bytes();
    (0..READS).try_for_each(|_| tree.raw(&key).map(drop))
}

fn part(key: &[u8], stored: &[u8]) -> Option<RawPart> {
    let parsed = BlockPartKey::parse(key)?;
    let bytes = record::open::<Part>(key, stored).ok();
    Some((parsed, bytes.map(|Part(bytes)| bytes)))
}

/// The blocks with keys in a range, merged or loose.
pub(crate) struct BlockIter {
    entries: sled::Iter,
    order: Order,
    /// The first part of the next block: reading it ended the block before.
    ahead: Option<RawPart>,
}

impl BlockIter {
    pub(crate) fn new(tree: &Tree, from: &[u8], to: &[u8], order: Order) -> BlockIter {
        BlockIter {
            entries: tree.range(from..to.max(from)),
            order,
            ahead: None,
        }
    }

    /// The next block.
    pub(crate) fn next(&mut self) -> Result<Option<RawBlock>> {
        let first = match self.ahead.take() {
            Some(ahead) => Some(ahead),
            None => self.part()?,
        };
        let Some(first) = first else { return Ok(None) };
        let key = first.0.block();
        let mut parts = vec![first];
        while let Some(part) = self.part()? {
            if part.0.block() != key {
                self.ahead = Some(part);
                break;
            }
            parts.push(part);
        }
        if self.order == Order::Descending {
            parts.reverse();
        }
        Ok(Some(RawBlock::join(key, parts)))
    }

    fn part(&mut self) -> Result<Option<RawPart>> {
        while let Some((key, stored)) = next_entry(&mut self.entries, self.order)? {
            match part(&key, &stored) {
                Some(part) => return Ok(Some(part)),
                None => log_malformed_key(),
            }
        }
        Ok(None)
    }
}

/// The merged blocks with keys in a range, with their statistics; none if the record of the
/// statistics is damaged.
pub(crate) struct MergedBlockIter {
    entries: sled::Iter,
    order: Order,
}

impl MergedBlockIter {
    pub(crate) fn new(tree: &Tree, from: &[u8], to: &[u8], order: Order) -> MergedBlockIter {
        MergedBlockIter {
            entries: tree.range(from..to.max(from)),
            order,
        }
    }

    /// The next merged block.
    pub(crate) fn next(&mut self) -> Result<Option<(BlockKey, Option<BlockStats>)>> {
        while let Some((key, stored)) = next_entry(&mut self.entries, self.order)? {
            match BlockKey::parse(&key) {
                Some(parsed) => return Ok(Some((parsed, record::open(&key, &stored).ok()))),
                None => log_malformed_key(),
            }
        }
        Ok(None)
    }
}

fn next_entry(entries: &mut sled::Iter, order: Order) -> Result<Option<(sled::IVec, sled::IVec)>> {
    let entry = match order {
        Order::Ascending => entries.next(),
        Order::Descending => entries.next_back(),
    };
    entry.transpose().map_err(|error| from_sled(&error))
}

fn log_malformed_key() {
    log::error!("skipped a malformed key of an event block");
}

/// The last merged block, if there is one.
pub(crate) fn newest_merged(tree: &Tree) -> Result<Option<BlockKey>> {
    merged_at_or_before(tree, &keys::end::<BlockKey>())
}

/// The last merged block whose key is no later than this.
pub(crate) fn merged_at_or_before(tree: &Tree, key: &[u8]) -> Result<Option<BlockKey>> {
    let start = keys::first::<BlockKey>();
    let mut merged = MergedBlockIter {
        entries: tree.range(start.as_slice()..=key),
        order: Order::Descending,
    };
    Ok(merged.next()?.map(|(key, _)| key))
}

/// The key of the last block.
pub(crate) fn newest_block(tree: &Tree) -> Result<Option<BlockKey>> {
    let (start, end) = (keys::first::<BlockPartKey>(), keys::end::<BlockPartKey>());
    let mut blocks = BlockIter::new(tree, &start, &end, Order::Descending);
    Ok(blocks.part()?.map(|(key, _)| key.block()))
}

/// The lowest key that a loose block can have; `newest` is the last merged block.
pub(crate) fn first_loose(newest: Option<&BlockKey>) -> Vec<u8> {
    newest.map_or_else(keys::first::<BlockPartKey>, BlockKey::behind)
}
