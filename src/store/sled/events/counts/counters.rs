//! Counts events exactly, by hour and name. The counts are written in the batch that stores the
//! events, so both agree after any crash.
//!
//! Names are numbered in the order in which they appear, and the counts of 64 names in an hour
//! share a record. So a large group of reports writes one or two records, not one for each name.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use sled::IVec;

use crate::store::sled::engine::keys::{self, Field, Key, key, prefix};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::{self, postcard_records};
use crate::store::sled::engine::transaction::{ENTRY_BYTES, Transaction};
use crate::store::sled::events::counts::count_by_name::NameCount;
use crate::store::sled::events::counts::sketches::{ALL_NAMES, SketchKey};
use crate::store::{Result, Swept};

/// Names that share a record.
pub(crate) const ROW_NAMES: u32 = 64;
/// A row with its key in the log at most, in bytes: ten for each count.
pub(crate) const ROW_BYTES: u64 = 16 + 10 * ROW_NAMES as u64 + ENTRY_BYTES;
/// Rows kept in memory between groups. Every group needs those of the current hour.
const KEPT_ROWS: usize = 256;
/// Rows of one sweep, each with as many sketches as it has names: a larger step would delay the
/// requests that wait behind it.
const SWEEP_ROWS: usize = 4;

/// The counts of the names `64 × row` and on, in one hour; trailing zeros are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CountRow(pub(crate) Vec<u64>);

postcard_records!(CountRow);

key! {
    /// The counters of 64 names in an hour.
    CountKey { hour: u32, row: u32 } Count => CountRow
}

impl CountRow {
    fn add(&mut self, place: usize, count: u64) {
        if self.0.len() <= place {
            self.0.resize(place + 1, 0);
        }
        if let Some(slot) = self.0.get_mut(place) {
            *slot += count;
        }
    }

    /// Subtracts from the count of a name. True: its count is 0 now.
    fn take(&mut self, place: usize, count: u64) -> bool {
        let Some(slot) = self.0.get_mut(place) else {
            return true;
        };
        *slot = slot.saturating_sub(count);
        let is_gone = *slot == 0;
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        is_gone
    }
}

fn row_of(name: u32) -> u32 {
    name / ROW_NAMES
}

/// The rows of these counts, which are in the order of their names.
fn rows_in(counts: &[NameCount]) -> Vec<u32> {
    let mut rows: Vec<u32> = counts.iter().map(|count| row_of(count.name)).collect();
    rows.dedup();
    rows
}

/// The size of the rows of these counts in the log at most, in bytes.
pub(crate) fn row_bytes(counts: &[NameCount]) -> u64 {
    rows_in(counts).len() as u64 * ROW_BYTES
}

fn slot_of(name: u32) -> usize {
    (name % ROW_NAMES) as usize
}

/// The rows that the writer works on.
#[derive(Default)]
pub(crate) struct Counters {
    rows: HashMap<(u32, u32), (CountRow, Dirty)>,
}

type Dirty = bool;

impl Counters {
    /// The rows of an hour that must be loaded before these counts can be changed.
    fn missing(&self, hour: u32, counts: &[NameCount]) -> Vec<CountKey> {
        let mut rows = rows_in(counts);
        rows.retain(|row| !self.rows.contains_key(&(hour, *row)));
        rows.into_iter().map(|row| CountKey { hour, row }).collect()
    }

    /// Adds the counts of a report. The caller has loaded its rows.
    pub(crate) fn add(&mut self, hour: u32, counts: &[NameCount]) {
        for run in counts.chunk_by(|a, b| row_of(a.name) == row_of(b.name)) {
            let number = run.first().map_or(0, |count| row_of(count.name));
            let (row, dirty) = self.rows.entry((hour, number)).or_default();
            for count in run {
                row.add(slot_of(count.name), count.count);
            }
            *dirty = true;
        }
    }

    /// Puts rows in the place of those in memory.
    pub(crate) fn set(&mut self, rows: Vec<(CountKey, CountRow)>) {
        let rows = rows.into_iter();
        let rows = rows.map(|(key, row)| ((key.hour, key.row), (row, true)));
        self.rows.extend(rows);
    }

    /// All rows of an hour: those in memory are newer than the stored ones. None: a row is damaged.
    fn rows_of(&self, from: &impl Read, hour: u32) -> Result<BTreeMap<u32, Option<CountRow>>> {
        let mut rows = BTreeMap::new();
        for key in from.keys_under::<CountKey>(&hour_begins(hour), usize::MAX)? {
            let stored = from.skip_damaged(from.fetch(&key))?;
            rows.insert(key.row, stored.map(Option::unwrap_or_default));
        }
        let in_memory = self.rows.iter().filter(|((it, _), _)| *it == hour);
        rows.extend(in_memory.map(|((_, number), (row, _))| (*number, Some(row.clone()))));
        Ok(rows)
    }

    /// The rows that changed, as they are to be stored.
    pub(crate) fn changed(&mut self) -> Result<Vec<(Vec<u8>, IVec)>> {
        let mut changed = Vec::new();
        for (&(hour, row), (counts, dirty)) in &mut self.rows {
            if std::mem::take(dirty) {
                let key = CountKey { hour, row }.bytes();
                changed.push((key.clone(), record::seal(&key, counts)?));
            }
        }
        if self.rows.len() > KEPT_ROWS {
            self.rows.clear();
        }
        Ok(changed)
    }
}

/// Loads the rows that these counts will change. Everything that can fail happens here, before any
/// change.
pub(crate) fn load(
    tx: &mut Transaction<'_>,
    counters: &mut Counters,
    hour: u32,
    counts: &[NameCount],
) -> Result<()> {
    for key in counters.missing(hour, counts) {
        let row = tx.fetch(&key)?.unwrap_or_default();
        let rows = &mut counters.rows;
        rows.entry((key.hour, key.row)).or_insert((row, false));
    }
    Ok(())
}

/// Subtracts counts of an hour whose events are removed in the same step: names in order, each
/// once. A name without events in the hour loses its sketch; an hour without events loses the
/// sketch of all names. The other sketches still include users whose events are removed.
///
/// A damaged row stays as it is. Returns the rows that change, for [`Counters::set`].
pub(crate) fn subtract(
    tx: &mut Transaction<'_>,
    counters: &Counters,
    hour: u32,
    counts: &[NameCount],
) -> Result<Vec<(CountKey, CountRow)>> {
    let mut rows = counters.rows_of(tx, hour)?;
    let mut gone = Vec::new();
    for NameCount { name, count } in counts {
        let row = rows
            .entry(row_of(*name))
            .or_insert_with(|| Some(CountRow::default()));
        if let Some(row) = row
            && row.take(slot_of(*name), *count)
        {
            gone.push(*name);
        }
    }
    let is_empty = |row: &Option<CountRow>| row.as_ref().is_some_and(|row| row.0.is_empty());
    if rows.values().all(is_empty) {
        gone.push(ALL_NAMES);
    }
    for name in gone {
        tx.remove(&SketchKey { name, hour });
    }
    let changed = rows_in(counts).into_iter();
    let changed = changed.filter_map(|row| Some((CountKey { hour, row }, rows.remove(&row)??)));
    Ok(changed.collect())
}

/// Removes some of the rows of hours before `before`, oldest first, each with its sketches.
pub(crate) fn sweep(
    tx: &mut Transaction<'_>,
    counters: &mut Counters,
    before: u32,
) -> Result<Swept> {
    let rows =
        tx.entries::<CountKey>(&keys::first::<CountKey>(), &hour_begins(before), SWEEP_ROWS)?;
    let mut removed = 0;
    for (key, CountRow(counts)) in &rows {
        let (hour, first) = (key.hour, key.row * ROW_NAMES);
        let counted = (first..).zip(counts).filter(|(_, count)| **count > 0);
        let names = counted.map(|(name, _)| name).chain([ALL_NAMES]);
        for key in names.map(|name| SketchKey { name, hour }) {
            tx.remove(&key);
            removed += 1;
        }
        tx.remove(key);
        removed += 1;
    }
    counters
        .rows
        .retain(|(hour, _), (_, dirty)| *dirty || *hour >= before);
    Ok(Swept {
        removed,
        more: rows.len() == SWEEP_ROWS,
    })
}

/// The first key of an hour's rows.
pub(crate) fn hour_begins(hour: u32) -> Vec<u8> {
    prefix::<CountKey>(|key| hour.write(key))
}

#[cfg(test)]
mod tests {
    use crate::store::sled::engine::tree::Tree;

    use super::*;
    use crate::model::{Sketch, Timestamp, UserNumber};
    use crate::store::sled::engine::transaction::GroupEntries;
    use crate::store::sled::events::counts::count_by_name::count_by_name;
    use crate::store::sled::events::counts::sketches::Sketches;
    use crate::store::sled::events::format::columns::{BlockEvent, Reporter};

    /// A tree and the counters over it.
    struct Counted {
        tree: Tree,
        counters: Counters,
    }

    impl Counted {
        fn new() -> Counted {
            let db = sled::Config::new().temporary(true).open().unwrap();
            let tree = Tree::of(&db);
            let counters = Counters::default();
            Counted { tree, counters }
        }

        /// Commits a group of one step.
        fn group<T>(
            &mut self,
            step: impl FnOnce(&mut Transaction<'_>, &mut Counters) -> Result<T>,
        ) -> T {
            let mut tx = Transaction::new(&self.tree);
            let value = step(&mut tx, &mut self.counters).unwrap();
            let entries = GroupEntries {
                changed: self.counters.changed().unwrap(),
                new: Vec::new(),
            };
            let batch = tx.finish(entries, |_, _, _| ()).unwrap().batch;
            self.tree.apply_batch(batch).unwrap();
            value
        }

        /// Drops the rows in memory, as a restart does.
        fn forget(&mut self) {
            self.counters = Counters::default();
        }

        fn add(&mut self, hour: u32, names: &[u32], user: u32) {
            let counts = count_by_name(names);
            let mut seen = Sketches::default();
            for name in names {
                seen.see(&BlockEvent {
                    at: Timestamp::from_millis(i64::from(hour) * 3_600_000),
                    reporter: Reporter::Admin,
                    name: *name,
                    literal: None,
                    subject: UserNumber(user),
                    details: None,
                });
            }
            let changed = seen.changed(&self.tree).unwrap();
            self.group(|tx, counters| {
                load(tx, counters, hour, &counts)?;
                counters.add(hour, &counts);
                changed.iter().try_for_each(|(key, it)| tx.put(key, it))
            });
        }

        fn subtract(&mut self, hour: u32, counts: &[(u32, u64)]) {
            let counts: Vec<NameCount> = counts
                .iter()
                .map(|&(name, count)| NameCount { name, count })
                .collect();
            self.group(|tx, counters| {
                let rows = subtract(tx, counters, hour, &counts)?;
                counters.set(rows);
                Ok(())
            });
        }

        /// The counts of an hour.
        fn counts(&self, hour: u32) -> Vec<(u32, u64)> {
            let (from, to) = (hour_begins(hour), hour_begins(hour + 1));
            let rows = self.tree.entries::<CountKey>(&from, &to, usize::MAX);
            let rows = rows.unwrap().into_iter();
            rows.flat_map(|(key, CountRow(counts))| (key.row * ROW_NAMES..).zip(counts))
                .filter(|(_, count)| *count > 0)
                .collect()
        }

        fn users(&self, name: u32, hour: u32) -> Option<u64> {
            let sketch: Option<Sketch> = self.tree.fetch(&SketchKey { name, hour }).unwrap();
            sketch.map(|it| it.users())
        }
    }

    #[test]
    fn what_is_taken_back_is_not_counted_and_names_without_events_have_no_users() {
        let mut counted = Counted::new();
        for restart in [false, true] {
            counted.add(7, &[3, 3, 70], 1);
            counted.add(7, &[3, 70], 2);
            if restart {
                counted.forget();
            }
            counted.subtract(7, &[(3, 2), (70, 2)]);
            assert_eq!(counted.counts(7), [(3, 1)]);
            assert_eq!((counted.users(3, 7), counted.users(70, 7)), (Some(2), None));
            assert_eq!(counted.users(ALL_NAMES, 7), Some(2));
            // Later events start a new sketch.
            counted.add(7, &[70], 5);
            assert_eq!(counted.users(70, 7), Some(1));
            if restart {
                counted.forget();
            }
            counted.subtract(7, &[(3, 1), (70, 1)]);
            assert_eq!(counted.counts(7), []);
            for name in [3, 70, ALL_NAMES] {
                assert_eq!(counted.users(name, 7), None);
            }
        }
    }

    #[test]
    fn a_name_that_is_taken_back_and_reported_in_one_group_is_counted() {
        let mut counted = Counted::new();
        counted.add(7, &[3], 1);
        let counts = count_by_name(&[3]);
        counted.group(|tx, counters| {
            let rows = subtract(tx, counters, 7, &counts)?;
            counters.set(rows);
            load(tx, counters, 7, &counts)?;
            counters.add(7, &counts);
            Ok(())
        });
        assert_eq!(
            (counted.counts(7), counted.users(3, 7)),
            (vec![(3, 1)], None)
        );
    }

    #[test]
    fn more_names_than_are_kept_in_memory_are_counted_all_the_same() {
        let mut counted = Counted::new();
        let names: Vec<u32> = (0..2_000).collect();
        counted.add(7, &names, 1);
        counted.add(7, &names, 2);
        let expected: Vec<(u32, u64)> = names.iter().map(|name| (*name, 2)).collect();
        assert_eq!(counted.counts(7), expected);
        for name in [0, 1_500, 1_999, ALL_NAMES] {
            assert_eq!(counted.users(name, 7), Some(2), "{name}");
        }
    }

    #[test]
    fn old_hours_are_swept_a_few_rows_at_a_time_with_their_sketches() {
        let mut counted = Counted::new();
        for hour in 0..10 {
            counted.add(hour, &[3, 70], 1);
        }
        let mut steps = 0;
        while counted.group(|tx, counters| sweep(tx, counters, 8)).more {
            steps += 1;
        }
        assert_eq!(steps, 8 * 2 / SWEEP_ROWS);
        for hour in 0..10 {
            let there = if hour < 8 { None } else { Some(1) };
            for name in [3, 70, ALL_NAMES] {
                assert_eq!(counted.users(name, hour), there, "{hour}");
            }
            assert_eq!(counted.counts(hour).is_empty(), there.is_none());
        }
        // Swept counts are dropped from memory too.
        counted.add(7, &[3], 1);
        assert_eq!(counted.counts(7), [(3, 1)]);
    }
}
