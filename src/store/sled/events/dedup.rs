//! Remembers the ids of stored events, so that an event that is sent again is not stored again.
//! Each id is a small record under the UTC day of its arrival and its reporter, and is remembered
//! for that day and the next one.
//!
//! The task of the request deduplicates the report. The writer checks the ids once more, because
//! another request may have stored some of them in between.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use crate::model::{EventId, NewEvent, Timestamp};
use crate::store::sled::engine::keys::{self, Field, Key, key, prefix};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::transaction::{Change, Transaction};
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::format::columns::Reporter;
use crate::store::{Result, Swept};

key! {
    /// An event that was stored: its day, its reporter, and the id that the reporter gave it.
    EventIdKey { day: u32, kind: u8, number: u32, id: EventId } EventId => ()
}

/// The largest number of records that one sweep removes.
const SWEEP_RECORDS: usize = 512;

/// The events of a report that are not stored yet.
pub(crate) struct Deduplicated<'a> {
    /// The events that are to be stored.
    pub(crate) events: Cow<'a, [NewEvent<'a>]>,
    /// Their places in the report; none if no event was left out.
    places: Option<Vec<usize>>,
    /// The ids to record with the events.
    pub(crate) keys: Vec<EventIdKey>,
}

impl<'a> Deduplicated<'a> {
    /// All events of a report, without ids to record.
    pub(crate) fn whole(events: &'a [NewEvent<'a>]) -> Deduplicated<'a> {
        Deduplicated {
            events: Cow::Borrowed(events),
            places: None,
            keys: Vec::new(),
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

/// Leaves out events whose id this reporter has sent already: today, yesterday or earlier in the
/// same report.
pub(crate) fn deduplicate<'a>(
    tree: &Tree,
    reporter: Reporter,
    events: &'a [NewEvent<'a>],
    at: Timestamp,
) -> Result<Deduplicated<'a>> {
    if events.iter().all(|event| event.id.is_none()) {
        return Ok(Deduplicated::whole(events));
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
    Ok(Deduplicated {
        events: Cow::Owned(new),
        places: Some(places),
        keys,
    })
}

/// Records that events with these ids are stored. False: another request has stored one of them
/// meanwhile, and nothing is recorded.
pub(crate) fn note(tx: &mut Transaction<'_>, keys: &[EventIdKey]) -> Result<bool> {
    for key in keys {
        if is_known(tx, key)? {
            return Ok(false);
        }
    }
    for key in keys {
        tx.put(key, &())?;
    }
    Ok(true)
}

/// Forgets some of the ids of the days before yesterday; `forgotten` gets the key of each.
pub(crate) fn sweep(
    tx: &mut Transaction<'_>,
    now: Timestamp,
    mut forgotten: impl FnMut(&EventIdKey) -> Result<()>,
) -> Result<Swept> {
    let Range { start, end } = before(now.day().saturating_sub(1));
    let old = tx.raw_range(&start, &end, SWEEP_RECORDS)?;
    for (key, _) in &old {
        tx.change(key.clone(), Change::Remove);
        if let Some(key) = EventIdKey::parse(key) {
            forgotten(&key)?;
        }
    }
    Ok(Swept {
        removed: old.len(),
        more: old.len() == SWEEP_RECORDS,
    })
}

fn before(day: u32) -> Range<Vec<u8>> {
    keys::first::<EventIdKey>()..prefix::<EventIdKey>(|to| day.write(to))
}

fn key_of(id: EventId, reporter: Reporter, at: Timestamp) -> EventIdKey {
    let (kind, number) = match reporter {
        Reporter::Admin => (0, 0),
        Reporter::Hub => (1, 0),
        Reporter::User(number) => (2, number.0),
    };
    EventIdKey {
        day: at.day(),
        kind,
        number,
        id,
    }
}

fn is_known(from: &impl Read, key: &EventIdKey) -> Result<bool> {
    let yesterday = EventIdKey {
        day: key.day.saturating_sub(1),
        ..key.clone()
    };
    Ok(from.fetch(key)?.is_some() || from.fetch(&yesterday)?.is_some())
}
