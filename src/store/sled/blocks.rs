//! How events lie in blocks: many small columns of numbers and the details behind each other, compressed together. One value an
//! event would cost a hundred bytes and a page of its own; in a block an event costs what it says.
//!
//! ```text
//! block   := format (1 byte) · events (varint) · length of body (varint) · body, as an LZ4 block
//! body    := { moment (zigzag varint, milliseconds after the block's) · segment }
//! segment := reporter · events (varint) · names · subjects · lengths of details + 1, 0 for none · details
//! ```
//!
//! A block is stored in parts of at most 4 KiB: sled puts large pages into files of their own, which it never forces to the disk.

use std::cell::RefCell;

use lz4_flex::block::{
    CompressTable, compress, compress_into_with_table, decompress, get_maximum_output_size,
};

use super::super::Outcome;
use super::record::{Record, corrupt};
use crate::model::{Timestamp, UserNumber};

const FORMAT: u8 = 1;
/// A body is closed at this size: it compresses to about one part.
pub(super) const BODY_BYTES: usize = 16 * 1024;
/// The largest value that sled keeps well (17 of them share a page).
const PART_BYTES: usize = 4_000;
/// What a body may claim to be when it is read: one event of the largest kind over a full body, with room to spare.
const BODY_LIMIT: u64 = 4 << 20;

/// A part of a block, as bytes.
pub(super) struct Part(pub(super) Vec<u8>);

impl Record for Part {
    fn to_body(&self) -> Result<Vec<u8>, postcard::Error> {
        Ok(self.0.clone())
    }
    fn from_body(body: &[u8]) -> Result<Part, postcard::Error> {
        Ok(Part(body.to_vec()))
    }
}

/// Who reported an event, in the store's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reporter {
    Admin,
    Hub,
    User(UserNumber),
}

/// An event in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packed<'a> {
    pub(super) at: Timestamp,
    pub(super) reporter: Reporter,
    pub(super) name: u32,
    pub(super) subject: UserNumber,
    pub(super) details: Option<&'a str>,
}

/// Events of one reporter and moment, being encoded column by column.
pub(super) struct Segment {
    reporter: Reporter,
    events: usize,
    names: Vec<u8>,
    subjects: Vec<u8>,
    lengths: Vec<u8>,
    details: Vec<u8>,
}

impl Segment {
    /// An empty one, with room for so many events and bytes of details.
    pub(super) fn new(reporter: Reporter, events: usize, details_bytes: usize) -> Segment {
        let column = || Vec::with_capacity(2 * events);
        Segment {
            reporter,
            events: 0,
            names: column(),
            subjects: column(),
            lengths: column(),
            details: Vec::with_capacity(details_bytes),
        }
    }

    /// Adds an event.
    pub(super) fn push(&mut self, name: u32, subject: UserNumber, details: Option<&str>) {
        self.events += 1;
        put(&mut self.names, u64::from(name));
        put(&mut self.subjects, u64::from(subject.0));
        put(
            &mut self.lengths,
            details.map_or(0, |text| text.len() as u64 + 1),
        );
        self.details
            .extend_from_slice(details.unwrap_or_default().as_bytes());
    }

    /// How long the encoded segment is, all but exactly.
    pub(super) fn len(&self) -> usize {
        self.names.len() + self.subjects.len() + self.lengths.len() + self.details.len()
    }

    /// How many events it holds.
    pub(super) fn events(&self) -> usize {
        self.events
    }

    /// Appends the segment, as of `at`, to the body of a block of `base`.
    pub(super) fn write(&self, at: Timestamp, base: Timestamp, body: &mut Vec<u8>) {
        put(body, zigzag(at.millis().wrapping_sub(base.millis())));
        match self.reporter {
            Reporter::Admin => put(body, 0),
            Reporter::Hub => put(body, 1),
            Reporter::User(number) => put(body, u64::from(number.0) + 2),
        }
        put(body, self.events as u64);
        for column in [&self.names, &self.subjects, &self.lengths, &self.details] {
            body.extend_from_slice(column);
        }
    }
}

/// The block of a body.
pub(super) fn seal(events: usize, body: &[u8]) -> Vec<u8> {
    let mut block = vec![FORMAT];
    put(&mut block, events as u64);
    put(&mut block, body.len() as u64);
    PRESS.with_borrow_mut(|press| press.append(body, &mut block));
    block
}

thread_local! {
    /// Each thread keeps its own: to allocate and clear some twenty KiB for every block costs as much as many events.
    static PRESS: RefCell<Press> = RefCell::default();
}

/// The working memory of a compression.
#[derive(Default)]
struct Press {
    table: CompressTable,
    output: Vec<u8>,
}

impl Press {
    fn append(&mut self, body: &[u8], block: &mut Vec<u8>) {
        let most = get_maximum_output_size(body.len());
        self.output.resize(most.max(self.output.len()), 0);
        let pressed = compress_into_with_table(body, &mut self.output, &mut self.table);
        match pressed.ok().and_then(|bytes| self.output.get(..bytes)) {
            Some(bytes) => block.extend_from_slice(bytes),
            None => block.extend_from_slice(&compress(body)),
        }
    }
}

/// The parts a block is stored in.
pub(super) fn parts(block: &[u8]) -> impl Iterator<Item = (u16, Part)> {
    (0..).zip(block.chunks(PART_BYTES).map(|chunk| Part(chunk.to_vec())))
}

/// How many events a block holds by its own account, from its first bytes.
pub(super) fn events_in(block: &[u8]) -> u64 {
    let mut rest = block.get(1..).unwrap_or_default();
    take(&mut rest).unwrap_or_default()
}

/// A block that is being read.
pub(super) struct Block {
    base: Timestamp,
    body: Vec<u8>,
}

impl Block {
    /// Unpacks the joined parts of the block of `base`.
    pub(super) fn open(base: Timestamp, block: &[u8]) -> Outcome<Block> {
        let unpack = || {
            let (&format, mut rest) = block.split_first()?;
            let _events = take(&mut rest)?;
            let bytes = take(&mut rest).filter(|bytes| *bytes <= BODY_LIMIT)?;
            let bytes = usize::try_from(bytes).ok().filter(|_| format == FORMAT)?;
            decompress(rest, bytes)
                .ok()
                .filter(|body| body.len() == bytes)
        };
        let body = unpack().ok_or_else(damaged)?;
        Ok(Block { base, body })
    }

    /// Its events, oldest first.
    pub(super) fn events(&self) -> Outcome<Vec<Packed<'_>>> {
        let mut events = Vec::new();
        let mut rest = self.body.as_slice();
        while !rest.is_empty() {
            read_segment(&mut rest, self.base, &mut events).ok_or_else(damaged)?;
        }
        Ok(events)
    }
}

fn damaged() -> super::super::StoreError {
    corrupt(b"B", "not a block of events")
}

fn read_segment<'a>(
    rest: &mut &'a [u8],
    base: Timestamp,
    events: &mut Vec<Packed<'a>>,
) -> Option<()> {
    let at = Timestamp::from_millis(base.millis().wrapping_add(unzigzag(take(rest)?)));
    let reporter = match take(rest)? {
        0 => Reporter::Admin,
        1 => Reporter::Hub,
        number => Reporter::User(UserNumber(u32::try_from(number - 2).ok()?)),
    };
    let count = usize::try_from(take(rest)?)
        .ok()
        .filter(|count| *count <= rest.len())?;
    let mut column = || (0..count).map(|_| take(rest)).collect::<Option<Vec<u64>>>();
    let (names, subjects, lengths) = (column()?, column()?, column()?);
    for ((name, subject), length) in names.into_iter().zip(subjects).zip(lengths) {
        let details = match usize::try_from(length).ok()?.checked_sub(1) {
            Some(bytes) => {
                let (text, behind) = rest.split_at_checked(bytes)?;
                *rest = behind;
                Some(std::str::from_utf8(text).ok()?)
            }
            None => None,
        };
        let (name, subject) = (
            u32::try_from(name).ok()?,
            UserNumber(u32::try_from(subject).ok()?),
        );
        events.push(Packed {
            at,
            reporter,
            name,
            subject,
            details,
        });
    }
    Some(())
}

/// Appends a number in groups of seven bits, the lowest first (LEB128).
fn put(to: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return to.push(low);
        }
        to.push(low | 0x80);
    }
}

/// Takes such a number off the front.
fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Small numbers of either sign as small numbers.
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> (Timestamp, Vec<u8>) {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let mut first = Segment::new(Reporter::User(UserNumber(300)), 2, 16);
        first.push(7, UserNumber(300), Some(r#"{"count":12}"#));
        first.push(70_000, UserNumber(0), None);
        let mut second = Segment::new(Reporter::Hub, 0, 0);
        second.push(0, UserNumber(u32::MAX), Some("{}"));
        let mut body = Vec::new();
        first.write(at, at, &mut body);
        second.write(Timestamp::from_millis(at.millis() - 3), at, &mut body);
        (at, seal(3, &body))
    }

    #[test]
    fn events_come_out_as_they_went_in() {
        let (at, sealed) = block();
        assert_eq!(events_in(&sealed[..4]), 3);
        let block = Block::open(at, &sealed).unwrap();
        let [a, b, c] = block.events().unwrap().try_into().unwrap();
        assert_eq!(
            (a.name, a.subject.0, a.details),
            (7, 300, Some(r#"{"count":12}"#))
        );
        assert_eq!(
            (b.name, b.reporter, b.details),
            (70_000, Reporter::User(UserNumber(300)), None)
        );
        assert_eq!(
            (c.at.millis(), c.reporter, c.subject.0),
            (at.millis() - 3, Reporter::Hub, u32::MAX)
        );
    }

    #[test]
    fn a_damaged_block_is_an_error_and_never_a_panic() {
        let (at, sealed) = block();
        for bit in 0..sealed.len() * 8 {
            let mut bent = sealed.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let _ =
                Block::open(at, &bent).and_then(|block| block.events().map(|events| events.len()));
        }
        for len in 0..sealed.len() {
            let read =
                Block::open(at, &sealed[..len]).and_then(|block| block.events().map(|it| it.len()));
            assert!(read.is_err(), "{len}");
        }
    }

    #[test]
    fn numbers_of_any_size_and_sign_read_back() {
        for number in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put(&mut bytes, zigzag(number));
            let mut rest = bytes.as_slice();
            assert_eq!(
                (take(&mut rest).map(unzigzag), rest.len()),
                (Some(number), 0)
            );
        }
        assert_eq!(take(&mut [0xFF_u8; 11].as_slice()), None);
    }
}
