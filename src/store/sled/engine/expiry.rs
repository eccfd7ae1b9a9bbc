//! When a record can be removed: an index over everything that ends, and the sweep that follows it
//! in small steps. Expiry is judged each time a record is used; the sweep only reclaims space.

use crate::model::Timestamp;
use crate::store::sled::engine::keys::{self, Key, key};
use crate::store::sled::engine::transaction::{Change, Read, Transaction};
use crate::store::{Error, Result, Swept};

/// Records of one sweep: it must not hold up the requests that wait behind it.
const SWEEP_RECORDS: usize = 256;

key! {
    /// A record that can be removed from this moment on, by its key.
    ExpiryKey { at: Timestamp, target: Vec<u8> } Expiry => ()
}

/// Notes that the record under `key` can be removed from `at` on.
pub(crate) fn note<K: Key>(tx: &mut Transaction<'_>, at: Timestamp, key: &K) -> Result<()> {
    let target = key.bytes();
    tx.put(&ExpiryKey { at, target }, &())
}

/// Takes back such a note.
pub(crate) fn cancel<K: Key>(tx: &mut Transaction<'_>, at: Timestamp, key: &K) {
    let target = key.bytes();
    tx.remove(&ExpiryKey { at, target });
}

/// Follows the notes that are due at `now`, a bounded number of them: `remove` gets the key of each
/// record. A damaged record stays where it is and does not keep the others.
pub(crate) fn sweep(
    tx: &mut Transaction<'_>,
    now: Timestamp,
    mut remove: impl FnMut(&mut Transaction<'_>, &[u8]) -> Result<()>,
) -> Result<Swept> {
    let due = keys::from_moment::<ExpiryKey>(now);
    let notes = tx.raw_range(&keys::first::<ExpiryKey>(), &due, SWEEP_RECORDS)?;
    for (key, _) in &notes {
        tx.change(key.clone(), Change::Remove);
        // All that a note says is in its key.
        let Some(note) = ExpiryKey::parse(key) else {
            continue;
        };
        match remove(tx, &note.target) {
            Err(Error::Corrupt(what)) => log::error!("an expired record is damaged: {what}"),
            removed => removed?,
        }
    }
    Ok(Swept {
        removed: notes.len(),
        more: notes.len() == SWEEP_RECORDS,
    })
}
