//! The ids of events that were stored, so that an event which is sent again is not stored again. A small record an id, under
//! the UTC day of its arrival and its reporter, remembered for that day and the next one.
//!
//! A report is sifted where its request runs; the writer only looks once more, for a request that came between.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use sled::Tree;

use crate::model::{EventId, NewEvent, Timestamp};
use crate::store::sled::engine::keys::{Field, Key, SeenKey, prefix};
use crate::store::sled::engine::transaction::{Change, Read, View};
use crate::store::sled::events::format::columns::Reporter;
use crate::store::{Outcome, Swept};

/// Records of one sweep.
const SWEEP_RECORDS: usize = 512;

/// What of a report is new.
pub(crate) struct Sifted<'a> {
    /// The events that are to be stored.
    pub(crate) events: Cow<'a, [NewEvent<'a>]>,
    /// Where they stood in the report, if some were left out.
    places: Option<Vec<usize>>,
    /// The ids that are to be noted.
    pub(crate) keys: Vec<SeenKey>,
}

impl<'a> Sifted<'a> {
    /// A report that is new as a whole and has no ids.
    pub(crate) fn whole(events: &'a [NewEvent<'a>]) -> Sifted<'a> {
        Sifted {
            events: Cow::Borrowed(events),
            places: None,
            keys: Vec::new(),
        }
    }

    /// Where the event at this place stood in the report.
    pub(crate) fn place(&self, place: usize) -> usize {
        let places = self.places.as_ref();
        places
            .and_then(|places| places.get(place).copied())
            .unwrap_or(place)
    }
}

/// Leaves out what this reporter has sent already, today, yesterday or earlier in the same report.
pub(crate) fn sift<'a>(
    tree: &Tree,
    reporter: Reporter,
    events: &'a [NewEvent<'a>],
    at: Timestamp,
) -> Outcome<Sifted<'a>> {
    if events.iter().all(|event| event.id.is_none()) {
        return Ok(Sifted::whole(events));
    }
    let (mut new, mut places, mut keys) = (Vec::new(), Vec::new(), Vec::new());
    let mut here = HashSet::new();
    for (place, event) in events.iter().enumerate() {
        if let Some(id) = event.id {
            let key = key_of(id, reporter, at);
            if !here.insert(id) || is_known(tree, &key)? {
                continue;
            }
            keys.push(key);
        }
        new.push(*event);
        places.push(place);
    }
    Ok(Sifted {
        events: Cow::Owned(new),
        places: Some(places),
        keys,
    })
}

/// Notes that events with these ids are stored. False, and nothing is noted: one of them has been stored meanwhile.
pub(crate) fn note(view: &mut View<'_>, keys: &[SeenKey]) -> Outcome<bool> {
    for key in keys {
        if is_known(view, key)? {
            return Ok(false);
        }
    }
    for key in keys {
        view.put(key, &())?;
    }
    Ok(true)
}

/// Forgets some of the ids of the days before yesterday.
pub(crate) fn sweep(view: &mut View<'_>, now: Timestamp) -> Outcome<Swept> {
    let Range { start, end } = before(now.day().saturating_sub(1));
    let old = view.raw_range(&start, &end, SWEEP_RECORDS)?;
    for (key, _) in &old {
        view.change(key.clone(), Change::Remove);
    }
    Ok(Swept {
        removed: old.len(),
        more: old.len() == SWEEP_RECORDS,
    })
}

fn before(day: u32) -> Range<Vec<u8>> {
    vec![SeenKey::KIND]..prefix::<SeenKey>(|to| day.write(to))
}

fn key_of(id: EventId, reporter: Reporter, at: Timestamp) -> SeenKey {
    let (kind, number) = match reporter {
        Reporter::Admin => (0, 0),
        Reporter::Hub => (1, 0),
        Reporter::User(number) => (2, number.0),
    };
    SeenKey {
        day: at.day(),
        kind,
        number,
        id,
    }
}

fn is_known(from: &impl Read, key: &SeenKey) -> Outcome<bool> {
    let yesterday = SeenKey {
        day: key.day.saturating_sub(1),
        ..key.clone()
    };
    Ok(from.fetch(key)?.is_some() || from.fetch(&yesterday)?.is_some())
}
