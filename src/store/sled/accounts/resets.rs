//! Reset codes: at most one an account.

use crate::model::{Digest, ResetCode, Timestamp, UserId};
use crate::store::sled::accounts::expiry;
use crate::store::sled::accounts::users;
use crate::store::sled::engine::keys::{ResetKey, ResetOfKey, UserKey};
use crate::store::sled::engine::transaction::{Read, Transaction};
use crate::store::{Redeemed, Result};

/// Makes `code` the only one of an account. False: there is no such account.
pub(crate) fn put(
    tx: &mut Transaction<'_>,
    user: UserId,
    code: Digest,
    expires_at: Timestamp,
) -> Result<bool> {
    let active = tx
        .fetch(&UserKey { id: user })?
        .is_some_and(|user| !user.disabled);
    if !active {
        return Ok(false);
    }
    forget_of(tx, user)?;
    let key = ResetKey { digest: code };
    tx.put(&ResetOfKey { user }, &code)?;
    tx.put(&key, &ResetCode { user, expires_at })?;
    expiry::note(tx, expires_at, &key)?;
    Ok(true)
}

/// Whose code this is, if it is good at `now`.
pub(crate) fn find(from: &impl Read, code: Digest, now: Timestamp) -> Result<Option<UserId>> {
    let found = from.fetch(&ResetKey { digest: code })?;
    Ok(found.filter(|code| code.is_live(now)).map(|code| code.user))
}

/// Forgets the code of an account, if one is out.
pub(crate) fn forget_of(tx: &mut Transaction<'_>, user: UserId) -> Result<()> {
    let Some(digest) = tx.fetch(&ResetOfKey { user })? else {
        return Ok(());
    };
    let key = ResetKey { digest };
    if let Some(code) = tx.fetch(&key)? {
        expiry::cancel(tx, code.expires_at, &key);
    }
    tx.remove(&key);
    tx.remove(&ResetOfKey { user });
    Ok(())
}

/// Uses a code up for a new password.
pub(crate) fn redeem(
    tx: &mut Transaction<'_>,
    code: Digest,
    password_hash: String,
    now: Timestamp,
) -> Result<Redeemed> {
    let Some(id) = find(tx, code, now)? else {
        return Ok(Redeemed::Refused);
    };
    let user = tx.fetch(&UserKey { id })?.filter(|user| !user.disabled);
    let Some(user) = user else {
        return Ok(Redeemed::Refused);
    };
    users::set_password(tx, user, password_hash, now)?;
    Ok(Redeemed::Done(id))
}
