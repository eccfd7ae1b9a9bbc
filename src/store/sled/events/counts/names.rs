//! The numbers of event names. A name keeps its number for as long as an event or a counter refers
//! to it. There is room for a limited number of names and bytes, and one reporter may bring only a
//! share of them. Events of further names are stored under their own name but counted together, so
//! that names cannot fill the memory, and one reporter cannot use up the names of the others.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use crate::model::{NewEvent, limits};
use crate::store::Result;
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::counts::name_record::{NameKey, NameRecord};
use crate::store::sled::events::format::columns::{OTHER, Reporter};
use crate::sync::recover;

/// Bytes of a name beyond its text: its entries in two tables in memory, and its record and key in
/// the database.
const NAME_BYTES: u64 = 200;

/// How many names get a number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NameLimits {
    /// Names in all.
    pub(crate) names: usize,
    /// Bytes of all names, in memory and in the database.
    pub(crate) bytes: u64,
    /// Names that one reporter may bring. The administrator may bring any number.
    pub(crate) per_reporter: usize,
}

/// The names and their numbers.
pub(crate) struct Names {
    table: RwLock<NameTable>,
    limits: NameLimits,
    /// Whether the log already reports that the limit is reached.
    is_reported: AtomicBool,
    /// Whether a name was refused a number, and whether events or counters were removed, since the
    /// last search for unused names.
    is_refused: AtomicBool,
    has_removal: AtomicBool,
    /// How often names were forgotten.
    generation: AtomicU64,
}

#[derive(Default)]
struct NameTable {
    numbers: HashMap<Arc<str>, u32>,
    /// The name of each number; [`OTHER`] is the first.
    names: Vec<Option<NameEntry>>,
    /// The numbers below the length of `names` that have no name.
    free: BTreeSet<u32>,
    /// How many names each reporter brought.
    brought: HashMap<Reporter, usize>,
    bytes: u64,
}

struct NameEntry {
    name: Arc<str>,
    reporter: Option<Reporter>,
}

/// The numbers of the names of some events.
pub(crate) struct Numbered {
    pub(crate) numbers: Vec<u32>,
    /// The generation of the names: in a later one, the numbers may belong to other names.
    pub(crate) generation: u64,
}

impl Names {
    /// Reads the names that are stored. A damaged one is like a lost one.
    pub(crate) fn load(tree: &Tree, limits: NameLimits) -> Result<Names> {
        let mut table = NameTable::default();
        table.learn(
            OTHER,
            &NameRecord {
                name: limits::OTHER_NAMES.to_owned(),
                reporter: None,
            },
        );
        tree.visit(|NameKey { id }, known| {
            // The number stays taken, so that its events do not get another name.
            table.learn(id, &known.unwrap_or_else(|| NameRecord::lost(id)));
        })?;
        Ok(Names {
            table: RwLock::new(table),
            limits,
            is_reported: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
            has_removal: AtomicBool::new(true),
            generation: AtomicU64::new(0),
        })
    }

    /// Adds a name that was stored.
    pub(crate) fn learn(&self, id: u32, record: &NameRecord) {
        recover(self.table.write()).learn(id, record);
    }

    /// Removes a name that is not stored any more. Its number becomes free.
    pub(crate) fn forget(&self, id: u32) {
        let mut table = recover(self.table.write());
        table.unlearn(id);
        // Under the lock: whoever resolves a number sees the generation that it belongs to.
        self.generation.fetch_add(1, Ordering::Release);
    }

    /// The numbers of the names of these events, or the names that must get a number first.
    pub(crate) fn numbers(
        &self,
        events: &[NewEvent<'_>],
        reporter: Reporter,
    ) -> Result<Numbered, Vec<String>> {
        let table = recover(self.table.read());
        let mut numbers = Vec::with_capacity(events.len());
        let mut unknown: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        for event in events {
            match table.numbers.get(event.name) {
                Some(number) => numbers.push(*number),
                None if table.has_room(event.name, reporter, &self.limits) => {
                    if seen.insert(event.name) {
                        unknown.push(event.name.to_owned());
                    }
                }
                None => {
                    self.is_refused.store(true, Ordering::Relaxed);
                    numbers.push(OTHER);
                }
            }
        }
        if unknown.is_empty() {
            let generation = self.generation();
            Ok(Numbered {
                numbers,
                generation,
            })
        } else {
            Err(unknown)
        }
    }

    /// The number of a name, if it has one.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        let table = recover(self.table.read());
        table.numbers.get(name).copied()
    }

    /// The name of a number; [`limits::OTHER_NAMES`] if the number is unknown.
    pub(crate) fn name(&self, id: u32) -> Arc<str> {
        let table = recover(self.table.read());
        match table.names.get(id as usize) {
            Some(Some(entry)) => Arc::clone(&entry.name),
            _ => Arc::from(limits::OTHER_NAMES),
        }
    }

    /// The numbers that stand for a name, without [`OTHER`].
    pub(crate) fn all_numbers(&self) -> Vec<u32> {
        let table = recover(self.table.read());
        let numbers = table.numbers.values().copied();
        numbers.filter(|number| *number != OTHER).collect()
    }

    /// The numbers without a name that any event can have: those between others, and as many behind
    /// them as there may be names.
    pub(crate) fn unnamed_numbers(&self) -> Vec<u32> {
        let table = recover(self.table.read());
        let end = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let (known, most) = (table.names.len(), self.limits.names);
        let behind = end(known)..end(known.saturating_add(most));
        table.free.iter().copied().chain(behind).collect()
    }

    /// How often names were forgotten.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Bytes of all names, in memory and in the database.
    pub(crate) fn bytes(&self) -> u64 {
        recover(self.table.read()).bytes
    }

    /// Notes that events or counters were removed.
    pub(crate) fn note_removal(&self) {
        self.has_removal.store(true, Ordering::Relaxed);
    }

    /// Whether a search for unused names may find some that are needed. It is then due only after
    /// both a further refusal and a further removal.
    pub(crate) fn take_search_is_due(&self) -> bool {
        let is_due =
            self.is_refused.load(Ordering::Relaxed) && self.has_removal.load(Ordering::Relaxed);
        if is_due {
            self.is_refused.store(false, Ordering::Relaxed);
            self.has_removal.store(false, Ordering::Relaxed);
        }
        is_due
    }

    /// The names of these that get a number, with their numbers, as far as there is room. They are
    /// known only once they are learned. Call this on the writer thread: two plans at once would
    /// use the same numbers.
    pub(crate) fn plan(&self, unknown: Vec<String>, reporter: Reporter) -> Vec<(u32, NameRecord)> {
        let mut table = recover(self.table.write());
        let mut planned = Vec::new();
        for name in unknown {
            if table.numbers.contains_key(name.as_str()) {
                continue;
            }
            if !table.has_room(&name, reporter, &self.limits) {
                self.report_full();
                break;
            }
            let record = NameRecord {
                name,
                reporter: Some(reporter),
            };
            let id = table.free_number();
            table.learn(id, &record);
            planned.push((id, record));
        }
        for (id, _) in &planned {
            table.unlearn(*id);
        }
        planned
    }

    fn report_full(&self) {
        if !self.is_reported.swap(true, Ordering::Relaxed) {
            log::warn!(
                "there are too many event names (events.max_names, events.names_per_reporter): further names are counted as {}",
                limits::OTHER_NAMES
            );
        }
    }
}

impl NameTable {
    fn learn(&mut self, id: u32, record: &NameRecord) {
        let name: Arc<str> = record.name.as_str().into();
        let place = id as usize;
        if self.names.len() <= place {
            let fresh = u32::try_from(self.names.len()).unwrap_or(id);
            self.free.extend(fresh..id);
            self.names.resize_with(place + 1, || None);
        }
        self.unlearn(id);
        self.free.remove(&id);
        if let Some(slot) = self.names.get_mut(place) {
            *slot = Some(NameEntry {
                name: Arc::clone(&name),
                reporter: record.reporter,
            });
        }
        self.bytes += name_bytes(&name);
        self.numbers.insert(name, id);
        if let Some(reporter) = record.reporter {
            *self.brought.entry(reporter).or_default() += 1;
        }
    }

    fn unlearn(&mut self, id: u32) {
        let Some(NameEntry { name, reporter }) =
            self.names.get_mut(id as usize).and_then(Option::take)
        else {
            return;
        };
        self.free.insert(id);
        self.numbers.remove(&name);
        self.bytes = self.bytes.saturating_sub(name_bytes(&name));
        if let Some(reporter) = reporter
            && let Some(brought) = self.brought.get_mut(&reporter)
        {
            *brought -= 1;
            if *brought == 0 {
                self.brought.remove(&reporter);
            }
        }
    }

    /// The lowest number without a name.
    fn free_number(&self) -> u32 {
        let next = || u32::try_from(self.names.len()).unwrap_or(OTHER);
        self.free.first().copied().unwrap_or_else(next)
    }

    fn has_room(&self, name: &str, reporter: Reporter, limits: &NameLimits) -> bool {
        // One entry is that of all other names.
        let has_share = reporter == Reporter::Admin
            || self.brought.get(&reporter).copied().unwrap_or(0) < limits.per_reporter;
        self.numbers.len() <= limits.names
            && self.bytes + name_bytes(name) <= limits.bytes
            && has_share
    }
}

fn name_bytes(name: &str) -> u64 {
    name.len() as u64 + NAME_BYTES
}
