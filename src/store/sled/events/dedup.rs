//! Leaves out the events of a report whose ids are known: an event that is sent again is not stored
//! again.
//!
//! The task of the request deduplicates the report. The writer checks the ids once more, because
//! another request may have stored some of them in between.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::model::{NewEvent, Timestamp};
use crate::store::sled::events::format::columns::Reporter;
use crate::store::sled::events::known_ids::{KnownIds, SentIds};

/// The events of a report that are not stored yet.
pub(crate) struct Deduplicated<'a> {
    /// The events that are to be stored.
    pub(crate) events: Cow<'a, [NewEvent<'a>]>,
    /// Their places in the report; none if no event was left out.
    places: Option<Vec<usize>>,
    /// The ids to remember with the events; none if no event to store has one.
    pub(crate) ids: Option<SentIds>,
}

impl<'a> Deduplicated<'a> {
    /// All events of a report, without ids to remember.
    pub(crate) fn whole(events: &'a [NewEvent<'a>]) -> Deduplicated<'a> {
        Deduplicated {
            events: Cow::Borrowed(events),
            places: None,
            ids: None,
        }
    }

    /// The place in the report of the event at `place` in `events`.
    pub(crate) fn place(&self, place: usize) -> usize {
        let places = self.places.as_ref();
        places
            .and_then(|places| places.get(place).copied())
            .unwrap_or(place)
    }
}

/// Leaves out events whose id this reporter has sent already: while it is remembered, or earlier in
/// the same report.
pub(crate) fn deduplicate<'a>(
    known: &KnownIds,
    reporter: Reporter,
    events: &'a [NewEvent<'a>],
    at: Timestamp,
) -> Deduplicated<'a> {
    if events.iter().all(|event| event.id.is_none()) {
        return Deduplicated::whole(events);
    }
    let (mut new, mut places, mut ids) = (Vec::new(), Vec::new(), Vec::new());
    let mut here = HashSet::new();
    let known = known.read();
    for (place, event) in events.iter().enumerate() {
        if let Some(id) = event.id {
            if !here.insert(id) || known.contains(reporter, id) {
                continue;
            }
            ids.push(id);
        }
        new.push(*event);
        places.push(place);
    }
    let day = at.day();
    Deduplicated {
        events: Cow::Owned(new),
        places: Some(places),
        ids: (!ids.is_empty()).then_some(SentIds { day, reporter, ids }),
    }
}
