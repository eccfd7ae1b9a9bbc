//! Exchanges of a token for another: a pair of the Angen API by its renewal code, an access token
//! of the Core API in its family. An exchanged access token stays, so that its reuse is noticed.

use std::time::Duration;

use crate::model::{
    Actor, AuditAction, AuditContext, AuditEntry, Digest, End, EndReason, NewToken, Principal,
    Retired, Timestamp, Token, TokenKind, TokenStatus, limits,
};
use crate::store::sled::accounts::exchanges::Exchanges;
use crate::store::sled::accounts::tokens::{
    HeldKey, TokenKey, end_family_of, epoch_of, family_of, insert, remove,
};
use crate::store::sled::audit::log;
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::{Refreshed, Result};

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
    if token.status(epoch, now, false) != TokenStatus::Live || token.renewal != Some(renewal) {
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
    let end = End {
        at: now,
        reason: EndReason::Exchanged,
        by: Actor::Holder(token.holder),
    };
    remove(tx, old, &token, &end)?;
    insert(tx, new.digest, &new.token)?;
    Ok(Some(new.token))
}

/// Exchanges an access token. `Reused` ends the family in the same step.
pub(crate) fn refresh(
    tx: &mut Transaction<'_>,
    exchanges: &Exchanges,
    old: Digest,
    mut new: NewToken,
    monotonic: Duration,
    by: &AuditContext,
) -> Result<Refreshed> {
    let now = by.at;
    let key = TokenKey { digest: old };
    let Some(mut token) = tx.fetch(&key)? else {
        return Ok(Refreshed::Refused);
    };
    if token.kind != TokenKind::Access || epoch_of(tx, token.holder)? != Some(token.epoch) {
        return Ok(Refreshed::Refused);
    }
    if let Some(retired) = token.retired {
        if retired.is_in_grace(exchanges.find(&old), now, monotonic) {
            let successor = tx.fetch(&TokenKey {
                digest: retired.successor,
            })?;
            return Ok(successor.map_or(Refreshed::Refused, |it| Refreshed::Again(Box::new(it))));
        }
        end_family_of(tx, &token, &End::by_server(now, EndReason::Reused))?;
        log::append(tx, &reuse(by, &token))?;
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
    exchanges.note(old, monotonic);
    tx.put(&key, &token)?;
    remove_oldest_retired(tx, &token, now)?;
    insert(tx, new.digest, &new.token)?;
    Ok(Refreshed::Done(Box::new(new.token)))
}

/// The entry for the reuse of an exchanged token, which ended its family.
fn reuse(by: &AuditContext, token: &Token) -> AuditEntry {
    let entry = by.done(AuditAction::TokenReuse).about(token.id.to_string());
    match token.holder {
        Principal::User(user) => entry.on(user),
        Principal::Admin | Principal::Hub | Principal::Machine(_) => entry,
    }
}

/// Keeps the exchanged tokens of a family within their bound: removes the oldest, which are unknown
/// tokens from then on.
fn remove_oldest_retired(tx: &mut Transaction<'_>, member: &Token, now: Timestamp) -> Result<()> {
    let end = End::by_server(now, EndReason::Exchanged);
    let mut retired = Vec::new();
    for (_, digest) in tx.under::<HeldKey>(&family_of(member))? {
        let token = tx.fetch_readable(&TokenKey { digest })?;
        retired.extend(
            token
                .filter(|it| it.retired.is_some())
                .map(|it| (digest, it)),
        );
    }
    retired.sort_by_key(|(_, token)| token.retired.map(|retired| retired.at));
    let surplus = retired.len().saturating_sub(limits::RETIRED_PER_FAMILY);
    for (digest, token) in retired.into_iter().take(surplus) {
        remove(tx, digest, &token, &end)?;
    }
    Ok(())
}
