//! Events on their way in and out. A report is encoded and compressed where its request runs, on any core; the writer only places
//! blocks. Small reports of one group share a block.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use sled::{IVec, Tree};

use super::super::{Appended, Outcome};
use super::blocks::{self, BODY_BYTES, Packed, Reporter, Segment};
use super::counters::{Counters, NameCount, ROW_NAMES};
use super::expiry;
use super::keys::{BlockKey, CountKey, Field, Key, NameKey, NumberKey, OnceKey, prefix};
use super::record::{self, postcard_records};
use super::space::STEP_BYTES;
use super::view::{Read, View};
use super::written::Tally;
use crate::model::{
    Digest, Event, EventCount, Holder, Idempotency, NewEvent, Timestamp, UserNumber, limits,
};

/// A segment shorter than this waits for others of its group to share a block with.
const LOOSE_BYTES: usize = 2 * 1024;

/// The numbers of event names. A name keeps its number for ever.
#[derive(Default)]
pub(super) struct Names {
    table: RwLock<NameTable>,
}

#[derive(Default)]
struct NameTable {
    numbers: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
}

impl Names {
    /// Reads the names that are stored.
    pub(super) fn load(tree: &Tree) -> Outcome<Names> {
        let names = Names::default();
        for (key, name) in tree.under::<NameKey>(&[NameKey::KIND])? {
            names.learn(key.id, &name);
        }
        Ok(names)
    }

    fn learn(&self, id: u32, name: &str) {
        let name: Arc<str> = name.into();
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let place = id as usize;
        if table.names.len() <= place {
            table.names.resize(place + 1, Arc::from(""));
        }
        if let Some(slot) = table.names.get_mut(place) {
            slot.clone_from(&name);
        }
        table.numbers.insert(name, id);
    }

    /// The numbers of the names of these events, or the names that have none yet.
    pub(super) fn numbers(&self, events: &[NewEvent<'_>]) -> Result<Vec<u32>, Vec<String>> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut numbers = Vec::with_capacity(events.len());
        let mut unknown: Vec<String> = Vec::new();
        for event in events {
            match table.numbers.get(event.name) {
                Some(number) => numbers.push(*number),
                None => unknown.push(event.name.to_owned()),
            }
        }
        if unknown.is_empty() {
            Ok(numbers)
        } else {
            Err(unknown)
        }
    }

    /// The number of a name, if it ever occurred.
    pub(super) fn number(&self, name: &str) -> Option<u32> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.numbers.get(name).copied()
    }

    fn name(&self, id: u32) -> String {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table
            .names
            .get(id as usize)
            .map_or_else(String::new, ToString::to_string)
    }

    fn next(&self) -> u32 {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        u32::try_from(table.names.len()).unwrap_or(u32::MAX)
    }
}

/// Gives numbers to names that have none.
pub(super) fn intern(view: &mut View<'_>, unknown: Vec<String>) -> Outcome<()> {
    let names = Arc::clone(&view.events.names);
    for name in unknown {
        if names.number(&name).is_none() {
            let id = names.next();
            view.put(&NameKey { id }, &name)?;
            names.learn(id, &name);
        }
    }
    Ok(())
}

/// A report, ready to be placed.
pub(super) struct Prepared {
    at: Timestamp,
    events: usize,
    blocks: Vec<Vec<u8>>,
    loose: Option<Segment>,
    counts: Vec<NameCount>,
}

impl Prepared {
    /// It, answered as if it had so many events: some of them were stored before.
    pub(super) fn answered_as(self, events: usize) -> Prepared {
        Prepared { events, ..self }
    }

    /// About how many bytes it is going to write.
    pub(super) fn bytes(&self) -> u64 {
        let blocks = self.blocks.iter().map(Vec::len).sum::<usize>();
        let loose = self.loose.as_ref().map_or(0, Segment::len);
        (blocks + loose) as u64 + STEP_BYTES
    }
}

/// Encodes and compresses a report whose names and subjects are resolved to numbers.
pub(super) fn prepare(
    at: Timestamp,
    reporter: Reporter,
    events: &[NewEvent<'_>],
    names: &[u32],
    subjects: &[UserNumber],
) -> Prepared {
    let mut blocks = Vec::new();
    // A single event is the most frequent report: it must not take the room of a full segment.
    let details = events
        .iter()
        .map(|event| event.details.map_or(0, str::len))
        .sum::<usize>();
    let room = (events.len().min(BODY_BYTES / 8), details.min(BODY_BYTES));
    let empty = || Segment::new(reporter, room.0, room.1);
    let mut segment = empty();
    for ((event, name), subject) in events.iter().zip(names).zip(subjects) {
        segment.push(*name, *subject, event.details);
        if segment.len() >= BODY_BYTES {
            let full = std::mem::replace(&mut segment, empty());
            blocks.push(block_of(&full, at));
        }
    }
    let rest = (segment.events() > 0).then_some(segment);
    let (rest, loose) = match rest {
        Some(segment) if segment.len() >= LOOSE_BYTES => (Some(segment), None),
        rest => (None, rest),
    };
    blocks.extend(rest.map(|segment| block_of(&segment, at)));
    Prepared {
        at,
        events: events.len(),
        blocks,
        loose,
        counts: count(names),
    }
}

fn block_of(segment: &Segment, at: Timestamp) -> Vec<u8> {
    let mut body = Vec::with_capacity(segment.len() + 32);
    segment.write(at, at, &mut body);
    blocks::seal(segment.events(), &body)
}

fn count(names: &[u32]) -> Vec<NameCount> {
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    let runs = sorted.chunk_by(|a, b| a == b);
    runs.filter_map(|run| {
        run.first().map(|name| NameCount {
            name: *name,
            count: run.len() as u64,
        })
    })
    .collect()
}

/// The memory of a request that is to be stored once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Once {
    body: Digest,
    events: u32,
    expires_at: Timestamp,
}

postcard_records!(Once);

/// What a report is answered with whose promise was given before; none if it is the first with its key.
pub(super) fn answer_to(
    from: &impl Read,
    holder: Holder,
    promise: Idempotency,
    at: Timestamp,
) -> Outcome<Option<Appended>> {
    let once = from.fetch(&OnceKey {
        holder,
        key: promise.key,
    })?;
    Ok(once.filter(|once| at < once.expires_at).map(|once| {
        if once.body == promise.body {
            Appended::Replayed(once.events as usize)
        } else {
            Appended::KeyReused
        }
    }))
}

/// Stores a report, unless its promise says that it is stored already.
pub(super) fn append(
    view: &mut View<'_>,
    holder: Holder,
    idempotency: Option<Idempotency>,
    report: Prepared,
) -> Outcome<Appended> {
    if let Some(promise) = idempotency {
        if let Some(answer) = answer_to(view, holder, promise, report.at)? {
            return Ok(answer);
        }
        let key = OnceKey {
            holder,
            key: promise.key,
        };
        if let Some(once) = view.fetch(&key)? {
            expiry::cancel(view, once.expires_at, &key);
        }
        let expires_at = report.at.after(limits::IDEMPOTENCY_LIFETIME);
        let events = u32::try_from(report.events).unwrap_or(u32::MAX);
        view.put(
            &key,
            &Once {
                body: promise.body,
                events,
                expires_at,
            },
        )?;
        expiry::note(view, expires_at, &key)?;
    }
    for key in view
        .events
        .counters
        .missing(report.at.hour(), &report.counts)
    {
        let row = view.fetch(&key)?.unwrap_or_default();
        view.events.counters.load(&key, row);
    }
    let events = report.events;
    let stored = report.counts.iter().map(|it| it.count).sum();
    view.events.tally.store(report.at, stored);
    view.events.add(report);
    Ok(Appended::Stored(events))
}

/// The events of the group under way, and what the writer keeps in mind from group to group.
pub(super) struct EventLog {
    pub(super) names: Arc<Names>,
    pub(super) tally: Tally,
    counters: Counters,
    blocks: Vec<(Timestamp, Vec<u8>)>,
    loose: Vec<(Timestamp, Segment)>,
}

impl EventLog {
    pub(super) fn new(names: Arc<Names>, tally: Tally) -> EventLog {
        EventLog {
            names,
            tally,
            counters: Counters::default(),
            blocks: Vec::new(),
            loose: Vec::new(),
        }
    }

    /// Whether the group has no events.
    pub(super) fn is_idle(&self) -> bool {
        self.blocks.is_empty() && self.loose.is_empty()
    }

    fn add(&mut self, report: Prepared) {
        self.counters.add(report.at.hour(), &report.counts);
        self.blocks
            .extend(report.blocks.into_iter().map(|block| (report.at, block)));
        self.loose
            .extend(report.loose.map(|segment| (report.at, segment)));
    }

    /// The entries of the group's events: blocks, in the order of their arrival, and counters.
    pub(super) fn place(&mut self, sequence: u64) -> Outcome<Vec<(Vec<u8>, IVec)>> {
        self.join_loose();
        let mut placed = self.counters.changed()?;
        for (index, (at, block)) in (0..).zip(self.blocks.drain(..)) {
            for (part, bytes) in blocks::parts(&block) {
                let key = BlockKey {
                    at,
                    sequence,
                    index,
                    part,
                }
                .bytes();
                placed.push((key.clone(), record::seal(&key, &bytes)?));
            }
        }
        Ok(placed)
    }

    fn join_loose(&mut self) {
        let mut loose = self.loose.drain(..).peekable();
        while let Some((base, first)) = loose.next() {
            let (mut body, mut events) = (Vec::with_capacity(BODY_BYTES), first.events());
            first.write(base, base, &mut body);
            while let Some((at, segment)) = loose.next_if(|_| body.len() < BODY_BYTES) {
                segment.write(at, base, &mut body);
                events += segment.events();
            }
            self.blocks.push((base, blocks::seal(events, &body)));
        }
    }
}

/// An event with names and ids in the place of numbers.
pub(super) fn unpack(tree: &Tree, names: &Names, packed: &Packed<'_>) -> Outcome<Event> {
    let user = |number: UserNumber| tree.fetch(&NumberKey { number });
    Ok(Event {
        at: packed.at,
        name: names.name(packed.name),
        subject: user(packed.subject)?,
        reporter: match packed.reporter {
            Reporter::Admin => Some(Holder::Admin),
            Reporter::Hub => Some(Holder::Hub),
            Reporter::User(number) => user(number)?.map(Holder::User),
        },
        details: packed.details.map(str::to_owned),
    })
}

/// The counters of the hours in `from..to`.
pub(super) fn counts(tree: &Tree, names: &Names, from: u32, to: u32) -> Outcome<Vec<EventCount>> {
    let at = |hour: u32| prefix::<CountKey>(|key| hour.write(key));
    let mut counts = Vec::new();
    for (key, row) in tree.entries::<CountKey>(&at(from), &at(to), usize::MAX)? {
        for (place, count) in (0..).zip(row.0).filter(|(_, count)| *count > 0) {
            let name = names.name(key.row * ROW_NAMES + place);
            counts.push(EventCount {
                hour: key.hour,
                name,
                count,
            });
        }
    }
    Ok(counts)
}
