//! What is stored of events in all, and the bound on what is remembered beside them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::store::Result;
use crate::store::sled::engine::keys::{self, MetaKey, meta};
use crate::store::sled::engine::record::Record;
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::{Read, entry_bytes};
use crate::store::sled::events::dedup::EventIdKey;
use crate::store::sled::events::idempotency::IdempotencyKey;

/// The totals on the disk.
pub(crate) const TOTALS: MetaKey<Totals> = meta(MetaSlot::EventTotals);
/// Bytes of an event id in the database: its key, its record, its place in a page.
pub(crate) const ID_BYTES: u64 = 48;
/// Bytes of an idempotency record in the database, with its key and its expiry entry.
pub(crate) const PROMISE_BYTES: u64 = 208;
/// Records that are read at once to count them.
const COUNTED_AT_ONCE: usize = 1024;

/// Totals of the stored events, written with every group that changes them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// Events that were ever stored, erased ones included.
    pub(crate) events: u64,
    /// Bytes that the blocks take, with their keys.
    pub(crate) bytes: u64,
    /// The largest time, in milliseconds, by which the moment of a block was ever ahead of one of
    /// its events, because the clock was set back or the event waited for its block.
    pub(crate) ahead_millis: u64,
    /// The ids and idempotency keys that are remembered; none where they were never counted.
    remembered: Option<Remembered>,
}

/// How many ids of events and idempotency keys are remembered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub(crate) ids: u64,
    pub(crate) promises: u64,
}

impl Record for Totals {
    const VERSION: u8 = 2;

    fn to_body(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    fn from_body(body: &[u8]) -> Result<Totals, postcard::Error> {
        postcard::from_bytes(body)
    }

    /// Version 1 had the first three fields.
    fn from_earlier(version: u8, body: &[u8]) -> Option<Result<Totals, postcard::Error>> {
        let totals = |(events, bytes, ahead_millis)| Totals {
            events,
            bytes,
            ahead_millis,
            remembered: None,
        };
        (version == 1).then(|| postcard::from_bytes(body).map(totals))
    }
}

impl Totals {
    /// The totals on the disk.
    pub(crate) fn stored(from: &impl Read) -> Result<Totals> {
        Ok(from.fetch(&TOTALS)?.unwrap_or_default())
    }

    /// The totals on the disk, with what is remembered counted.
    pub(crate) fn counted(from: &impl Read) -> Result<Totals> {
        let totals = Totals::stored(from)?;
        let remembered = match totals.remembered {
            Some(remembered) => remembered,
            None => Remembered {
                ids: count::<EventIdKey>(from)?,
                promises: count::<IdempotencyKey>(from)?,
            },
        };
        Ok(Totals {
            remembered: Some(remembered),
            ..totals
        })
    }

    /// How far the moment of a block may be ahead of those of its events.
    pub(crate) fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_millis)
    }

    /// How many ids and idempotency keys are remembered.
    pub(crate) fn remembered(&self) -> Remembered {
        self.remembered.unwrap_or_default()
    }

    /// Adds to what is remembered; a number below zero takes away.
    pub(crate) fn remember(&mut self, ids: i64, promises: i64) {
        let Remembered {
            ids: all_ids,
            promises: all_promises,
        } = self.remembered();
        self.remembered = Some(Remembered {
            ids: all_ids.saturating_add_signed(ids),
            promises: all_promises.saturating_add_signed(promises),
        });
    }
}

impl Remembered {
    /// The bytes that they take in the database.
    pub(crate) fn bytes(self) -> u64 {
        self.ids * ID_BYTES + self.promises * PROMISE_BYTES
    }
}

/// The size of the totals in the log at most, in bytes.
pub(crate) fn totals_bytes() -> u64 {
    entry_bytes(&[0; 2], &[0; 5 + 6 * 10])
}

fn count<K: keys::Key>(from: &impl Read) -> Result<u64> {
    let (mut start, end, mut all) = (keys::first::<K>(), keys::end::<K>(), 0);
    loop {
        let some = from.raw_range(&start, &end, COUNTED_AT_ONCE)?;
        all += some.len() as u64;
        match some.last() {
            Some((last, _)) => start = keys::after(last),
            None => return Ok(all),
        }
    }
}
