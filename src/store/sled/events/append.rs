//! Events on their way in and out. A report is encoded and compressed where its request runs, on any core; the writer only places
//! blocks. Small reports of one group share a block.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sled::{IVec, Tree};

use crate::model::{
    Digest, Idempotency, NewEvent, Position, Principal, Timestamp, UserNumber, limits,
};
use crate::store::sled::accounts::expiry;
use crate::store::sled::engine::disk_space::STEP_BYTES;
use crate::store::sled::engine::keys::{BlockKey, IdempotencyKey, Key, meta};
use crate::store::sled::engine::record::{self, postcard_records};
use crate::store::sled::engine::transaction::{Read, Transaction};
use crate::store::sled::events::block_iter::newest_block;
use crate::store::sled::events::counts::count_by_name::{NameCount, count_by_name};
use crate::store::sled::events::counts::counters::{self, Counters};
use crate::store::sled::events::counts::names::Names;
use crate::store::sled::events::disk_writes::DailyWrites;
use crate::store::sled::events::format::block::{self, BODY_BYTES};
use crate::store::sled::events::format::columns::{Columns, Reporter};
use crate::store::{Appended, Result};

/// Where the totals lie.
const TOTALS: u8 = 5;
/// A report shorter than this waits for others of its group to share a block with.
const LOOSE_BYTES: usize = 2 * 1024;

/// A report, ready to be placed.
pub(crate) struct EncodedReport {
    at: Timestamp,
    events: usize,
    blocks: Vec<Vec<u8>>,
    loose: Option<Columns>,
    counts: Vec<NameCount>,
}

impl EncodedReport {
    /// It, answered as if it had so many events: some of them were stored before.
    pub(crate) fn answered_as(self, events: usize) -> EncodedReport {
        EncodedReport { events, ..self }
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
    // A single event is the most frequent report: it must not take the room of a full block.
    let details = events
        .iter()
        .map(|event| event.details.map_or(0, str::len))
        .sum::<usize>();
    let room = (events.len().min(BODY_BYTES / 8), details.min(BODY_BYTES));
    let empty = || {
        let mut columns = Columns::with_room(room.0, room.1);
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
        events: events.len(),
        blocks,
        loose,
        counts: count_by_name(names),
    }
}

/// The memory of a request that is to be stored once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdempotencyRecord {
    body: Digest,
    events: u32,
    expires_at: Timestamp,
}

postcard_records!(IdempotencyRecord);

/// What a report is answered with whose promise was given before; none if it is the first with its key.
pub(crate) fn answer_to(
    from: &impl Read,
    holder: Principal,
    promise: Idempotency,
    at: Timestamp,
) -> Result<Option<Appended>> {
    let record = from.fetch(&IdempotencyKey {
        holder,
        key: promise.key,
    })?;
    Ok(record
        .filter(|record| at < record.expires_at)
        .map(|record| {
            if record.body == promise.body {
                Appended::Replayed(record.events as usize)
            } else {
                Appended::KeyReused
            }
        }))
}

/// Stores a report. Its promise, if it has one, is new or has run out: see [`answer_to`].
pub(crate) fn append(
    tx: &mut Transaction<'_>,
    holder: Principal,
    idempotency: Option<Idempotency>,
    report: EncodedReport,
) -> Result<Appended> {
    if let Some(promise) = idempotency {
        let key = IdempotencyKey {
            holder,
            key: promise.key,
        };
        if let Some(record) = tx.fetch(&key)? {
            expiry::cancel(tx, record.expires_at, &key);
        }
        let expires_at = report.at.after(limits::IDEMPOTENCY_LIFETIME);
        let events = u32::try_from(report.events).unwrap_or(u32::MAX);
        tx.put(
            &key,
            &IdempotencyRecord {
                body: promise.body,
                events,
                expires_at,
            },
        )?;
        expiry::note(tx, expires_at, &key)?;
    }
    counters::load(tx, report.at.hour(), &report.counts)?;
    let events = report.events;
    let stored = report.counts.iter().map(|it| it.count).sum();
    tx.events.totals.events += stored;
    tx.events.daily_writes.store(report.at, stored);
    tx.events.add(report);
    Ok(Appended::Stored(events))
}

/// What is stored of events, all in all. It goes to the disk with every group that changes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Events that were ever stored.
    pub(crate) events: u64,
    /// What the blocks that are there take, with their keys, in bytes.
    pub(crate) bytes: u64,
    /// How far, in milliseconds, the moment of a block ever was ahead of one of its events: its clock was set back, or
    /// its events had waited.
    pub(crate) ahead_millis: u64,
}

postcard_records!(Totals);

impl Totals {
    /// What is on the disk.
    pub(crate) fn stored(from: &impl Read) -> Result<Totals> {
        Ok(from.fetch(&meta::<Totals>(TOTALS))?.unwrap_or_default())
    }

    /// How far the moment of a block may be ahead of those of its events.
    pub(crate) fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_millis)
    }
}

/// A block on its way, with the first and the last moment of its events.
struct Placed {
    earliest: Timestamp,
    latest: Timestamp,
    block: Vec<u8>,
}

/// The events of the group under way, and what the writer keeps in mind from group to group.
pub(crate) struct EventLog {
    pub(crate) names: Arc<Names>,
    pub(crate) counters: Counters,
    pub(crate) totals: Totals,
    pub(crate) daily_writes: DailyWrites,
    blocks: Vec<Placed>,
    loose: Vec<(Timestamp, Columns)>,
    /// The moment of the newest block. No later one has an earlier moment.
    newest: Timestamp,
    written: Totals,
}

impl EventLog {
    /// The log that lies in `tree`.
    pub(crate) fn open(
        tree: &Tree,
        names: Arc<Names>,
        daily_writes: DailyWrites,
    ) -> Result<EventLog> {
        let totals = Totals::stored(tree)?;
        let newest = newest_block(tree)?;
        Ok(EventLog {
            names,
            counters: Counters::default(),
            totals,
            daily_writes,
            blocks: Vec::new(),
            loose: Vec::new(),
            newest: newest.map_or(Timestamp::from_millis(i64::MIN), |key| key.at),
            written: totals,
        })
    }

    /// Whether the group has no events and does nothing to those that are there.
    pub(crate) fn is_idle(&self) -> bool {
        self.blocks.is_empty() && self.loose.is_empty() && self.totals == self.written
    }

    fn add(&mut self, report: EncodedReport) {
        let at = report.at;
        self.counters.add(at.hour(), &report.counts);
        self.blocks
            .extend(report.blocks.into_iter().map(|block| Placed {
                earliest: at,
                latest: at,
                block,
            }));
        self.loose.extend(report.loose.map(|columns| (at, columns)));
    }

    /// The entries of the group's events: blocks, in the order of their arrival, counters and totals.
    pub(crate) fn place(&mut self, sequence: u64) -> Result<Vec<(Vec<u8>, IVec)>> {
        self.join_loose();
        let mut placed = self.counters.changed()?;
        for (index, block) in (0..).zip(std::mem::take(&mut self.blocks)) {
            // Whatever the clock does, what is stored later stands behind what was stored before.
            self.newest = self.newest.max(block.latest);
            let ahead = self.newest.since(block.earliest).as_millis();
            let ahead = u64::try_from(ahead).unwrap_or(u64::MAX);
            self.totals.ahead_millis = self.totals.ahead_millis.max(ahead);
            self.totals.bytes += block::stored_bytes(&block.block) as u64;
            let key = BlockKey {
                at: self.newest,
                sequence,
                index,
            };
            placed.extend(block::entries(&key, &block.block)?);
        }
        if self.totals != self.written {
            let key = meta::<Totals>(TOTALS).bytes();
            placed.push((key.clone(), record::seal(&key, &self.totals)?));
            self.written = self.totals;
        }
        Ok(placed)
    }

    fn join_loose(&mut self) {
        let mut loose = self.loose.drain(..).peekable();
        while let Some((mut earliest, mut joined)) = loose.next() {
            let mut latest = earliest;
            while let Some((at, columns)) = loose.next_if(|_| joined.len() < BODY_BYTES) {
                joined.append(&columns);
                earliest = earliest.min(at);
                latest = latest.max(at);
            }
            self.blocks.push(Placed {
                earliest,
                latest,
                block: block::seal(&joined, Position::default()),
            });
        }
    }
}
