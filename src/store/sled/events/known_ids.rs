//! The ids of stored events, in memory, so that an event that is sent again is recognized without
//! the database. Requests look here first; the writer, which alone adds to it, looks once more.
//!
//! An id is found on whatever day it was sent: a clock that is set back or forward hides none.

use std::collections::{BTreeMap, HashSet};
use std::sync::{RwLock, RwLockReadGuard};

use crate::model::EventId;
use crate::store::sled::events::format::columns::Reporter;
use crate::sync::recover;

/// Ids that one reporter gave to events of one UTC day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentIds {
    pub(crate) day: u32,
    pub(crate) reporter: Reporter,
    pub(crate) ids: Vec<EventId>,
}

/// The ids of stored events, by the days of their arrival.
#[derive(Default)]
pub(crate) struct IdsByDay(BTreeMap<u32, HashSet<(Reporter, EventId)>>);

impl IdsByDay {
    /// Whether an event with this id of this reporter is stored.
    pub(crate) fn contains(&self, reporter: Reporter, id: EventId) -> bool {
        let mut days = self.0.values();
        days.any(|day| day.contains(&(reporter, id)))
    }
}

/// The ids of stored events, shared by the writer and those who ask.
#[derive(Default)]
pub(crate) struct KnownIds(RwLock<IdsByDay>);

impl KnownIds {
    /// Locks the ids to look some up.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, IdsByDay> {
        recover(self.0.read())
    }

    /// Whether one of these ids is known.
    pub(crate) fn has_any_of(&self, sent: &SentIds) -> bool {
        let known = self.read();
        let mut ids = sent.ids.iter();
        ids.any(|id| known.contains(sent.reporter, *id))
    }

    /// Adds ids.
    pub(crate) fn add(&self, sent: &SentIds) {
        let mut known = recover(self.0.write());
        let day = known.0.entry(sent.day).or_default();
        day.extend(sent.ids.iter().map(|id| (sent.reporter, *id)));
    }

    /// Removes the ids of the days before `day`.
    pub(crate) fn forget_before(&self, day: u32) {
        let mut known = recover(self.0.write());
        let kept = known.0.split_off(&day);
        let forgotten = std::mem::replace(&mut known.0, kept);
        // Freeing a large set takes a while, and those who ask need not wait for it.
        drop(known);
        drop(forgotten);
    }
}
