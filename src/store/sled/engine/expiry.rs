//! The index of the times from which records can be removed, and the sweep that removes them in
//! small steps. Each use of a record checks whether it has expired; the sweep only reclaims space.

use crate::model::Timestamp;
use crate::store::sled::engine::keys::{self, Key, key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::transaction::{Change, Transaction};
use crate::store::{Result, Swept};

/// Records of one sweep: it must not delay the requests that wait behind it.
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

/// Removes such a note.
pub(crate) fn cancel<K: Key>(tx: &mut Transaction<'_>, at: Timestamp, key: &K) {
    let target = key.bytes();
    tx.remove(&ExpiryKey { at, target });
}

/// Removes a bounded number of the notes that were due before `now`, and calls `remove` with the
/// key of each record. A damaged record stays in the database, where it is refused, and does not
/// stop the sweep. Its note is removed all the same: every later sweep would read it again, and in
/// the end nothing but such notes.
pub(crate) fn sweep(
    tx: &mut Transaction<'_>,
    now: Timestamp,
    mut remove: impl FnMut(&mut Transaction<'_>, &[u8]) -> Result<()>,
) -> Result<Swept> {
    let due = keys::from_moment::<ExpiryKey>(now);
    let notes = tx.raw_range(&keys::first::<ExpiryKey>(), &due, SWEEP_RECORDS)?;
    for (key, _) in &notes {
        tx.change(key.clone(), Change::Remove);
        // The key holds all that a note says.
        let Some(note) = ExpiryKey::parse(key) else {
            continue;
        };
        let removed = remove(tx, &note.target);
        tx.skip_damaged(removed)?;
    }
    Ok(Swept {
        removed: notes.len(),
        more: notes.len() == SWEEP_RECORDS,
    })
}
