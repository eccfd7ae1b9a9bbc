//! The sketches of users, one for a name and an hour, and one for all names of an hour. Few events change one: once most users of
//! an hour were seen, none is written any more.

use std::collections::HashMap;

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
    /// By name and hour.
    kept: HashMap<(u32, u32), (Sketch, Dirty)>,
}

type Dirty = bool;

impl Sketches {
    /// The sketches of an hour that must be loaded before these marks can be added.
    pub(super) fn missing(&self, hour: u32, marks: &[NameMark]) -> Vec<SketchKey> {
        let names = marks
            .chunk_by(|a, b| a.name == b.name)
            .filter_map(|run| run.first().map(|it| it.name));
        names
            .chain([ALL_NAMES])
            .filter(|name| !self.kept.contains_key(&(*name, hour)))
            .map(|name| SketchKey { name, hour })
            .collect()
    }

    /// Takes a sketch as it is stored.
    pub(super) fn load(&mut self, key: &SketchKey, sketch: Sketch) {
        let kept = self.kept.entry((key.name, key.hour));
        kept.or_insert((sketch, false));
    }

    /// Adds marks to sketches that are loaded.
    pub(super) fn add(&mut self, hour: u32, marks: &[NameMark]) {
        for run in marks.chunk_by(|a, b| a.name == b.name) {
            if let Some(first) = run.first() {
                self.add_run(first.name, hour, run);
            }
        }
        self.add_run(ALL_NAMES, hour, marks);
    }

    fn add_run(&mut self, name: u32, hour: u32, marks: &[NameMark]) {
        let (sketch, dirty) = self.kept.entry((name, hour)).or_default();
        for NameMark { mark, .. } in marks {
            *dirty |= sketch.add(*mark);
        }
    }

    /// The sketches that changed, as they are to be stored.
    pub(super) fn changed(&mut self) -> Outcome<Vec<(Vec<u8>, IVec)>> {
        let mut changed = Vec::new();
        for (&(name, hour), (sketch, dirty)) in &mut self.kept {
            if std::mem::take(dirty) {
                let key = SketchKey { name, hour }.bytes();
                changed.push((key.clone(), record::seal(&key, sketch)?));
            }
        }
        if self.kept.len() > KEPT_SKETCHES {
            self.kept.clear();
        }
        Ok(changed)
    }

    /// Forgets a sketch that is removed.
    pub(super) fn forget(&mut self, key: &SketchKey) {
        self.kept.remove(&(key.name, key.hour));
    }

    /// Forgets what lies before an hour and is stored as it is here.
    pub(super) fn forget_before(&mut self, hour: u32) {
        self.kept
            .retain(|(_, it), (_, dirty)| *dirty || *it >= hour);
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
