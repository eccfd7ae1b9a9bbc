//! The blocks of events in their order. The older ones are merged, and what each holds is said beside it (`stats`); those behind
//! the newest merged one are *loose*, as their groups brought them.

use sled::Tree;

use crate::model::Order;
use crate::store::Result;
use crate::store::sled::engine::keys::{BlockKey, BlockPartKey, Key};
use crate::store::sled::engine::record;
use crate::store::sled::engine::transaction::{Read, after_prefix, broken};
use crate::store::sled::events::format::block::{Block, Part, events_in, stored_bytes};
use crate::store::sled::events::format::block_stats::BlockStats;

/// A block as it lies there, its parts joined.
pub(crate) struct Stored {
    pub(crate) key: BlockKey,
    pub(crate) parts: Vec<Vec<u8>>,
    /// None: it is damaged.
    joined: Option<Vec<u8>>,
}

impl Stored {
    /// The parts of one block, in order.
    fn join(key: BlockKey, entries: Vec<(BlockPartKey, Option<Vec<u8>>)>) -> Stored {
        let is_whole = (0..)
            .zip(&entries)
            .all(|(part, (key, bytes))| key.part == part && bytes.is_some());
        let parts = entries.iter().map(|(key, _)| key.bytes()).collect();
        let joined = is_whole && !entries.is_empty();
        let bytes = entries.into_iter().filter_map(|(_, bytes)| bytes);
        let joined = joined.then(|| bytes.collect::<Vec<_>>().concat());
        Stored { key, parts, joined }
    }

    /// The block under `key`.
    pub(crate) fn fetch(tree: &Tree, key: BlockKey) -> Result<Stored> {
        let entries = tree.raw_range(&key.part(0).bytes(), &key.behind(), usize::MAX)?;
        touch_page(tree, &key)?;
        let parts = entries.iter().filter_map(|(key, stored)| part(key, stored));
        let parts = parts.collect();
        Ok(Stored::join(key, parts))
    }

    /// The block, unpacked.
    pub(crate) fn open(&self) -> Option<Block> {
        Block::open(self.key.part(0), self.joined.as_ref()?).ok()
    }

    /// How many events it holds by its own account.
    pub(crate) fn events(&self) -> usize {
        let events = self.joined.as_deref().map_or(0, events_in);
        usize::try_from(events).unwrap_or(usize::MAX)
    }

    /// What it takes in the database, with its keys.
    pub(crate) fn bytes(&self) -> usize {
        self.joined.as_deref().map_or(0, stored_bytes)
    }
}

/// Asks for a page again and again. sled drops pages from its memory in 256 places, in each of them only after 64 accesses: a reading that
/// needs each page once would leave the whole history in memory before it drops anything.
fn touch_page(tree: &Tree, key: &BlockKey) -> Result<()> {
    const ASKS: usize = 16;
    let key = key.part(0).bytes();
    (0..ASKS).try_for_each(|_| tree.raw(&key).map(drop))
}

fn part(key: &[u8], stored: &[u8]) -> Option<(BlockPartKey, Option<Vec<u8>>)> {
    let parsed = BlockPartKey::parse(key)?;
    let bytes = record::open::<Part>(key, stored).ok();
    Some((parsed, bytes.map(|Part(bytes)| bytes)))
}

/// The blocks with keys in a range, whatever they are.
pub(crate) struct BlockIter {
    entries: sled::Iter,
    order: Order,
    /// The first entry of the next block, which ended the one before.
    ahead: Option<(BlockPartKey, Option<Vec<u8>>)>,
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
    pub(crate) fn next(&mut self) -> Result<Option<Stored>> {
        let first = match self.ahead.take() {
            Some(ahead) => Some(ahead),
            None => self.entry()?,
        };
        let Some(first) = first else { return Ok(None) };
        let key = first.0.block();
        let mut parts = vec![first];
        while let Some(entry) = self.entry()? {
            if entry.0.block() != key {
                self.ahead = Some(entry);
                break;
            }
            parts.push(entry);
        }
        if self.order == Order::Descending {
            parts.reverse();
        }
        Ok(Some(Stored::join(key, parts)))
    }

    fn entry(&mut self) -> Result<Option<(BlockPartKey, Option<Vec<u8>>)>> {
        while let Some(entry) = step(&mut self.entries, self.order)? {
            match part(&entry.0, &entry.1) {
                Some(part) => return Ok(Some(part)),
                None => log::error!("a key of events is no key: it is passed over"),
            }
        }
        Ok(None)
    }
}

/// The merged blocks with keys in a range, by what they hold; nothing is known of one whose record is damaged.
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

    /// The next one.
    pub(crate) fn next(&mut self) -> Result<Option<(BlockKey, Option<BlockStats>)>> {
        while let Some((key, stored)) = step(&mut self.entries, self.order)? {
            match BlockKey::parse(&key) {
                Some(parsed) => return Ok(Some((parsed, record::open(&key, &stored).ok()))),
                None => log::error!("a key of events is no key: it is passed over"),
            }
        }
        Ok(None)
    }
}

fn step(entries: &mut sled::Iter, order: Order) -> Result<Option<(sled::IVec, sled::IVec)>> {
    let entry = match order {
        Order::Ascending => entries.next(),
        Order::Descending => entries.next_back(),
    };
    entry.transpose().map_err(|error| broken(&error))
}

/// The last merged block, if there is one.
pub(crate) fn newest_merged(tree: &Tree) -> Result<Option<BlockKey>> {
    merged_at_or_before(tree, &after_prefix(&[BlockKey::KIND]))
}

/// The last merged block whose key is no later than this.
pub(crate) fn merged_at_or_before(tree: &Tree, key: &[u8]) -> Result<Option<BlockKey>> {
    let mut merged = MergedBlockIter {
        entries: tree.range([BlockKey::KIND].as_slice()..=key),
        order: Order::Descending,
    };
    Ok(merged.next()?.map(|(key, _)| key))
}

/// The key of the last block.
pub(crate) fn newest_block(tree: &Tree) -> Result<Option<BlockPartKey>> {
    let mut blocks = BlockIter::new(
        tree,
        &[BlockPartKey::KIND],
        &after_prefix(&[BlockPartKey::KIND]),
        Order::Descending,
    );
    Ok(blocks.entry()?.map(|(key, _)| key))
}

/// The first key of a loose block.
pub(crate) fn first_loose(newest: Option<&BlockKey>) -> Vec<u8> {
    newest.map_or_else(|| vec![BlockPartKey::KIND], BlockKey::behind)
}
