//! Encodes and compresses a report in the task of its request, on any core, so that the writer only
//! places its blocks. Small reports of one group share a block.

use crate::model::{NewEvent, Position, Timestamp, UserNumber};
use crate::store::sled::engine::disk_space::STEP_BYTES;
use crate::store::sled::events::counts::count_by_name::{NameCount, count_by_name};
use crate::store::sled::events::format::block::{self, BODY_BYTES};
use crate::store::sled::events::format::columns::{Columns, Reporter};

/// If a report has fewer bytes than this after its full blocks, these share a block with other
/// reports of the group.
const LOOSE_BYTES: usize = 2 * 1024;

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

    /// About how many bytes it is going to write.
    pub(crate) fn bytes(&self) -> u64 {
        let blocks = self.blocks.iter().map(Vec::len).sum::<usize>();
        let loose = self.loose.as_ref().map_or(0, Columns::len);
        (blocks + loose) as u64 + STEP_BYTES
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
