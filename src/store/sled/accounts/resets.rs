//! Reset codes: at most one an account.

use crate::model::{Digest, ResetCode, Timestamp, UserId};
use crate::store::sled::accounts::expiry;
use crate::store::sled::accounts::users;
use crate::store::sled::engine::keys::{ResetKey, ResetOfKey, UserKey};
use crate::store::sled::engine::transaction::{Read, View};
use crate::store::{Outcome, Redeemed};

/// Makes `code` the only one of an account. False: there is no such account.
pub(crate) fn put(
    view: &mut View<'_>,
    user: UserId,
    code: Digest,
    expires_at: Timestamp,
) -> Outcome<bool> {
    let active = view
        .fetch(&UserKey { id: user })?
        .is_some_and(|user| !user.disabled);
    if !active {
        return Ok(false);
    }
    forget_of(view, user)?;
    let key = ResetKey { digest: code };
    view.put(&ResetOfKey { user }, &code)?;
    view.put(&key, &ResetCode { user, expires_at })?;
    expiry::note(view, expires_at, &key)?;
    Ok(true)
}

/// Whose code this is, if it is good at `now`.
pub(crate) fn find(from: &impl Read, code: Digest, now: Timestamp) -> Outcome<Option<UserId>> {
    let found = from.fetch(&ResetKey { digest: code })?;
    Ok(found.filter(|code| code.is_live(now)).map(|code| code.user))
}

/// Forgets the code of an account, if one is out.
pub(crate) fn forget_of(view: &mut View<'_>, user: UserId) -> Outcome<()> {
    let Some(digest) = view.fetch(&ResetOfKey { user })? else {
        return Ok(());
    };
    let key = ResetKey { digest };
    if let Some(code) = view.fetch(&key)? {
        expiry::cancel(view, code.expires_at, &key);
    }
    view.remove(&key);
    view.remove(&ResetOfKey { user });
    Ok(())
}

/// Uses a code up for a new password.
pub(crate) fn redeem(
    view: &mut View<'_>,
    code: Digest,
    password_hash: String,
    now: Timestamp,
) -> Outcome<Redeemed> {
    let Some(id) = find(view, code, now)? else {
        return Ok(Redeemed::Refused);
    };
    let user = view.fetch(&UserKey { id })?.filter(|user| !user.disabled);
    let Some(user) = user else {
        return Ok(Redeemed::Refused);
    };
    users::set_password(view, user, password_hash, now)?;
    Ok(Redeemed::Done(id))
}
