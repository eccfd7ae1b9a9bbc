//! Remembers which idempotency keys a holder has used and for which requests, so that a repeated
//! request is stored once.

use serde::{Deserialize, Serialize};

use crate::model::{Digest, Idempotency, Principal, Timestamp, limits};
use crate::store::sled::engine::expiry;
use crate::store::sled::engine::keys::{Key, key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::{Appended, Result};

key! {
    /// An idempotency key that a holder has used.
    IdempotencyKey { holder: Principal, key: Digest } Idempotency => IdempotencyRecord
}

/// The request that a key was used for: the digest of its body, its number of events, and the end
/// of the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdempotencyRecord {
    body: Digest,
    events: u32,
    expires_at: Timestamp,
}

postcard_records!(IdempotencyRecord);

fn key_of(holder: Principal, promise: Idempotency) -> IdempotencyKey {
    let key = promise.key;
    IdempotencyKey { holder, key }
}

/// The answer to a request whose key was used before; none if the key is new or its record has
/// expired.
pub(crate) fn find_answer(
    from: &impl Read,
    holder: Principal,
    promise: Idempotency,
    at: Timestamp,
) -> Result<Option<Appended>> {
    let used = from.fetch(&key_of(holder, promise))?;
    Ok(used.filter(|used| at < used.expires_at).map(|used| {
        if used.body == promise.body {
            Appended::Replayed(used.events as usize)
        } else {
            Appended::KeyReused
        }
    }))
}

/// Records that a key is used for a request with so many events. The caller has checked with
/// [`find_answer`] that the key is new or its record has expired. True: it is new.
pub(crate) fn record(
    tx: &mut Transaction<'_>,
    holder: Principal,
    promise: Idempotency,
    events: usize,
    at: Timestamp,
) -> Result<bool> {
    let key = key_of(holder, promise);
    let expired = tx.fetch(&key)?;
    if let Some(expired) = &expired {
        expiry::cancel(tx, expired.expires_at, &key);
    }
    let expires_at = at.after(limits::IDEMPOTENCY_LIFETIME);
    let record = IdempotencyRecord {
        body: promise.body,
        events: u32::try_from(events).unwrap_or(u32::MAX),
        expires_at,
    };
    tx.put(&key, &record)?;
    expiry::note(tx, expires_at, &key)?;
    Ok(expired.is_none())
}

/// Removes the expired record under this key. Returns whose it was; none if the key is not an
/// idempotency record's, or there is none.
pub(crate) fn remove_expired(tx: &mut Transaction<'_>, key: &[u8]) -> Result<Option<Principal>> {
    let Some(parsed) = IdempotencyKey::parse(key) else {
        return Ok(None);
    };
    let is_there = tx.raw(key)?.is_some();
    tx.remove(&parsed);
    Ok(is_there.then_some(parsed.holder))
}
