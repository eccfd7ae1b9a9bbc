//! Splits a block into parts of at most 2 KB, each a record of its own in the tree: sled puts large
//! pages into files of their own, which it never forces to the disk.

use crate::model::Timestamp;
use crate::store::Result;
use crate::store::sled::engine::keys::{self, Key, key};
use crate::store::sled::engine::read::RawEntry;
use crate::store::sled::engine::record::{self, Record};
use crate::store::sled::engine::transaction::ENTRY_BYTES;
use crate::store::sled::events::format::block_stats::BlockKey;

/// The size of a part in bytes. A page of sled holds 17 parts; sled writes it and keeps it in
/// memory as a whole.
const PART_BYTES: usize = 2_000;
/// Bytes of a part beyond those of the block: its key and the head of its record.
const PART_OVERHEAD: usize = 28;

key! {
    /// A part of a block of events, ordered by time, then by arrival.
    BlockPartKey { at: Timestamp, sequence: u64, index: u32, part: u16 } BlockPart => Part
}

/// A part of a block, as bytes.
pub(crate) struct Part(pub(crate) Vec<u8>);

impl Record for Part {
    fn to_body(&self) -> Result<Vec<u8>, postcard::Error> {
        Ok(self.0.clone())
    }
    fn from_body(body: &[u8]) -> Result<Part, postcard::Error> {
        Ok(Part(body.to_vec()))
    }
}

impl BlockPartKey {
    /// The block that this is a part of.
    pub(crate) fn block(&self) -> BlockKey {
        BlockKey {
            at: self.at,
            sequence: self.sequence,
            index: self.index,
        }
    }
}

impl BlockKey {
    /// The key of a part.
    pub(crate) fn part(&self, part: u16) -> BlockPartKey {
        BlockPartKey {
            at: self.at,
            sequence: self.sequence,
            index: self.index,
            part,
        }
    }

    /// The first key after all parts of the block.
    pub(crate) fn behind(&self) -> Vec<u8> {
        keys::after(&self.part(u16::MAX).bytes())
    }
}

/// The entries of a block, one for each part.
pub(crate) fn entries(key: &BlockKey, block: &[u8]) -> Result<Vec<RawEntry>> {
    let parts = (0..).zip(block.chunks(PART_BYTES)).map(|(part, bytes)| {
        let key = key.part(part).bytes();
        let sealed = record::seal(&key, &Part(bytes.to_vec()))?;
        Ok((key, sealed))
    });
    parts.collect()
}

/// Bytes that a block takes in the database, with the keys and record headers of its parts.
pub(crate) fn stored_bytes(block: &[u8]) -> usize {
    block.len() + block.len().div_ceil(PART_BYTES) * PART_OVERHEAD
}

/// The size of a block of so many bytes in the log, in bytes.
pub(crate) fn log_bytes(block_bytes: usize) -> u64 {
    let parts = block_bytes.div_ceil(PART_BYTES) as u64;
    block_bytes as u64 + parts * (PART_OVERHEAD as u64 + ENTRY_BYTES)
}
