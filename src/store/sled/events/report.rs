//! Encodes and compresses a report in the task of its request, on any core, so that the writer only
//! places its blocks. Small reports of one group share a block.

use crate::model::{NewEvent, Position, Timestamp, UserNumber};
use crate::store::sled::events::counts::count_by_name::{NameCount, count_by_name};
use crate::store::sled::events::counts::counters::row_bytes;
use crate::store::sled::events::format::block::{self, BODY_BYTES};
use crate::store::sled::events::format::columns::{Columns, Reporter};
use crate::store::sled::events::format::parts;

/// If a report has fewer bytes than this after its full blocks, these share a block with other
/// reports of the group.
const LOOSE_BYTES: usize = 2 * 1024;

/// Bytes of a small report in its block beyond its columns: the head of the block and that of its
/// run.
const LOOSE_HEAD_BYTES: usize = 64;
/// Incompressible bytes grow by their length divided by this in an LZ4 block.
const INCOMPRESSIBLE: usize = 250;

/// A report, ready to be placed.
pub(crate) struct EncodedReport {
    /// When it arrived.
    pub(crate) at: Timestamp,
    /// Its full blocks, compressed.
    pub(crate) blocks: Vec<Vec<u8>>,
    /// The rest of it, if that is small enough to share a block.
    pub(crate) loose: Option<Columns>,
    /// How often each name occurs.
    pub(crate) counts: Vec<NameCount>,
}

impl EncodedReport {
    /// How many events it has.
    pub(crate) fn stored(&self) -> u64 {
        self.counts.iter().map(|it| it.count).sum()
    }

    /// Its size in the log at most, in bytes: its blocks, its share of a joint block, which may not
    /// be compressible, and its counters.
    pub(crate) fn bytes(&self) -> u64 {
        let blocks = self.blocks.iter().map(|it| parts::log_bytes(it.len()));
        let loose = self.loose.as_ref().map_or(0, |columns| {
            let length = columns.len() + LOOSE_HEAD_BYTES;
            parts::log_bytes(length + length / INCOMPRESSIBLE)
        });
        blocks.sum::<u64>() + loose + row_bytes(&self.counts)
    }
}

/// Encodes and compresses a report whose names and subjects are resolved to numbers.
pub(crate) fn encode(
    at: Timestamp,
    reporter: Reporter,
    events: &[NewEvent<'_>],
    names: &[u32],
    subjects: &[UserNumber],
) -> EncodedReport {
    let mut blocks = Vec::new();
    // The most frequent report is a single event: it must not allocate the space of a full block.
    let details = events
        .iter()
        .map(|event| event.details.map_or(0, str::len))
        .sum::<usize>();
    let capacity = (events.len().min(BODY_BYTES / 8), details.min(BODY_BYTES));
    let empty = || {
        let mut columns = Columns::with_room(capacity.0, capacity.1);
        columns.begin(at, reporter, None);
        columns
    };
    let mut columns = empty();
    for ((event, name), subject) in events.iter().zip(names).zip(subjects) {
        columns.push(*name, event.name, *subject, event.details);
        if columns.len() >= BODY_BYTES {
            let full = std::mem::replace(&mut columns, empty());
            blocks.push(block::seal(&full, Position::default()));
        }
    }
    let is_loose = columns.len() < LOOSE_BYTES;
    let rest = (columns.events() > 0).then_some(columns);
    let (loose, rest) = if is_loose { (rest, None) } else { (None, rest) };
    blocks.extend(rest.map(|rest| block::seal(&rest, Position::default())));
    EncodedReport {
        at,
        blocks,
        loose,
        counts: count_by_name(names),
    }
}
