//! Encodes blocks of events for the database. One value for each event would cost a hundred bytes
//! and a page of its own; in a block, an event costs only its content.
//!
//! ```text
//! block := 1 · events · length of body · body (`columns`), as an LZ4 block
//!        | 2 · events · length of body · body with folded details (`templates`), as a Zstandard
//!              frame
//! ```
//!
//! A report is compressed in the first form while its client waits; blocks of the past are merged
//! into the second form, which takes half the space and three times the time. A block is stored in
//! parts of at most 2 KB: sled puts large pages into files of their own, which it never forces to
//! the disk.

use std::cell::RefCell;

use lz4_flex::block::{
    CompressTable, compress, compress_into_with_table, decompress, get_maximum_output_size,
};
use zstd::bulk::Decompressor;

use crate::model::Position;
use crate::store::Result;
use crate::store::sled::engine::keys::Key;
use crate::store::sled::engine::record::corrupt;
use crate::store::sled::events::format::block_stats::BlockKey;
use crate::store::sled::events::format::columns::{
    BlockEvent, Body, Columns, DecodeDetails, DetailsBuffer,
};
use crate::store::sled::events::format::templates;
use crate::store::sled::events::format::varint::{put, take, take_len};

const RAW: u8 = 1;
const TEMPLATED: u8 = 2;
/// A body is closed at this size in bytes: compressed, it takes two or three parts.
pub(crate) const BODY_BYTES: usize = 16 * 1024;
/// The largest body in bytes that is accepted when a block is read: one event of the largest kind
/// beyond a full body, with room to spare.
const BODY_LIMIT: usize = 4 << 20;
/// The compression level of merged blocks: 6 would save another twentieth and take four times as
/// long.
const ZSTD_LEVEL: i32 = 3;

/// Encodes a block of these columns with LZ4, which is fast enough while a client waits.
pub(crate) fn seal(columns: &Columns, base: Position) -> Vec<u8> {
    let body = columns.body(base);
    let mut block = vec![RAW];
    put(&mut block, columns.events() as u64);
    put(&mut block, body.len() as u64);
    COMPRESSOR.with_borrow_mut(|compressor| compressor.append(&body, &mut block));
    block
}

/// Encodes a merged block of these columns with folded details and Zstandard; as [`seal`] does if
/// that fails.
pub(crate) fn seal_merged(columns: &Columns, base: Position) -> Vec<u8> {
    let encoded = templates::encode(columns.texts()).and_then(|details| {
        let body = columns.body_with(base, &[], &details);
        let mut block = vec![TEMPLATED];
        put(&mut block, columns.events() as u64);
        put(&mut block, body.len() as u64);
        block.extend_from_slice(&zstd::bulk::compress(&body, ZSTD_LEVEL).ok()?);
        Some(block)
    });
    encoded.unwrap_or_else(|| seal(columns, base))
}

thread_local! {
    /// Each thread keeps its own: allocating and clearing some twenty KiB for every block costs as
    /// much as many events.
    static COMPRESSOR: RefCell<Compressor> = RefCell::default();
    /// The same for decompression.
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The working memory of a compression.
#[derive(Default)]
struct Compressor {
    table: CompressTable,
    output: Vec<u8>,
}

impl Compressor {
    fn append(&mut self, body: &[u8], block: &mut Vec<u8>) {
        let most = get_maximum_output_size(body.len());
        self.output.resize(most.max(self.output.len()), 0);
        let compressed = compress_into_with_table(body, &mut self.output, &mut self.table);
        match compressed.ok().and_then(|bytes| self.output.get(..bytes)) {
            Some(bytes) => block.extend_from_slice(bytes),
            None => block.extend_from_slice(&compress(body)),
        }
    }
}

fn decompress_zstd(frame: &[u8], bytes: usize) -> Option<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|kept| {
        let decompressor = match kept {
            Some(decompressor) => decompressor,
            None => kept.insert(Decompressor::new().ok()?),
        };
        decompressor.decompress(frame, bytes).ok()
    })
}

/// The number of events that a block's header states. The first bytes of the block are enough.
pub(crate) fn events_in(block: &[u8]) -> u64 {
    let mut rest = block.get(1..).unwrap_or_default();
    take(&mut rest).unwrap_or_default()
}

/// A block that is being read.
pub(crate) struct Block {
    key: BlockKey,
    body: Body,
    decode: Option<DecodeDetails>,
}

impl Block {
    /// Unpacks the joined parts of the block under `key`.
    pub(crate) fn open(key: BlockKey, block: &[u8]) -> Result<Block> {
        match unpack(block) {
            Some((body, decode)) => Ok(Block { key, body, decode }),
            None => Err(damaged(&key)),
        }
    }

    /// The position of its last event.
    pub(crate) fn last(&self) -> Option<Position> {
        self.body.last(self.key.position())
    }

    /// Its events with their positions, in order.
    pub(crate) fn events<'a>(
        &'a self,
        buffer: &'a mut DetailsBuffer,
    ) -> Result<Vec<(Position, BlockEvent<'a>)>> {
        self.events_where(buffer, |_, _| true)
    }

    /// The same for the events that `wants` selects. `wants` is called before the details are
    /// decoded.
    pub(crate) fn events_where<'a>(
        &'a self,
        buffer: &'a mut DetailsBuffer,
        wants: impl Fn(Position, &BlockEvent<'_>) -> bool,
    ) -> Result<Vec<(Position, BlockEvent<'a>)>> {
        let base = self.key.position();
        let events = self.body.events(base, self.decode, buffer, wants);
        events.ok_or_else(|| damaged(&self.key))
    }
}

fn unpack(block: &[u8]) -> Option<(Body, Option<DecodeDetails>)> {
    let (&format, mut rest) = block.split_first()?;
    let _events = take(&mut rest)?;
    let bytes = take_len(&mut rest).filter(|bytes| *bytes <= BODY_LIMIT)?;
    let body = match format {
        RAW => decompress(rest, bytes).ok()?,
        TEMPLATED => decompress_zstd(rest, bytes)?,
        _ => return None,
    };
    let body = Body::read(body).filter(|body| body.len() == bytes)?;
    let decode: Option<DecodeDetails> = (format == TEMPLATED).then_some(templates::decode);
    Some((body, decode))
}

fn damaged(key: &BlockKey) -> crate::store::Error {
    corrupt(&key.part(0).bytes(), "not a block of events")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Timestamp, UserNumber};
    use crate::store::sled::events::format::columns::{OTHER, Reporter};

    fn key() -> BlockKey {
        BlockKey {
            at: Timestamp::from_millis(1_700_000_000_000),
            sequence: 12,
            index: 3,
        }
    }

    fn columns() -> Columns {
        let at = key().at;
        let mut columns = Columns::default();
        columns.begin(at, Reporter::User(UserNumber(300)), None);
        columns.push(7, "", UserNumber(300), Some(r#"{"count":12}"#));
        columns.push(70_000, "", UserNumber(0), None);
        let mut other = Columns::with_room(1, 10);
        other.begin(
            Timestamp::from_millis(at.millis() - 3),
            Reporter::Hub,
            Some(Position {
                sequence: 13,
                place: 9,
                ..key().position()
            }),
        );
        other.push(OTHER, "rare", UserNumber(u32::MAX), Some("{}"));
        columns.append(&other);
        columns
    }

    fn sealed() -> [Vec<u8>; 2] {
        let base = key().position();
        [seal(&columns(), base), seal_merged(&columns(), base)]
    }

    #[test]
    fn events_come_out_as_they_went_in_and_keep_their_positions() {
        for sealed in sealed() {
            let block = Block::open(key(), &sealed).unwrap();
            let mut buffer = DetailsBuffer::default();
            let events = block.events(&mut buffer).unwrap();
            assert_eq!(events_in(&sealed[..4]), 3);
            let [a, b, c] = [events[0].1, events[1].1, events[2].1];
            let at: Vec<Position> = events.iter().map(|(position, _)| *position).collect();
            assert_eq!(
                (a.name, a.subject.0, a.details),
                (7, 300, Some(r#"{"count":12}"#))
            );
            assert_eq!(
                (b.name, b.reporter, b.details),
                (70_000, Reporter::User(UserNumber(300)), None)
            );
            assert_eq!(
                (c.at.millis(), c.reporter, c.subject.0, c.literal),
                (key().at.millis() - 3, Reporter::Hub, u32::MAX, Some("rare"))
            );
            assert_eq!((events.len(), at[0]), (3, key().position()));
            assert_eq!((at[1].place, at[1].sequence), (1, 12));
            assert_eq!((at[2].place, at[2].sequence, at[2].index), (9, 13, 3));
        }
    }

    #[test]
    fn what_is_kept_of_a_block_keeps_its_position() {
        let [sealed, _] = sealed();
        let block = Block::open(key(), &sealed).unwrap();
        let mut buffer = DetailsBuffer::default();
        let events = block.events(&mut buffer).unwrap();
        let mut kept = Columns::default();
        for (position, event) in events.iter().skip(1) {
            kept.keep(*position, event);
        }
        let again = seal_merged(&kept, key().position());
        let again = Block::open(key(), &again).unwrap();
        let mut buffer = DetailsBuffer::default();
        assert_eq!(again.events(&mut buffer).unwrap(), events[1..]);
    }

    #[test]
    fn a_damaged_block_is_an_error_and_never_a_panic() {
        for sealed in sealed() {
            let read = |bytes: &[u8]| {
                let mut buffer = DetailsBuffer::default();
                Block::open(key(), bytes)
                    .and_then(|block| block.events(&mut buffer).map(|it| it.len()))
            };
            for bit in 0..sealed.len() * 8 {
                let mut bent = sealed.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                let _ = read(&bent);
            }
            for len in 0..sealed.len() {
                assert!(read(&sealed[..len]).is_err(), "{len}");
            }
        }
    }
}
