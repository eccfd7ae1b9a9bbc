//! What can be forgotten, and when: an index over everything that ends, and the sweep that follows it in small steps. Expiry is
//! always judged when a thing is used; the sweep only gives space back.

use crate::model::{Retention, Timestamp, Token};
use crate::store::sled::accounts::tokens;
use crate::store::sled::engine::keys::{
    BlockKey, ExpiryKey, IdempotencyKey, Key, ResetKey, ResetOfKey, TokenKey, from_moment,
};
use crate::store::sled::engine::record;
use crate::store::sled::engine::transaction::{Change, Read, Transaction, after_prefix};
use crate::store::sled::events::counts::counters;
use crate::store::sled::events::format::block_stats::BlockStats;
use crate::store::{Error, Result, Swept};

/// Records of one sweep: it must not hold up the requests that wait behind it.
const SWEEP_RECORDS: usize = 256;

/// Merged blocks that one sweep looks at.
const SWEEP_BLOCKS: usize = 32;

/// Notes that what lies under `key` can be forgotten from `at` on.
pub(crate) fn note<K: Key>(tx: &mut Transaction<'_>, at: Timestamp, key: &K) -> Result<()> {
    tx.put(
        &ExpiryKey {
            at,
            target: key.bytes(),
        },
        &(),
    )
}

/// Takes such a note back.
pub(crate) fn cancel<K: Key>(tx: &mut Transaction<'_>, at: Timestamp, key: &K) {
    tx.remove(&ExpiryKey {
        at,
        target: key.bytes(),
    });
}

/// Removes some of what can be forgotten at `now`, and some of the events that are too old or too many.
pub(crate) fn sweep(tx: &mut Transaction<'_>, now: Timestamp, keep: &Retention) -> Result<Swept> {
    let due = from_moment::<ExpiryKey>(now);
    let expired = tx.raw_range(&[ExpiryKey::KIND], &due, SWEEP_RECORDS)?;
    for (key, _) in &expired {
        tx.change(key.clone(), Change::Remove);
        // A note is all in its key. What is damaged must not keep the rest: it stays where it is, and nothing finds it good.
        match ExpiryKey::parse(key).map_or(Ok(()), |note| remove_expired(tx, &note)) {
            Err(Error::Corrupt(what)) => log::error!("what has expired is damaged: {what}"),
            removed => removed?,
        }
    }
    let blocks = sweep_events(tx, now, keep)?;
    let counts = counters::sweep(tx, now.before(keep.counts).hour())?;
    Ok(Swept {
        removed: expired.len() + blocks + counts.removed,
        more: expired.len() == SWEEP_RECORDS || blocks > 0 || counts.more,
    })
}

/// Removes some of the merged blocks whose events are all too old, and the oldest ones while all together are too large.
/// Loose blocks are merged first: within two hours of their arrival at the latest.
fn sweep_events(tx: &mut Transaction<'_>, now: Timestamp, keep: &Retention) -> Result<usize> {
    let oldest = now.before(keep.events);
    let end = after_prefix(&[BlockKey::KIND]);
    let entries = tx.raw_range(&[BlockKey::KIND], &end, SWEEP_BLOCKS)?;
    let mut removed = 0;
    for (key, stored) in entries {
        let Some(key) = BlockKey::parse(&key) else {
            continue;
        };
        // What cannot be read is as old as its key says.
        let (latest, bytes) = match record::open(&key.bytes(), &stored) {
            Ok(BlockStats::Events { latest, bytes, .. }) => (latest, u64::from(bytes)),
            Ok(BlockStats::Damaged) | Err(_) => (key.at, 0),
        };
        let totals = tx.events.totals;
        if latest >= oldest && totals.bytes <= keep.max_bytes {
            continue;
        }
        let parts = tx.raw_range(&key.part(0).bytes(), &key.behind(), usize::MAX)?;
        for (part, _) in parts {
            tx.change(part, Change::Remove);
        }
        tx.remove(&key);
        tx.events.totals.bytes = totals.bytes.saturating_sub(bytes);
        removed += 1;
    }
    Ok(removed)
}

fn remove_expired(tx: &mut Transaction<'_>, note: &ExpiryKey) -> Result<()> {
    if let Some(key) = TokenKey::parse(&note.target) {
        let token: Option<Token> = tx.fetch(&key)?;
        if let Some(token) = token {
            tokens::forget(tx, key.digest, &token);
        }
    } else if let Some(key) = ResetKey::parse(&note.target) {
        if let Some(code) = tx.fetch(&key)? {
            tx.remove(&ResetOfKey { user: code.user });
        }
        tx.remove(&key);
    } else if let Some(key) = IdempotencyKey::parse(&note.target) {
        tx.remove(&key);
    }
    Ok(())
}
