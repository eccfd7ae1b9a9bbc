//! The sketches of users, one for a name and an hour, and one for all names of an hour. Few events change one: once most users of
//! an hour were seen, none is written any more.

use std::collections::{BTreeMap, HashMap};

use sled::IVec;

use super::super::{Outcome, StoreError};
use super::keys::{Key, SketchKey};
use super::record::{self, Record};
use super::tally::NameMark;
use super::view::Read;
use crate::model::Sketch;

/// Stands for all names together; no name has this number.
pub(super) const ALL_NAMES: u32 = u32::MAX;
/// Sketches kept in memory between groups, a third of a KiB each: those of the hour under way, while names are not too many.
const KEPT_SKETCHES: usize = 1_024;
/// Hours of which some are kept: the one under way and its neighbour. Each takes eight bytes for every name there ever was.
const KEPT_HOURS: usize = 2;

impl Record for Sketch {
    fn to_body(&self) -> Result<Vec<u8>, postcard::Error> {
        Ok(self.to_bytes())
    }
    fn from_body(body: &[u8]) -> Result<Sketch, postcard::Error> {
        Sketch::from_bytes(body).ok_or(postcard::Error::DeserializeBadEncoding)
    }
}

/// The sketches the writer works on.
#[derive(Default)]
pub(super) struct Sketches {
    /// For each hour a slot a name. Every event of every group passes here: a place in a list is found at once.
    hours: BTreeMap<u32, Vec<Slot>>,
    /// How many there are at the most.
    kept: usize,
    /// Those that changed.
    changed: Vec<SketchKey>,
}

type Slot = Option<Box<Kept>>;

/// A sketch, and whether it is among those that changed.
#[derive(Default)]
struct Kept {
    sketch: Sketch,
    is_changed: bool,
}

/// Where the slot of a name is: that of all names comes first.
fn place_of(name: u32) -> usize {
    name.wrapping_add(1) as usize
}

impl Sketches {
    /// The sketches of an hour that must be loaded before these marks can be added.
    pub(super) fn missing(&self, hour: u32, marks: &[NameMark]) -> Vec<SketchKey> {
        let slots = self.hours.get(&hour).map_or(&[][..], Vec::as_slice);
        let is_missing = |name: &u32| slots.get(place_of(*name)).is_none_or(Option::is_none);
        let names = marks
            .chunk_by(|a, b| a.name == b.name)
            .filter_map(|run| run.first().map(|it| it.name));
        names
            .chain([ALL_NAMES])
            .filter(is_missing)
            .map(|name| SketchKey { name, hour })
            .collect()
    }

    /// Takes a sketch as it is stored.
    pub(super) fn load(&mut self, key: &SketchKey, sketch: Sketch) {
        let slots = self.hours.entry(key.hour).or_default();
        let place = place_of(key.name);
        if slots.len() <= place {
            slots.resize_with(place + 1, Slot::default);
        }
        if let Some(slot @ None) = slots.get_mut(place) {
            *slot = Some(Box::new(Kept {
                sketch,
                is_changed: false,
            }));
            self.kept += 1;
        }
    }

    /// Adds marks to sketches that are loaded.
    pub(super) fn add(&mut self, hour: u32, marks: &[NameMark]) {
        let Some(slots) = self.hours.get_mut(&hour) else {
            return;
        };
        let runs = marks.chunk_by(|a, b| a.name == b.name);
        let named = runs.filter_map(|run| run.first().map(|it| (it.name, run)));
        for (name, marks) in named.chain([(ALL_NAMES, marks)]) {
            let Some(Some(kept)) = slots.get_mut(place_of(name)) else {
                continue;
            };
            let mut is_new = false;
            for NameMark { mark, .. } in marks {
                is_new |= kept.sketch.add(*mark);
            }
            if is_new && !std::mem::replace(&mut kept.is_changed, true) {
                self.changed.push(SketchKey { name, hour });
            }
        }
    }

    /// The sketches that changed, as they are to be stored.
    pub(super) fn changed(&mut self) -> Outcome<Vec<(Vec<u8>, IVec)>> {
        let mut changed = Vec::with_capacity(self.changed.len());
        for key in self.changed.drain(..) {
            let slots = self.hours.get_mut(&key.hour);
            let slot = slots.and_then(|it| it.get_mut(place_of(key.name)));
            let kept = slot.and_then(Option::as_mut);
            // One that was removed meanwhile, or stands here twice because of it, is none.
            if let Some(kept) = kept.filter(|it| it.is_changed) {
                kept.is_changed = false;
                let key = key.bytes();
                changed.push((key.clone(), record::seal(&key, &kept.sketch)?));
            }
        }
        if self.kept > KEPT_SKETCHES || self.hours.len() > KEPT_HOURS {
            self.hours.clear();
            self.kept = 0;
        }
        Ok(changed)
    }

    /// Forgets a sketch that is removed.
    pub(super) fn forget(&mut self, key: &SketchKey) {
        let slots = self.hours.get_mut(&key.hour);
        if let Some(slot) = slots.and_then(|it| it.get_mut(place_of(key.name))) {
            *slot = None;
        }
    }

    /// Forgets what lies before an hour and is stored as it is here.
    pub(super) fn forget_before(&mut self, hour: u32) {
        let is_changed = |slot: &Slot| slot.as_ref().is_some_and(|it| it.is_changed);
        self.hours
            .retain(|it, slots| *it >= hour || slots.iter().any(is_changed));
    }
}

/// The sketch under a key. A damaged one is as good as none: it is an estimate, and no reason to refuse events or answers.
pub(super) fn fetch(from: &impl Read, key: &SketchKey) -> Outcome<Option<Sketch>> {
    readable(from.fetch(key))
}

/// The sketches of a name in the hours `from..to`.
pub(super) fn range(
    from: &impl Read,
    name: u32,
    hours: std::ops::Range<u32>,
) -> Outcome<HashMap<u32, Sketch>> {
    let key = |hour| SketchKey { name, hour }.bytes();
    let mut sketches = HashMap::new();
    for (key, stored) in from.raw_range(&key(hours.start), &key(hours.end), usize::MAX)? {
        let found = SketchKey::parse(&key).zip(readable(record::open(&key, &stored).map(Some))?);
        sketches.extend(found.map(|(key, sketch)| (key.hour, sketch)));
    }
    Ok(sketches)
}

fn readable(read: Outcome<Option<Sketch>>) -> Outcome<Option<Sketch>> {
    match read {
        Err(StoreError::Corrupt(what)) => {
            log::error!("users of some hour are counted too low, a sketch is damaged: {what}");
            Ok(None)
        }
        read => read,
    }
}
