//! Reset codes: at most one for each account.

use crate::model::{Digest, End, EndReason, Principal, ResetCode, Timestamp, UserId};
use crate::store::Result;
use crate::store::sled::accounts::ended;
use crate::store::sled::engine::expiry;
use crate::store::sled::engine::keys::{Key, key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::Transaction;

key! {
    /// A reset code.
    ResetKey { digest: Digest } Reset => ResetCode
}
key! {
    /// The one reset code of an account.
    ResetOfKey { user: UserId } ResetOfUser => Digest
}

postcard_records!(ResetCode);

/// Makes `code` the only reset code of an account. The caller has checked that the account is
/// active.
pub(crate) fn put(
    tx: &mut Transaction<'_>,
    user: UserId,
    code: Digest,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<()> {
    remove_of(tx, user, &End::by_server(now, EndReason::Replaced))?;
    let key = ResetKey { digest: code };
    tx.put(&ResetOfKey { user }, &code)?;
    tx.put(&key, &ResetCode { user, expires_at })?;
    expiry::note(tx, expires_at, &key)
}

/// The account of a code, if the code is live at `now`.
pub(crate) fn find(from: &impl Read, code: Digest, now: Timestamp) -> Result<Option<UserId>> {
    let found = from.fetch(&ResetKey { digest: code })?;
    Ok(found.filter(|code| code.is_live(now)).map(|code| code.user))
}

/// Removes the code of an account, if it has one, and remembers how it ended.
pub(crate) fn remove_of(tx: &mut Transaction<'_>, user: UserId, end: &End) -> Result<()> {
    let Some(digest) = tx.fetch(&ResetOfKey { user })? else {
        return Ok(());
    };
    let key = ResetKey { digest };
    if let Some(code) = tx.fetch_readable(&key)? {
        expiry::cancel(tx, code.expires_at, &key);
        let ended = end.of_code(Principal::User(user), code.expires_at);
        ended::remember(tx, digest, &ended)?;
    }
    tx.remove(&key);
    tx.remove(&ResetOfKey { user });
    Ok(())
}

/// Removes the expired code under this key, and remembers it if `remember` says so. False: the key
/// is not a reset code's.
pub(crate) fn remove_expired(tx: &mut Transaction<'_>, key: &[u8], remember: bool) -> Result<bool> {
    let Some(key) = ResetKey::parse(key) else {
        return Ok(false);
    };
    if let Some(code) = tx.fetch(&key)? {
        tx.remove(&ResetOfKey { user: code.user });
        if remember {
            let end = End::by_server(code.expires_at, EndReason::Expired);
            let ended = end.of_code(Principal::User(code.user), code.expires_at);
            ended::remember(tx, key.digest, &ended)?;
        }
    }
    tx.remove(&key);
    Ok(true)
}
