//! Exact counts, hour by hour and name by name, written in the batch that stores the events they count: after any crash they agree.
//!
//! Names are numbered as they appear, and the counts of 64 names in an hour share a record, so that a busy group of reports
//! writes one or two records and not one a name.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sled::IVec;

use super::super::Outcome;
use super::keys::{CountKey, Key};
use super::record::{self, postcard_records};

/// Names that share a record.
pub(super) const ROW_NAMES: u32 = 64;
/// Rows kept in memory between groups. Those of the hour under way are asked for by every group.
const KEPT_ROWS: usize = 256;

/// The counts of the names `64 × row` and on, in one hour; trailing zeros are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row(pub(super) Vec<u64>);

postcard_records!(Row);

impl Row {
    fn add(&mut self, place: usize, count: u64) {
        if self.0.len() <= place {
            self.0.resize(place + 1, 0);
        }
        if let Some(slot) = self.0.get_mut(place) {
            *slot += count;
        }
    }
}

impl Row {
    fn subtract(&mut self, place: usize, count: u64) {
        if let Some(slot) = self.0.get_mut(place) {
            *slot = slot.saturating_sub(count);
        }
    }
}

/// How often a report used a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameCount {
    pub(super) name: u32,
    pub(super) count: u64,
}

impl NameCount {
    fn row(self) -> u32 {
        self.name / ROW_NAMES
    }
}

/// The rows the writer works on.
#[derive(Default)]
pub(super) struct Counters {
    rows: HashMap<(u32, u32), (Row, Dirty)>,
}

type Dirty = bool;

impl Counters {
    /// The rows of an hour that must be loaded before these counts can be added.
    pub(super) fn missing(&self, hour: u32, counts: &[NameCount]) -> Vec<CountKey> {
        let mut rows: Vec<u32> = counts.iter().map(|count| count.row()).collect();
        rows.sort_unstable();
        rows.dedup();
        rows.retain(|row| !self.rows.contains_key(&(hour, *row)));
        rows.into_iter().map(|row| CountKey { hour, row }).collect()
    }

    /// Takes a row as it is stored.
    pub(super) fn load(&mut self, key: &CountKey, row: Row) {
        self.rows.entry((key.hour, key.row)).or_insert((row, false));
    }

    /// Adds counts to rows that are loaded.
    pub(super) fn add(&mut self, hour: u32, counts: &[NameCount]) {
        for count in counts {
            let (row, dirty) = self.rows.entry((hour, count.row())).or_default();
            row.add((count.name % ROW_NAMES) as usize, count.count);
            *dirty = true;
        }
    }

    /// Takes a count back from a row that is loaded.
    pub(super) fn subtract(&mut self, hour: u32, count: NameCount) {
        let (row, dirty) = self.rows.entry((hour, count.row())).or_default();
        row.subtract((count.name % ROW_NAMES) as usize, count.count);
        *dirty = true;
    }

    /// The rows that changed, as they are to be stored.
    pub(super) fn changed(&mut self) -> Outcome<Vec<(Vec<u8>, IVec)>> {
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
