//! Answers queries for counts from rows of counters and one sketch an hour. It reads events only
//! from blocks that are not merged yet, because no sketch includes their users.

use std::ops::Range;

use crate::model::{EventCounts, HourCounts, Mark, NameCount};
use crate::store::Result;
use crate::store::sled::engine::keys::Key;
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::counts::counters::{CountKey, CountRow, ROW_NAMES, hour_begins};
use crate::store::sled::events::counts::sketches::{self, ALL_NAMES};
use crate::store::sled::events::reader::Reader;

/// The counts of some hours, of one name or of all.
pub(crate) fn read(reader: &Reader, hours: Range<u32>, name: Option<u32>) -> Result<EventCounts> {
    if hours.is_empty() {
        return Ok(EventCounts::default());
    }
    let tree = reader.tree();
    let mut users = sketches::range(tree, name.unwrap_or(ALL_NAMES), hours.clone())?;
    reader.walk_loose(hours.clone(), |event| {
        if name.is_none_or(|name| event.name == name) {
            let users = users.entry(event.at.hour()).or_default();
            users.add(Mark::of(event.subject));
        }
    })?;
    let rows = match name {
        Some(name) => rows_of(tree, hours, name / ROW_NAMES)?,
        None => tree.entries(
            &hour_begins(hours.start),
            &hour_begins(hours.end),
            usize::MAX,
        )?,
    };
    let mut places = Places::default();
    let mut read: Vec<HourCounts> = Vec::new();
    for (key, CountRow(counts)) in rows {
        let numbered = (key.row * ROW_NAMES..).zip(counts);
        let filter = numbered
            .filter(|(number, count)| *count > 0 && name.is_none_or(|name| name == *number));
        let mut counts = filter
            .map(|(number, count)| NameCount {
                name: places.of(number),
                count,
            })
            .peekable();
        if counts.peek().is_none() {
            continue;
        }
        match read.last_mut().filter(|last| last.hour == key.hour) {
            Some(last) => last.counts.extend(counts),
            None => read.push(HourCounts {
                hour: key.hour,
                counts: counts.collect(),
                users: users.remove(&key.hour).unwrap_or_default(),
            }),
        }
    }
    Ok(EventCounts {
        names: places
            .numbers
            .into_iter()
            .map(|it| reader.name_of(it))
            .collect(),
        hours: read,
    })
}

/// The rows with this number. It seeks from hour to hour: with many names there are many rows
/// between them.
fn rows_of(tree: &Tree, hours: Range<u32>, row: u32) -> Result<Vec<(CountKey, CountRow)>> {
    let end = hour_begins(hours.end);
    let mut next = CountKey {
        hour: hours.start,
        row,
    };
    let mut rows = Vec::new();
    while next.hour < hours.end {
        let Some((found, counts)) = tree.entries(&next.bytes(), &end, 1)?.pop() else {
            break;
        };
        let CountKey { hour, row: found } = found;
        next.hour = hour + u32::from(found >= row);
        if found == row {
            rows.push((CountKey { hour, row }, counts));
        }
    }
    Ok(rows)
}

/// The numbers of names in the order in which they first occur.
#[derive(Default)]
struct Places {
    numbers: Vec<u32>,
    /// For each number, its place + 1; 0: the number has not occurred.
    places: Vec<u32>,
}

impl Places {
    fn of(&mut self, number: u32) -> u32 {
        let index = number as usize;
        if self.places.len() <= index {
            self.places.resize(index + 1, 0);
        }
        let Some(place) = self.places.get_mut(index) else {
            return 0;
        };
        if *place == 0 {
            self.numbers.push(number);
            *place = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        }
        *place - 1
    }
}
