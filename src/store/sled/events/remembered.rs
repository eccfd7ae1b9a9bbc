//! How much is remembered so that nothing is stored twice: ids of events and idempotency keys.
//! Neither is forgotten before its time, so there is a bound on both together. One reporter may
//! have a share of it only, so that a stranger cannot take the room of the others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::Principal;
use crate::store::Result;
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::transaction::GroupEntries;
use crate::store::sled::events::format::columns::Reporter;
use crate::store::sled::events::id_rows::{self, IdPacker};
use crate::store::sled::events::idempotency::IdempotencyKey;
use crate::store::sled::events::known_ids::{KnownIds, SentIds};

/// Bytes that an event id is charged. In the database it takes 17 to 34, in memory 25 to 57: a hash
/// set may be half empty, and while it grows it is there twice.
const ID_BYTES: u64 = 48;
/// Bytes of an idempotency record in the database, with its key and its expiry entry.
const PROMISE_BYTES: u64 = 208;
/// Ids of one reporter may take the whole bound divided by this, and so may the idempotency keys of
/// one holder. The administrator may use all of it.
const SHARE: u64 = 4;

/// A change of what is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Remember {
    /// Events with these ids are stored.
    Ids(SentIds),
    /// The ids of the days before this one are removed.
    ForgetIdsBefore(u32),
    /// An idempotency key of a holder is stored.
    Promise(Principal),
    /// One is removed.
    ForgetPromise(Principal),
}

impl Remember {
    /// The size in the log of what the change adds to the group, in bytes, at most. Idempotency
    /// keys are part of the transaction.
    pub(crate) fn log_bytes(&self) -> u64 {
        match self {
            Remember::Ids(sent) => id_rows::log_bytes(sent.ids.len()),
            Remember::ForgetIdsBefore(_) | Remember::Promise(_) | Remember::ForgetPromise(_) => 0,
        }
    }
}

/// The ids and idempotency keys that are remembered, and how many of them each has sent.
pub(crate) struct Remembered {
    known_ids: Arc<KnownIds>,
    packer: IdPacker,
    /// How many ids each reporter sent, by day.
    ids: BTreeMap<u32, HashMap<Reporter, u64>>,
    promises: HashMap<Principal, u64>,
    bytes: u64,
    most_bytes: u64,
}

impl Remembered {
    /// Reads what is stored. At most `most_bytes` of the database may be taken.
    pub(crate) fn load(from: &impl Read, most_bytes: u64) -> Result<Remembered> {
        let mut remembered = Remembered {
            known_ids: Arc::default(),
            packer: IdPacker::default(),
            ids: BTreeMap::new(),
            promises: HashMap::new(),
            bytes: 0,
            most_bytes,
        };
        id_rows::for_each(from, |sent| remembered.learn(&sent))?;
        from.visit_keys(|key: IdempotencyKey| {
            remembered.apply(Remember::Promise(key.holder));
        })?;
        Ok(remembered)
    }

    /// The ids of stored events.
    pub(crate) fn known_ids(&self) -> &Arc<KnownIds> {
        &self.known_ids
    }

    /// The bytes that all of it is charged.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether there is room for a change.
    pub(crate) fn has_room(&self, change: &Remember) -> bool {
        let (more, own, is_admin) = match change {
            Remember::Ids(sent) => {
                let days = self.ids.values();
                let own: u64 = days.filter_map(|day| day.get(&sent.reporter)).sum();
                let more = sent.ids.len() as u64;
                let is_admin = sent.reporter == Reporter::Admin;
                (more * ID_BYTES, own * ID_BYTES, is_admin)
            }
            Remember::Promise(holder) => {
                let own = self.promises.get(holder).copied().unwrap_or(0);
                (
                    PROMISE_BYTES,
                    own * PROMISE_BYTES,
                    *holder == Principal::Admin,
                )
            }
            Remember::ForgetIdsBefore(_) | Remember::ForgetPromise(_) => return true,
        };
        let has_share = is_admin || own + more <= self.most_bytes / SHARE;
        has_share && self.bytes + more <= self.most_bytes
    }

    /// Takes a change over.
    pub(crate) fn apply(&mut self, change: Remember) {
        match change {
            Remember::Ids(sent) => {
                self.learn(&sent);
                self.packer.add(sent);
            }
            Remember::ForgetIdsBefore(day) => self.forget_before(day),
            Remember::Promise(holder) => {
                *self.promises.entry(holder).or_default() += 1;
                self.bytes += PROMISE_BYTES;
            }
            Remember::ForgetPromise(holder) => {
                if let Some(count) = self.promises.get_mut(&holder) {
                    *count -= 1;
                    if *count == 0 {
                        self.promises.remove(&holder);
                    }
                }
                self.bytes = self.bytes.saturating_sub(PROMISE_BYTES);
            }
        }
    }

    /// Whether the current group has nothing to add to the database.
    pub(crate) fn is_idle(&self) -> bool {
        self.packer.is_empty()
    }

    /// Adds the ids of the group with this sequence number to its entries.
    pub(crate) fn pack(&mut self, sequence: u64, entries: &mut GroupEntries) -> Result<()> {
        self.packer.pack(sequence, entries)
    }

    /// Counts ids that are stored.
    fn learn(&mut self, sent: &SentIds) {
        let count = sent.ids.len() as u64;
        let day = self.ids.entry(sent.day).or_default();
        *day.entry(sent.reporter).or_default() += count;
        self.bytes += count * ID_BYTES;
        self.known_ids.add(sent);
    }

    fn forget_before(&mut self, day: u32) {
        let kept = self.ids.split_off(&day);
        let forgotten = std::mem::replace(&mut self.ids, kept);
        let count: u64 = forgotten.values().flat_map(HashMap::values).sum();
        self.bytes = self.bytes.saturating_sub(count * ID_BYTES);
        self.packer.forget_before(day);
        self.known_ids.forget_before(day);
    }
}
