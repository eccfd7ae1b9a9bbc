//! Tokens: the record under its digest, the list of what a holder has, and the day it can be forgotten. A token that was
//! exchanged is shown in no list any more but stays with its family, so that its reuse is noticed and a logout ends it too.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{
    Digest, NewToken, Principal, Retired, Timestamp, Token, TokenId, TokenKind, TokenStatus, limits,
};
use crate::store::sled::accounts::expiry;
use crate::store::sled::engine::keys::{EpochKey, HeldKey, TokenKey, UserKey, family_of, held_by};
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::{Read, Transaction};
use crate::store::{Refreshed, Result};

/// The epoch of the administrator or the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// Tokens of another epoch are dead.
    pub(crate) epoch: u32,
    /// What the configured password looked like at the last start.
    pub(crate) fingerprint: String,
}

postcard_records!(Epoch);

/// The epoch of a holder; none when it is an account that is gone or disabled.
pub(crate) fn epoch_of(from: &impl Read, holder: Principal) -> Result<Option<u32>> {
    match holder {
        Principal::User(id) => {
            let user = from.fetch(&UserKey { id })?;
            Ok(user.filter(|user| !user.disabled).map(|user| user.epoch))
        }
        Principal::Admin | Principal::Hub => Ok(Some(
            from.fetch(&EpochKey { holder })?.map_or(0, |it| it.epoch),
        )),
    }
}

/// Notes a fingerprint; another one than the last raises the epoch.
pub(crate) fn reconcile(
    tx: &mut Transaction<'_>,
    holder: Principal,
    fingerprint: String,
) -> Result<u32> {
    let key = EpochKey { holder };
    let epoch = match tx.fetch(&key)? {
        Some(known) if known.fingerprint == fingerprint => return Ok(known.epoch),
        Some(known) => known.epoch + 1,
        None => 0,
    };
    tx.put(&key, &Epoch { epoch, fingerprint })?;
    Ok(epoch)
}

/// The live tokens of a holder with their digests.
pub(crate) fn live(
    from: &impl Read,
    holder: Principal,
    now: Timestamp,
) -> Result<Vec<(Digest, Token)>> {
    let epoch = epoch_of(from, holder)?;
    let mut live = Vec::new();
    for (_, digest) in from.under::<HeldKey>(&held_by(holder))? {
        let token = from.fetch(&TokenKey { digest })?;
        let counts =
            |it: &Token| it.retired.is_none() && it.status(epoch, now) == TokenStatus::Live;
        live.extend(token.filter(counts).map(|it| (digest, it)));
    }
    Ok(live)
}

/// Issues a token unless its epoch has passed.
pub(crate) fn issue(
    tx: &mut Transaction<'_>,
    new: &NewToken,
    per_user: usize,
    now: Timestamp,
) -> Result<bool> {
    if epoch_of(tx, new.token.holder)? != Some(new.token.epoch) {
        return Ok(false);
    }
    if matches!(new.token.holder, Principal::User(_)) {
        make_room(tx, new.token.holder, per_user, now)?;
    }
    insert(tx, new.digest, &new.token)?;
    Ok(true)
}

/// Ends the least recently used tokens of a user until one more may come, and forgets what is dead.
fn make_room(
    tx: &mut Transaction<'_>,
    holder: Principal,
    per_user: usize,
    now: Timestamp,
) -> Result<()> {
    let held = tx.under::<HeldKey>(&held_by(holder))?;
    if held.len() < per_user {
        return Ok(());
    }
    let epoch = epoch_of(tx, holder)?;
    let mut live = Vec::new();
    for (key, digest) in held {
        match tx.fetch(&TokenKey { digest })? {
            // An exchanged token takes no room; it stays so that its reuse is noticed.
            Some(token) if token.retired.is_some() && epoch == Some(token.epoch) => {}
            Some(token) if token.status(epoch, now) == TokenStatus::Live => {
                live.push((digest, token));
            }
            // An expired access token can still be refreshed: it takes no room and stays.
            Some(token)
                if token.status(epoch, now) == TokenStatus::Expired
                    && now < token.refreshable_until => {}
            Some(token) => forget(tx, digest, &token),
            None => tx.remove(&key),
        }
    }
    live.sort_by_key(|(_, token)| (token.last_used_at, token.issued_at));
    let surplus = (live.len() + 1).saturating_sub(per_user);
    for (digest, token) in live.into_iter().take(surplus) {
        forget(tx, digest, &token);
    }
    Ok(())
}

/// Writes a token with its place in the lists.
pub(crate) fn insert(tx: &mut Transaction<'_>, digest: Digest, token: &Token) -> Result<()> {
    tx.put(&held_key(token), &digest)?;
    tx.put(&TokenKey { digest }, token)?;
    expiry::note(tx, token.forgettable_at(), &TokenKey { digest })
}

/// Removes a token and its places in the lists.
pub(crate) fn forget(tx: &mut Transaction<'_>, digest: Digest, token: &Token) {
    tx.remove(&TokenKey { digest });
    tx.remove(&held_key(token));
    expiry::cancel(tx, token.forgettable_at(), &TokenKey { digest });
}

fn held_key(token: &Token) -> HeldKey {
    HeldKey {
        holder: token.holder,
        family: token.family,
        id: token.id,
    }
}

/// Ends a live token with its renewal code and issues another.
pub(crate) fn renew(
    tx: &mut Transaction<'_>,
    old: Digest,
    renewal: Digest,
    mut new: NewToken,
    now: Timestamp,
) -> Result<Option<Token>> {
    let Some(token) = tx.fetch(&TokenKey { digest: old })? else {
        return Ok(None);
    };
    let epoch = epoch_of(tx, token.holder)?;
    if token.status(epoch, now) != TokenStatus::Live || token.renewal != Some(renewal) {
        return Ok(None);
    }
    new.token
        .client
        .user_agent
        .clone_from(&token.client.user_agent);
    new.token = Token {
        epoch: token.epoch,
        holder: token.holder,
        ..new.token
    };
    forget(tx, old, &token);
    insert(tx, new.digest, &new.token)?;
    Ok(Some(new.token))
}

/// Exchanges an access token. `Reused` ends the family in the same step.
pub(crate) fn refresh(
    tx: &mut Transaction<'_>,
    old: Digest,
    mut new: NewToken,
    now: Timestamp,
) -> Result<Refreshed> {
    let key = TokenKey { digest: old };
    let Some(mut token) = tx.fetch(&key)? else {
        return Ok(Refreshed::Refused);
    };
    if token.kind != TokenKind::Access || epoch_of(tx, token.holder)? != Some(token.epoch) {
        return Ok(Refreshed::Refused);
    }
    if let Some(retired) = token.retired {
        if now < retired.at.after(limits::REFRESH_GRACE) {
            let successor = tx.fetch(&TokenKey {
                digest: retired.successor,
            })?;
            return Ok(successor.map_or(Refreshed::Refused, |it| Refreshed::Again(Box::new(it))));
        }
        end_family_of(tx, &token)?;
        return Ok(Refreshed::Reused(Box::new(token)));
    }
    if now >= token.refreshable_until {
        return Ok(Refreshed::Refused);
    }
    new.token = Token {
        family: token.family,
        epoch: token.epoch,
        holder: token.holder,
        ..new.token
    };
    token.retired = Some(Retired {
        at: now,
        successor: new.digest,
    });
    tx.put(&key, &token)?;
    forget_long_retired(tx, &token)?;
    insert(tx, new.digest, &new.token)?;
    Ok(Refreshed::Done(Box::new(new.token)))
}

/// Keeps the exchanged tokens of a family within their bound: the oldest are forgotten, and are strangers from then on.
fn forget_long_retired(tx: &mut Transaction<'_>, member: &Token) -> Result<()> {
    let mut retired = Vec::new();
    for (_, digest) in tx.under::<HeldKey>(&family_of(member))? {
        let token = tx.fetch(&TokenKey { digest })?;
        retired.extend(
            token
                .filter(|it| it.retired.is_some())
                .map(|it| (digest, it)),
        );
    }
    retired.sort_by_key(|(_, token)| token.retired.map(|retired| retired.at));
    let surplus = retired.len().saturating_sub(limits::RETIRED_PER_FAMILY);
    for (digest, token) in retired.into_iter().take(surplus) {
        forget(tx, digest, &token);
    }
    Ok(())
}

/// Writes a use down, unless the token has ended or another use was faster.
pub(crate) fn touch(
    tx: &mut Transaction<'_>,
    digest: Digest,
    idle: Duration,
    now: Timestamp,
) -> Result<()> {
    let key = TokenKey { digest };
    let Some(token) = tx.fetch(&key)? else {
        return Ok(());
    };
    if token.retired.is_some() || !token.is_worth_touching(now) {
        return Ok(());
    }
    let touched = token.touched(now, idle);
    expiry::cancel(tx, token.forgettable_at(), &key);
    expiry::note(tx, touched.forgettable_at(), &key)?;
    tx.put(&key, &touched)
}

/// Ends a token and those it came from or went to.
pub(crate) fn end_family(tx: &mut Transaction<'_>, digest: Digest) -> Result<bool> {
    let Some(token) = tx.fetch(&TokenKey { digest })? else {
        return Ok(false);
    };
    end_family_of(tx, &token)?;
    forget(tx, digest, &token);
    Ok(true)
}

fn end_family_of(tx: &mut Transaction<'_>, token: &Token) -> Result<()> {
    for (key, digest) in tx.under::<HeldKey>(&family_of(token))? {
        match tx.fetch(&TokenKey { digest })? {
            Some(member) => forget(tx, digest, &member),
            None => tx.remove(&key),
        }
    }
    Ok(())
}

/// Ends the token of a holder that has this public name.
pub(crate) fn end_named(tx: &mut Transaction<'_>, holder: Principal, id: TokenId) -> Result<bool> {
    for (key, digest) in tx.under::<HeldKey>(&held_by(holder))? {
        if key.id == id {
            return end_family(tx, digest);
        }
    }
    Ok(false)
}
