//! How much is remembered so that nothing is stored twice: ids of events and idempotency keys.
//! Neither is forgotten before its time, so there is a bound on both together. One reporter may
//! have a share of it only, so that a stranger cannot take the room of the others.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use crate::model::Principal;
use crate::store::Result;
use crate::store::sled::engine::keys::{self, Key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::events::dedup::EventIdKey;
use crate::store::sled::events::idempotency::IdempotencyKey;

/// Bytes of an event id in the database: its key, its record, its place in a page.
const ID_BYTES: u64 = 48;
/// Bytes of an idempotency record in the database, with its key and its expiry entry.
const PROMISE_BYTES: u64 = 208;
/// Ids of one reporter may take the whole bound divided by this, and so may the idempotency keys of
/// one holder. The administrator may use all of it.
const SHARE: u64 = 4;
/// Keys that are read at once to count them.
const COUNTED_AT_ONCE: usize = 1024;

/// The reporter of an id, as its key names it.
type ReporterKey = (u8, u32);

/// A change of what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remember {
    /// So many ids of a reporter on a day are stored.
    Ids(EventIdGroup, u64),
    /// An id is removed.
    ForgetId(EventIdGroup),
    /// An idempotency key of a holder is stored.
    Promise(Principal),
    /// One is removed.
    ForgetPromise(Principal),
}

/// The day and the reporter of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventIdGroup {
    day: u32,
    reporter: ReporterKey,
}

impl EventIdGroup {
    /// The group of an id.
    pub(crate) fn of(key: &EventIdKey) -> EventIdGroup {
        EventIdGroup {
            day: key.day,
            reporter: (key.kind, key.number),
        }
    }
}

/// The number of ids and idempotency keys, by those who sent them.
pub(crate) struct Remembered {
    ids: BTreeMap<u32, HashMap<ReporterKey, u64>>,
    promises: HashMap<Principal, u64>,
    bytes: u64,
    most_bytes: u64,
}

impl Remembered {
    /// Counts what is stored. At most `most_bytes` of the database may be taken.
    pub(crate) fn load(from: &impl Read, most_bytes: u64) -> Result<Remembered> {
        let mut remembered = Remembered {
            ids: BTreeMap::new(),
            promises: HashMap::new(),
            bytes: 0,
            most_bytes,
        };
        for_each_key(from, |key: EventIdKey| {
            remembered.apply(Remember::Ids(EventIdGroup::of(&key), 1));
        })?;
        for_each_key(from, |key: IdempotencyKey| {
            remembered.apply(Remember::Promise(key.holder));
        })?;
        Ok(remembered)
    }

    /// The bytes that all of it takes in the database.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is room for a change.
    pub(crate) fn has_room(&self, change: Remember) -> bool {
        let (more, own, is_admin) = match change {
            Remember::Ids(group, count) => {
                let days = self.ids.values();
                let own: u64 = days.filter_map(|day| day.get(&group.reporter)).sum();
                (count * ID_BYTES, own * ID_BYTES, group.reporter.0 == 0)
            }
            Remember::Promise(holder) => {
                let own = self.promises.get(&holder).copied().unwrap_or(0);
                (
                    PROMISE_BYTES,
                    own * PROMISE_BYTES,
                    holder == Principal::Admin,
                )
            }
            Remember::ForgetId(_) | Remember::ForgetPromise(_) => return true,
        };
        let has_share = is_admin || own + more <= self.most_bytes / SHARE;
        has_share && self.bytes + more <= self.most_bytes
    }

    /// Takes a change over.
    pub(crate) fn apply(&mut self, change: Remember) {
        match change {
            Remember::Ids(group, count) => {
                let day = self.ids.entry(group.day).or_default();
                *day.entry(group.reporter).or_default() += count;
                self.bytes += count * ID_BYTES;
            }
            Remember::Promise(holder) => {
                *self.promises.entry(holder).or_default() += 1;
                self.bytes += PROMISE_BYTES;
            }
            Remember::ForgetId(group) => {
                if let Some(day) = self.ids.get_mut(&group.day) {
                    take_one(day, &group.reporter);
                    if day.is_empty() {
                        self.ids.remove(&group.day);
                    }
                }
                self.bytes = self.bytes.saturating_sub(ID_BYTES);
            }
            Remember::ForgetPromise(holder) => {
                take_one(&mut self.promises, &holder);
                self.bytes = self.bytes.saturating_sub(PROMISE_BYTES);
            }
        }
    }
}

fn take_one<K: Hash + Eq>(counts: &mut HashMap<K, u64>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn for_each_key<K: Key>(from: &impl Read, mut see: impl FnMut(K)) -> Result<()> {
    let (mut start, end) = (keys::first::<K>(), keys::end::<K>());
    loop {
        let some = from.raw_range(&start, &end, COUNTED_AT_ONCE)?;
        let Some((last, _)) = some.last() else {
            return Ok(());
        };
        start = keys::after(last);
        some.iter()
            .filter_map(|(key, _)| K::parse(key))
            .for_each(&mut see);
    }
}
