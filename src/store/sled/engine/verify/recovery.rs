//! What sled will make of the log when it opens it, step by step as sled does it (`iterator.rs` and
//! `snapshot.rs` of sled 0.34.7), without changing anything.
//!
//! sled finds the end of the log first: it walks from the last position that is known to be on the
//! disk to the first message that is not whole. Then it reads from the snapshot to that end; here
//! it passes over the rest of a segment behind a damaged message, in silence.

use std::collections::BTreeMap;
use std::io;

use crate::store::sled::engine::verify::damage::Damage;
use crate::store::sled::engine::verify::log::{
    Log, Pointer, SEGMENT_BYTES, SEGMENT_HEAD_BYTES, Segment, Segments, segment_of,
};
use crate::store::sled::engine::verify::message::{HEAD_BYTES, Kind, Message, Unreadable};
use crate::store::sled::engine::verify::page_table::{PageTable, Snapshot};

/// The page table that sled will have.
pub(super) struct Recovered {
    pub(super) table: PageTable,
    /// The first damage on the way that sled would not have spoken of. It may be harmless: a
    /// segment whose messages were all overtaken can be half overwritten.
    pub(super) passed_over: Option<Damage>,
}

/// Brings a snapshot up to date with the log.
pub(super) fn recover(log: &Log, snapshot: Snapshot) -> io::Result<Result<Recovered, Damage>> {
    let first = segment_of(snapshot.lsn.unwrap_or(0));
    let segments = log.segments(first)?;
    if let Some(offset) = segments.twice {
        return Ok(Err(Damage::at(
            "db",
            offset,
            "a segment is there twice".into(),
        )));
    }
    let end = end_of_log(log, &segments, first)?;
    let damaged_head = segments.damaged.map(damaged_head);
    let mut walk = Walk {
        log,
        left: segments.in_order,
        segment: None,
        at: None,
        end: Some(end),
        passes_over: true,
        passed_over: None,
    };
    let mut table = snapshot.table;
    let covered = snapshot.lsn.unwrap_or(-1);
    while let Some(found) = walk.next()? {
        let Found {
            page,
            kind,
            pointer,
        } = found;
        if pointer.lsn >= covered && !table.apply(page, kind, pointer) {
            let why = "no page has such a number".into();
            return Ok(Err(Damage::at("db", pointer.offset, why)));
        }
    }
    if ends_too_early(walk.at, snapshot.lsn) {
        let why = "the log ends before the snapshot does".into();
        return Ok(Err(walk.passed_over.unwrap_or(Damage::of("db", why))));
    }
    Ok(Ok(Recovered {
        table,
        passed_over: walk.passed_over.or(damaged_head),
    }))
}

fn damaged_head(offset: u64) -> Damage {
    Damage::at("db", offset, "the head of a segment is damaged".into())
}

/// sled refuses a log that ends before its snapshot.
fn ends_too_early(end: Option<i64>, snapshot: Option<i64>) -> bool {
    let (Some(end), Some(snapshot)) = (end, snapshot) else {
        return false;
    };
    let used = end.rem_euclid(SEGMENT_BYTES);
    let is_full = used + i64::from(HEAD_BYTES) >= SEGMENT_BYTES;
    let end = if is_full {
        segment_of(end) + SEGMENT_BYTES
    } else {
        end
    };
    end < snapshot
}

/// The last position of the log that can be read without a gap.
fn end_of_log(log: &Log, segments: &Segments, first: i64) -> io::Result<i64> {
    let stable = segments.stable.unwrap_or(first).max(first);
    let lowest = (stable / SEGMENT_BYTES * SEGMENT_BYTES).max(0);
    let mut tail = BTreeMap::new();
    let (mut expected, mut missing) = (lowest, None);
    for (lsn, offset) in segments.in_order.range(lowest..) {
        if *lsn != expected {
            missing = Some(expected);
            break;
        }
        tail.insert(*lsn, *offset);
        expected += SEGMENT_BYTES;
    }
    let mut walk = Walk {
        log,
        left: tail,
        segment: None,
        at: None,
        end: missing,
        passes_over: false,
        passed_over: None,
    };
    while walk.next()?.is_some() {}
    Ok(walk.at.unwrap_or(0) - 1)
}

/// A message that changes a page.
struct Found {
    page: u64,
    kind: Kind,
    pointer: Pointer,
}

/// A walk through the messages of some segments, in the order of the log.
struct Walk<'a> {
    log: &'a Log,
    /// The segments that are still to be read.
    left: BTreeMap<i64, u64>,
    segment: Option<Segment>,
    /// The position of the next message.
    at: Option<i64>,
    /// Where to stop at the latest.
    end: Option<i64>,
    /// Whether it goes on with the next segment behind a damaged message.
    passes_over: bool,
    passed_over: Option<Damage>,
}

/// What a message asks of the walk.
enum Step {
    Stop,
    NextMessage,
    NextSegment,
    Tell(Found),
}

impl Walk<'_> {
    fn next(&mut self) -> io::Result<Option<Found>> {
        loop {
            let within = self.at.unwrap_or(0).rem_euclid(SEGMENT_BYTES);
            if !(SEGMENT_HEAD_BYTES..=SEGMENT_BYTES - i64::from(HEAD_BYTES)).contains(&within) {
                self.segment = None;
            }
            if self.segment.is_none() && !self.next_segment()? {
                return Ok(None);
            }
            let (Some(segment), Some(lsn)) = (&self.segment, self.at) else {
                return Ok(None);
            };
            if self.end.is_some_and(|end| lsn > end) {
                return Ok(None);
            }
            let read = segment.message(lsn);
            let bytes = read.as_ref().map_or(0, |message| message.bytes);
            let offset = segment.offset_of(lsn);
            let step = match &read {
                Ok(message) => self.step(message, lsn, offset),
                Err(Unreadable::Damaged) if self.passes_over => Step::NextSegment,
                Err(_) => Step::Stop,
            };
            if let (Err(_), true, None) = (&read, self.passes_over, &self.passed_over) {
                let why = "the checksum is wrong".into();
                self.passed_over = Some(Damage::at("db", offset, why));
            }
            let next = Some(lsn + i64::try_from(bytes).unwrap_or(0));
            match step {
                Step::Stop => return Ok(None),
                Step::NextMessage => self.at = next,
                Step::NextSegment => self.segment = None,
                Step::Tell(found) => {
                    self.at = next;
                    return Ok(Some(found));
                }
            }
        }
    }

    fn step(&self, message: &Message<'_>, lsn: i64, offset: u64) -> Step {
        let body: Option<[u8; 8]> = message.body.try_into().ok();
        let number = body.map(i64::from_le_bytes);
        let blob = match (message.kind, number) {
            (Kind::Canceled, _) => return Step::NextMessage,
            (Kind::Cap, _) => return Step::NextSegment,
            // A batch that is not there to its end is not read at all.
            (Kind::Batch, last) => {
                let is_torn = last.is_none() || self.end.is_some_and(|end| last > Some(end));
                return if is_torn {
                    Step::Stop
                } else {
                    Step::NextMessage
                };
            }
            (_, Some(blob)) if message.is_blob => match self.log.read_blob(blob) {
                Ok(_) => Some(blob),
                Err(_) if self.log.has_blob(blob) => return Step::Stop,
                Err(_) => return Step::NextMessage,
            },
            _ => None,
        };
        let bytes = u32::try_from(message.bytes).unwrap_or(u32::MAX);
        Step::Tell(Found {
            page: message.page,
            kind: message.kind,
            pointer: Pointer {
                lsn,
                offset,
                bytes,
                blob,
            },
        })
    }

    /// Goes to the next segment. False: there is none before the end.
    fn next_segment(&mut self) -> io::Result<bool> {
        let Some((lsn, offset)) = self.left.first_key_value() else {
            return Ok(false);
        };
        let (lsn, offset) = (*lsn, *offset);
        if self.end.is_some_and(|end| lsn > end) {
            return Ok(false);
        }
        self.left.remove(&lsn);
        self.segment = Some(Segment::read(self.log, offset)?);
        self.at = Some(lsn + SEGMENT_HEAD_BYTES);
        Ok(true)
    }
}
