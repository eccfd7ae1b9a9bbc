//! Sketches that estimate how many users there were: one for each name and hour, and one for all
//! names of an hour. In a quiet hour nearly every event changes a sketch, so sketches are not
//! written with the events. They are written when blocks are merged, in the same step, and cover
//! the users of merged blocks. Users of loose blocks are read from the blocks themselves. Adding a
//! user twice changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::model::{Mark, Sketch};
use crate::store::Result;
use crate::store::sled::engine::keys::{Key, key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::Record;
use crate::store::sled::events::format::columns::BlockEvent;

/// Stands for all names together; no name has this number.
pub(crate) const ALL_NAMES: u32 = u32::MAX;

key! {
    /// The users of a name in an hour, from merged blocks only. The name comes first, so that many
    /// hours of one name are adjacent.
    SketchKey { name: u32, hour: u32 } Sketch => Sketch
}

impl Record for Sketch {
    fn to_body(&self) -> Result<Vec<u8>, postcard::Error> {
        Ok(self.to_bytes())
    }
    fn from_body(body: &[u8]) -> Result<Sketch, postcard::Error> {
        Sketch::from_bytes(body).ok_or(postcard::Error::DeserializeBadEncoding)
    }
}

/// The users of some events, by name and hour.
#[derive(Default)]
pub(crate) struct Sketches(BTreeMap<SketchKey, Sketch>);

impl Sketches {
    /// Adds the user that an event is about.
    pub(crate) fn see(&mut self, event: &BlockEvent<'_>) {
        let (hour, mark) = (event.at.hour(), Mark::of(event.subject));
        for name in [event.name, ALL_NAMES] {
            self.0
                .entry(SketchKey { name, hour })
                .or_default()
                .add(mark);
        }
    }

    /// Adds the users of `others`.
    pub(crate) fn unite(&mut self, others: &Sketches) {
        for (key, sketch) in &others.0 {
            self.0.entry(key.clone()).or_default().unite(sketch);
        }
    }

    /// Unites these sketches with the stored ones. Returns those that differ from the stored ones.
    pub(crate) fn changed(self, stored: &impl Read) -> Result<Vec<(SketchKey, Sketch)>> {
        let mut changed = Vec::new();
        for (key, mut sketch) in self.0 {
            let known = stored.fetch_readable(&key)?.unwrap_or_default();
            sketch.unite(&known);
            if sketch != known {
                changed.push((key, sketch));
            }
        }
        Ok(changed)
    }
}

/// The sketches of a name in these hours. A damaged sketch counts as none: it is only an estimate,
/// so queries must not fail because of it.
pub(crate) fn range(
    from: &impl Read,
    name: u32,
    hours: Range<u32>,
) -> Result<HashMap<u32, Sketch>> {
    let key = |hour| SketchKey { name, hour }.bytes();
    let sketches: Vec<(SketchKey, _)> =
        from.entries(&key(hours.start), &key(hours.end), usize::MAX)?;
    let by_hour = sketches.into_iter().map(|(key, sketch)| (key.hour, sketch));
    Ok(by_hour.collect())
}
