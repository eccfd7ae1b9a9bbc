//! What can be forgotten, and when: an index over everything that ends, and the sweep that follows it in small steps. Expiry is
//! always judged when a thing is used; the sweep only gives space back.

use super::super::{Outcome, Swept};
use super::keys::{BlockKey, ExpiryKey, Key, OnceKey, ResetKey, ResetOfKey, TokenKey, from_moment};
use super::view::{Change, Read, View};
use super::{counters, tokens};
use crate::model::{Retention, Timestamp, Token};

/// Records of one sweep: it must not hold up the requests that wait behind it.
const SWEEP_RECORDS: usize = 256;

/// Notes that what lies under `key` can be forgotten from `at` on.
pub(super) fn note<K: Key>(view: &mut View<'_>, at: Timestamp, key: &K) -> Outcome<()> {
    view.put(
        &ExpiryKey {
            at,
            target: key.bytes(),
        },
        &(),
    )
}

/// Takes such a note back.
pub(super) fn cancel<K: Key>(view: &mut View<'_>, at: Timestamp, key: &K) {
    view.remove(&ExpiryKey {
        at,
        target: key.bytes(),
    });
}

/// Removes some of what can be forgotten at `now`, and some of the events and counts older than `retention`.
pub(super) fn sweep(view: &mut View<'_>, now: Timestamp, retention: Retention) -> Outcome<Swept> {
    let due = from_moment::<ExpiryKey>(now);
    let expired = view.entries::<ExpiryKey>(&[ExpiryKey::KIND], &due, SWEEP_RECORDS)?;
    for (note, ()) in &expired {
        remove_expired(view, note)?;
    }
    let oldest_kept = from_moment::<BlockKey>(now.before(retention.events));
    let blocks = view.raw_range(&[BlockKey::KIND], &oldest_kept, SWEEP_RECORDS)?;
    for (key, _) in &blocks {
        view.change(key.clone(), Change::Remove);
    }
    let counts = counters::sweep(view, now.before(retention.counts).hour())?;
    Ok(Swept {
        removed: expired.len() + blocks.len() + counts.removed,
        more: expired.len() == SWEEP_RECORDS || blocks.len() == SWEEP_RECORDS || counts.more,
    })
}

fn remove_expired(view: &mut View<'_>, note: &ExpiryKey) -> Outcome<()> {
    view.remove(note);
    if let Some(key) = TokenKey::parse(&note.target) {
        let token: Option<Token> = view.fetch(&key)?;
        if let Some(token) = token {
            tokens::forget(view, key.digest, &token);
        }
    } else if let Some(key) = ResetKey::parse(&note.target) {
        if let Some(code) = view.fetch(&key)? {
            view.remove(&ResetOfKey { user: code.user });
        }
        view.remove(&key);
    } else if let Some(key) = OnceKey::parse(&note.target) {
        view.remove(&key);
    }
    Ok(())
}
