//! Tokens: the record under its digest, the list of a holder's tokens, and when a token can be
//! removed. An exchanged token is not live any more but stays in its family, so that its reuse is
//! noticed and a logout ends it too.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::{
    Digest, NewToken, Principal, Retired, Timestamp, Token, TokenId, TokenKind, TokenStatus, limits,
};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::users;
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::expiry;
use crate::store::sled::engine::keys::{self, Field, Key, key};
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::{Read, Transaction};
use crate::store::{FoundToken, Refreshed, Result, TokenStore};

key! {
    /// A token.
    TokenKey { digest: Digest } Token => Token
}
key! {
    /// The tokens of a holder, family by family.
    HeldKey { holder: Principal, family: TokenId, id: TokenId } HeldToken => Digest
}
key! {
    /// The epoch of a holder that is not an account.
    EpochKey { holder: Principal } Epoch => Epoch
}

/// The epoch of the administrator or the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// Tokens of another epoch are not live.
    epoch: u32,
    /// The fingerprint of the configured password at the last start.
    fingerprint: String,
}

postcard_records!(Token, Epoch);

impl SledStore {
    /// The token with this digest, through the cache.
    fn token(&self, digest: Digest) -> Result<Option<Arc<Token>>> {
        let read = || self.tree.fetch(&TokenKey { digest });
        self.caches.tokens.read_through(&digest, read)
    }
}

/// The prefix of the keys of all tokens of a holder.
fn held_by(holder: Principal) -> Vec<u8> {
    keys::prefix::<HeldKey>(|to| holder.write(to))
}

/// The prefix of the keys of the tokens of one family.
fn family_of(token: &Token) -> Vec<u8> {
    keys::prefix::<HeldKey>(|to| {
        token.holder.write(to);
        token.family.write(to);
    })
}

/// The epoch of a holder; none if it is an account that is gone or disabled.
pub(crate) fn epoch_of(from: &impl Read, holder: Principal) -> Result<Option<u32>> {
    match holder {
        Principal::User(id) => Ok(users::active(from, id)?.map(|user| user.epoch)),
        Principal::Admin | Principal::Hub => {
            let stored = from.fetch(&EpochKey { holder })?;
            Ok(Some(stored.map_or(0, |it| it.epoch)))
        }
    }
}

/// Stores a fingerprint and returns the epoch; a fingerprint that differs from the last one raises
/// the epoch.
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

/// The live tokens of a holder.
fn live(from: &impl Read, holder: Principal, now: Timestamp) -> Result<Vec<Token>> {
    let epoch = epoch_of(from, holder)?;
    let mut live = Vec::new();
    for (_, digest) in from.under::<HeldKey>(&held_by(holder))? {
        let token = from.fetch(&TokenKey { digest })?;
        let counts =
            |it: &Token| it.retired.is_none() && it.status(epoch, now) == TokenStatus::Live;
        live.extend(token.filter(counts));
    }
    Ok(live)
}

/// Issues a token unless its epoch has passed.
pub(crate) fn issue(
    tx: &mut Transaction<'_>,
    new: &NewToken,
    most: usize,
    now: Timestamp,
) -> Result<bool> {
    if epoch_of(tx, new.token.holder)? != Some(new.token.epoch) {
        return Ok(false);
    }
    make_room(tx, new.token.holder, most, now)?;
    insert(tx, new.digest, &new.token)?;
    Ok(true)
}

/// Ends the least recently used tokens of a holder until there is room for one more, and removes
/// those that are of no use any more.
fn make_room(
    tx: &mut Transaction<'_>,
    holder: Principal,
    most: usize,
    now: Timestamp,
) -> Result<()> {
    let held = tx.under::<HeldKey>(&held_by(holder))?;
    if held.len() < most {
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
            Some(token) => remove(tx, digest, &token),
            None => tx.remove(&key),
        }
    }
    live.sort_by_key(|(_, token)| (token.last_used_at, token.issued_at));
    let surplus = (live.len() + 1).saturating_sub(most);
    for (digest, token) in live.into_iter().take(surplus) {
        remove(tx, digest, &token);
    }
    Ok(())
}

/// Writes a token, its entry in its holder's list and the note of its expiry.
pub(crate) fn insert(tx: &mut Transaction<'_>, digest: Digest, token: &Token) -> Result<()> {
    tx.put(&held_key(token), &digest)?;
    tx.put(&TokenKey { digest }, token)?;
    expiry::note(tx, token.forgettable_at(), &TokenKey { digest })
}

/// Removes a token, its entry in its holder's list and the note of its expiry.
pub(crate) fn remove(tx: &mut Transaction<'_>, digest: Digest, token: &Token) {
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

/// Ends a live token and issues `new` for its holder, if `renewal` is its renewal code; otherwise
/// none.
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
        family: token.family,
        epoch: token.epoch,
        holder: token.holder,
        ..new.token
    };
    remove(tx, old, &token);
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
    remove_oldest_retired(tx, &token)?;
    insert(tx, new.digest, &new.token)?;
    Ok(Refreshed::Done(Box::new(new.token)))
}

/// Keeps the exchanged tokens of a family within their bound: removes the oldest, which are unknown
/// tokens from then on.
fn remove_oldest_retired(tx: &mut Transaction<'_>, member: &Token) -> Result<()> {
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
        remove(tx, digest, &token);
    }
    Ok(())
}

/// Records a use, unless the token has ended or another use was recorded a moment ago.
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

/// Ends a token and its family: the tokens that it was exchanged from or for.
pub(crate) fn end_family(tx: &mut Transaction<'_>, digest: Digest) -> Result<bool> {
    let Some(token) = tx.fetch(&TokenKey { digest })? else {
        return Ok(false);
    };
    end_family_of(tx, &token)?;
    remove(tx, digest, &token);
    Ok(true)
}

fn end_family_of(tx: &mut Transaction<'_>, token: &Token) -> Result<()> {
    for (key, digest) in tx.under::<HeldKey>(&family_of(token))? {
        match tx.fetch(&TokenKey { digest })? {
            Some(member) => remove(tx, digest, &member),
            None => tx.remove(&key),
        }
    }
    Ok(())
}

/// Ends every token of a holder.
pub(crate) fn end_all(tx: &mut Transaction<'_>, holder: Principal) -> Result<()> {
    for (_, digest) in tx.under::<HeldKey>(&held_by(holder))? {
        end_family(tx, digest)?;
    }
    Ok(())
}

/// Moves a token, and those that it was exchanged for, to another epoch of its holder: they stay
/// live when the holder's other tokens end.
pub(crate) fn keep(
    tx: &mut Transaction<'_>,
    digest: Digest,
    holder: Principal,
    epoch: u32,
) -> Result<()> {
    let mut next = Some(digest);
    for _ in 0..=limits::RETIRED_PER_FAMILY {
        let Some(digest) = next else { break };
        let key = TokenKey { digest };
        let token = tx.fetch(&key)?.filter(|token| token.holder == holder);
        let Some(token) = token else { break };
        next = token.retired.map(|retired| retired.successor);
        tx.put(&key, &Token { epoch, ..token })?;
    }
    Ok(())
}

/// Removes the expired token under this key. False: the key is not a token's.
pub(crate) fn remove_expired(tx: &mut Transaction<'_>, key: &[u8]) -> Result<bool> {
    let Some(key) = TokenKey::parse(key) else {
        return Ok(false);
    };
    if let Some(token) = tx.fetch(&key)? {
        remove(tx, key.digest, &token);
    }
    Ok(true)
}

/// Ends the token of a holder that has this public id. False: the holder has none.
pub(crate) fn end_named(tx: &mut Transaction<'_>, holder: Principal, id: TokenId) -> Result<bool> {
    for (key, digest) in tx.under::<HeldKey>(&held_by(holder))? {
        if key.id == id {
            return end_family(tx, digest);
        }
    }
    Ok(false)
}

#[async_trait]
impl TokenStore for SledStore {
    async fn find_token(&self, digest: &Digest) -> Result<Option<FoundToken>> {
        let Some(token) = self.token(*digest)? else {
            return Ok(None);
        };
        let (epoch, user) = match token.holder {
            Principal::Admin => (Some(self.admin_epoch.load(Ordering::Acquire)), None),
            Principal::Hub => (Some(self.hub_epoch.load(Ordering::Acquire)), None),
            Principal::User(id) => {
                let user = self.user(id)?.filter(|user| !user.disabled);
                (user.as_ref().map(|user| user.epoch), user)
            }
        };
        Ok(Some(FoundToken { token, epoch, user }))
    }

    async fn epoch_of(&self, holder: Principal) -> Result<u32> {
        Ok(epoch_of(&self.tree, holder)?.unwrap_or(0))
    }

    async fn live_tokens(&self, holder: Principal, now: Timestamp) -> Result<Vec<Token>> {
        live(&self.tree, holder, now)
    }

    async fn issue_token(&self, new: NewToken, most: usize, now: Timestamp) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| issue(tx, &new, most, now);
        self.change(WriteClass::Change, step).await
    }

    async fn renew_token(
        &self,
        old: Digest,
        renewal: Digest,
        new: NewToken,
        now: Timestamp,
    ) -> Result<Option<Token>> {
        let step = move |tx: &mut Transaction<'_>| renew(tx, old, renewal, new, now);
        self.change(WriteClass::Change, step).await
    }

    async fn refresh_token(&self, old: Digest, new: NewToken, now: Timestamp) -> Result<Refreshed> {
        let step = move |tx: &mut Transaction<'_>| refresh(tx, old, new, now);
        self.change(WriteClass::Change, step).await
    }

    async fn touch_token(&self, digest: Digest, idle: Duration, now: Timestamp) -> Result<()> {
        let step = move |tx: &mut Transaction<'_>| touch(tx, digest, idle, now);
        self.change(WriteClass::Change, step).await
    }

    async fn end_family(&self, digest: Digest) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| end_family(tx, digest);
        self.change(WriteClass::Reclaim, step).await
    }

    async fn end_token(&self, holder: Principal, id: TokenId) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| end_named(tx, holder, id);
        self.change(WriteClass::Reclaim, step).await
    }

    async fn reconcile(&self, holder: Principal, fingerprint: String) -> Result<u32> {
        let step = move |tx: &mut Transaction<'_>| reconcile(tx, holder, fingerprint);
        let epoch = self.change(WriteClass::Reclaim, step).await?;
        match holder {
            Principal::Admin => self.admin_epoch.store(epoch, Ordering::Release),
            Principal::Hub => self.hub_epoch.store(epoch, Ordering::Release),
            Principal::User(_) => {}
        }
        Ok(epoch)
    }
}
