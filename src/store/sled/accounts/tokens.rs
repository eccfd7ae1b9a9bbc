//! Tokens: the record under its digest, the list of a holder's tokens, and when a token can be
//! removed. An exchanged token is not live any more but stays in its family, so that its reuse is
//! noticed and a logout ends it too.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{
    Actor, AuditAction, AuditContext, AuditEntry, Digest, End, EndReason, NewToken, Principal,
    Timestamp, Token, TokenId, TokenKind, TokenStatus, limits,
};
use crate::store::Result;
use crate::store::sled::accounts::{ended, users};
use crate::store::sled::audit::log;
use crate::store::sled::engine::expiry;
use crate::store::sled::engine::keys::{self, Field, Key, key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::{postcard_records, second_postcard_records};
use crate::store::sled::engine::transaction::Transaction;

key! {
    /// A token.
    TokenKey { digest: Digest } Token => Token
}
key! {
    /// The tokens of a holder, family by family.
    HeldKey { holder: Principal, family: TokenId, id: TokenId } HeldToken => Digest
}
key! {
    /// A token by its public id.
    TokenIdKey { id: TokenId } TokenId => Digest
}
key! {
    /// The epoch of a holder that is not an account.
    EpochKey { holder: Principal } Epoch => Epoch
}

/// Tokens of a deleted account that one step removes: it must not delay the steps behind it.
const STEP_TOKENS: usize = 256;

/// The epoch of the administrator or the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Epoch {
    /// Tokens of another epoch are not live.
    epoch: u32,
    /// The fingerprint of the password under which tokens of this epoch were issued.
    fingerprint: String,
}

postcard_records!(Epoch);

second_postcard_records!(Token: without_grant);

/// Version 1 had no grant. That is the last field, and an absent one is a zero.
fn without_grant(body: &[u8]) -> Result<Token, postcard::Error> {
    postcard::from_bytes(&[body, &[0]].concat())
}

/// The prefix of the keys of all tokens of a holder.
pub(crate) fn held_by(holder: Principal) -> Vec<u8> {
    keys::prefix::<HeldKey>(|to| holder.write(to))
}

/// The prefix of the keys of the tokens of one family.
pub(crate) fn family_of(token: &Token) -> Vec<u8> {
    keys::prefix::<HeldKey>(|to| {
        token.holder.write(to);
        token.family.write(to);
    })
}

/// The epoch of a holder; none if it is an account that is gone or disabled. That of a machine
/// never changes: its tokens are ended one by one.
pub(crate) fn epoch_of(from: &impl Read, holder: Principal) -> Result<Option<u32>> {
    match holder {
        Principal::User(id) => Ok(users::active(from, id)?.map(|user| user.epoch)),
        Principal::Machine(_) => Ok(Some(0)),
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
    by: &AuditContext,
) -> Result<u32> {
    let key = EpochKey { holder };
    let known = tx.skip_damaged(tx.fetch(&key))?;
    let epoch = match &known {
        Some(Some(known)) if known.fingerprint == fingerprint => return Ok(known.epoch),
        Some(Some(known)) => known.epoch + 1,
        Some(None) => 0,
        None => after_all_epochs(tx, holder)?,
    };
    tx.put(&key, &Epoch { epoch, fingerprint })?;
    // The first password replaces none.
    if known != Some(None) {
        log::append(tx, &by.done(AuditAction::ReplaceLogin).on_holder(holder))?;
    }
    Ok(epoch)
}

/// The last fingerprint of a holder; none if there is none or it is damaged.
pub(crate) fn fingerprint(from: &impl Read, holder: Principal) -> Result<Option<String>> {
    let stored = from.fetch_readable(&EpochKey { holder })?;
    Ok(stored.map(|it| it.fingerprint))
}

/// An epoch after those of all tokens of a holder whose epoch is damaged: none of them is live.
fn after_all_epochs(from: &impl Read, holder: Principal) -> Result<u32> {
    let mut next = 0;
    from.visit(|_: TokenKey, token| {
        if let Some(token) = token.filter(|token| token.holder == holder) {
            next = next.max(token.epoch + 1);
        }
    })?;
    Ok(next)
}

/// The live tokens of a holder.
pub(crate) fn live(from: &impl Read, holder: Principal, now: Timestamp) -> Result<Vec<Token>> {
    let epoch = epoch_of(from, holder)?;
    let mut live = Vec::new();
    for (_, digest) in from.under::<HeldKey>(&held_by(holder))? {
        let token = from.fetch_readable(&TokenKey { digest })?;
        let counts = |it: &Token| it.status(epoch, now, false) == TokenStatus::Live;
        live.extend(token.filter(counts));
    }
    Ok(live)
}

/// Issues a token unless its epoch has passed.
pub(crate) fn issue(
    tx: &mut Transaction<'_>,
    new: &NewToken,
    most: usize,
    entry: &AuditEntry,
) -> Result<bool> {
    if epoch_of(tx, new.token.holder)? != Some(new.token.epoch) {
        return Ok(false);
    }
    let end = End {
        at: entry.at,
        reason: EndReason::MadeRoom,
        by: entry.actor.clone(),
    };
    make_room(tx, new.token.holder, most, &end)?;
    insert(tx, new.digest, &new.token)?;
    log::append(tx, entry)?;
    Ok(true)
}

/// Ends tokens of a holder until there is room for one more: expired ones first, then the least
/// recently used. No more go than must: if the clock is ahead, the expired ones are live.
fn make_room(tx: &mut Transaction<'_>, holder: Principal, most: usize, end: &End) -> Result<()> {
    let held = tx.under::<HeldKey>(&held_by(holder))?;
    if held.len() < most {
        return Ok(());
    }
    let epoch = epoch_of(tx, holder)?;
    let mut room = Vec::new();
    for (key, digest) in held {
        // A damaged token is not live and takes no room.
        let Some(token) = tx.skip_damaged(tx.fetch(&TokenKey { digest }))? else {
            continue;
        };
        let Some(token) = token else {
            tx.remove(&key);
            continue;
        };
        match token.status(epoch, end.at, false) {
            // An exchanged token takes no room; it stays so that its reuse is noticed.
            TokenStatus::Revoked if epoch == Some(token.epoch) => {}
            TokenStatus::Revoked => {
                let reason = EndReason::Revoked;
                remove(
                    tx,
                    digest,
                    &token,
                    &End {
                        reason,
                        ..end.clone()
                    },
                )?;
            }
            // Machine tokens have a limit of their own and are never ended to make room.
            _ if token.kind == TokenKind::Machine => {}
            // An expired access token can still be refreshed: it takes no room and stays.
            TokenStatus::Expired if token.kind == TokenKind::Access => {}
            status => room.push((status == TokenStatus::Live, digest, token)),
        }
    }
    room.sort_by_key(|(is_live, _, token)| (*is_live, token.last_used_at, token.issued_at));
    let surplus = (room.len() + 1).saturating_sub(most);
    for (_, digest, token) in room.into_iter().take(surplus) {
        remove(tx, digest, &token, end)?;
    }
    Ok(())
}

/// Writes a token, its entry in its holder's list and the note of its expiry.
pub(crate) fn insert(tx: &mut Transaction<'_>, digest: Digest, token: &Token) -> Result<()> {
    tx.put(&held_key(token), &digest)?;
    tx.put(&TokenIdKey { id: token.id }, &digest)?;
    tx.put(&TokenKey { digest }, token)?;
    expiry::note(tx, token.forgettable_at(), &TokenKey { digest })
}

/// Removes a token, its entry in its holder's list and the note of its expiry, and remembers how it
/// ended.
pub(crate) fn remove(
    tx: &mut Transaction<'_>,
    digest: Digest,
    token: &Token,
    end: &End,
) -> Result<()> {
    erase(tx, digest, token);
    ended::remember(tx, digest, &end.of_token(token))
}

/// Removes a token, its entry in its holder's list and the note of its expiry.
fn erase(tx: &mut Transaction<'_>, digest: Digest, token: &Token) {
    tx.remove(&TokenKey { digest });
    tx.remove(&held_key(token));
    tx.remove(&TokenIdKey { id: token.id });
    expiry::cancel(tx, token.forgettable_at(), &TokenKey { digest });
}

fn held_key(token: &Token) -> HeldKey {
    HeldKey {
        holder: token.holder,
        family: token.family,
        id: token.id,
    }
}

/// Records a use, unless the token has ended or another use was recorded a moment ago.
pub(crate) fn touch(
    tx: &mut Transaction<'_>,
    digest: Digest,
    idle: Duration,
    from: IpAddr,
    now: Timestamp,
) -> Result<()> {
    let key = TokenKey { digest };
    let Some(token) = tx.fetch(&key)? else {
        return Ok(());
    };
    if token.retired.is_some() || !token.is_worth_touching(now, from) {
        return Ok(());
    }
    let touched = token.touched(now, idle, from);
    expiry::cancel(tx, token.forgettable_at(), &key);
    expiry::note(tx, touched.forgettable_at(), &key)?;
    tx.put(&key, &touched)
}

/// Ends a token and its family: those that it was exchanged from or for. Of a machine only itself,
/// and from its networks: one that leaked and was replaced must not end its successor.
pub(crate) fn end_family(
    tx: &mut Transaction<'_>,
    digest: Digest,
    from: Option<IpAddr>,
    by: &AuditContext,
) -> Result<bool> {
    let may_end = |it: &Token| it.grant.as_ref().is_none_or(|grant| grant.admits(from));
    let Some(token) = tx.fetch(&TokenKey { digest })?.filter(may_end) else {
        return Ok(false);
    };
    // Whoever shows a token to end it acts as its holder.
    let mut by = by.clone();
    by.actor = Actor::Holder(token.holder);
    let end = End::by(&by, EndReason::LoggedOut);
    if token.grant.is_none() {
        end_family_of(tx, &token, &end)?;
    }
    remove(tx, digest, &token, &end)?;
    let entry = by.done(AuditAction::LogOut).on_holder(token.holder);
    log::append(tx, &entry.about(token.id.to_string()))?;
    Ok(true)
}

/// Error: `Corrupt` if it cannot be said which token is a member, so that none stays live unseen.
pub(crate) fn end_family_of(tx: &mut Transaction<'_>, token: &Token, end: &End) -> Result<()> {
    for key in tx.keys_under::<HeldKey>(&family_of(token), usize::MAX)? {
        let digest = tx.fetch(&key)?;
        remove_held(tx, &key, digest, end)?;
    }
    Ok(())
}

/// Removes an entry of a holder's list with its token, if `digest` says which that is. A token that
/// is damaged is removed too; the sweep removes the note of its expiry.
fn remove_held(
    tx: &mut Transaction<'_>,
    key: &HeldKey,
    digest: Option<Digest>,
    end: &End,
) -> Result<()> {
    if let Some(digest) = digest {
        match tx.fetch_readable(&TokenKey { digest })? {
            Some(token) => remove(tx, digest, &token, end)?,
            None => tx.remove(&TokenKey { digest }),
        }
    }
    tx.remove(&TokenIdKey { id: key.id });
    tx.remove(key);
    Ok(())
}

/// Removes some of the tokens of a holder whose account is gone: none of them is live any more.
/// True: there may be more.
pub(crate) fn remove_some(tx: &mut Transaction<'_>, holder: Principal, end: &End) -> Result<bool> {
    let held = tx.keys_under::<HeldKey>(&held_by(holder), STEP_TOKENS)?;
    for key in &held {
        let digest = tx.fetch_readable(key)?;
        remove_held(tx, key, digest, end)?;
    }
    Ok(held.len() == STEP_TOKENS)
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

/// Removes the expired token under this key, and remembers it if `remember` says so. False: the key
/// is not a token's.
pub(crate) fn remove_expired(tx: &mut Transaction<'_>, key: &[u8], remember: bool) -> Result<bool> {
    let Some(key) = TokenKey::parse(key) else {
        return Ok(false);
    };
    let Some(token) = tx.fetch(&key)? else {
        return Ok(true);
    };
    erase(tx, key.digest, &token);
    if remember {
        // An exchanged token, or one of an earlier epoch, was of no use before it expired.
        let is_current = epoch_of(tx, token.holder)? == Some(token.epoch);
        let end = match token.retired {
            Some(retired) => End::by_server(retired.at, EndReason::Exchanged),
            None if is_current => End::by_server(token.expires_at, EndReason::Expired),
            None => End::by_server(token.expires_at, EndReason::Revoked),
        };
        ended::remember(tx, key.digest, &end.of_token(&token))?;
    }
    Ok(true)
}

/// Ends the token of a holder that has this public id. False: the holder has none.
pub(crate) fn end_named(
    tx: &mut Transaction<'_>,
    holder: Principal,
    id: TokenId,
    by: &AuditContext,
) -> Result<bool> {
    let held = tx.keys_under::<HeldKey>(&held_by(holder), usize::MAX)?;
    let Some(key) = held.into_iter().find(|key| key.id == id) else {
        return Ok(false);
    };
    let Some(digest) = tx.fetch(&key)? else {
        return Ok(false);
    };
    let Some(token) = tx.fetch(&TokenKey { digest })? else {
        return Ok(false);
    };
    end_login(tx, digest, &token, by)?;
    log::append(
        tx,
        &by.done(AuditAction::EndToken)
            .on_holder(holder)
            .about(id.to_string()),
    )?;
    Ok(true)
}

/// Ends a token with its family; of machine tokens that one alone, because a secret that leaked is
/// ended while its successor works.
pub(crate) fn end_login(
    tx: &mut Transaction<'_>,
    digest: Digest,
    token: &Token,
    by: &AuditContext,
) -> Result<()> {
    let end = End::by(by, EndReason::Ended);
    if token.kind != TokenKind::Machine {
        end_family_of(tx, token, &end)?;
    }
    remove(tx, digest, token, &end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UserId;
    use crate::store::sled::engine::tree::Tree;

    #[test]
    fn the_tokens_of_a_deleted_account_are_removed_some_at_a_time() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let tree = Tree::of(&db);
        let mut tx = Transaction::new(&tree);
        let holder = Principal::User(UserId::from_random([7; 16]));
        for number in 0..=STEP_TOKENS {
            let name = u128::try_from(number).unwrap().to_be_bytes();
            let token = Token::sample(TokenId::from_random(name), holder);
            insert(&mut tx, crate::crypto::digest(&name), &token).unwrap();
        }
        let end = End::by_server(Timestamp::default(), EndReason::AccountDeleted);
        assert_eq!(remove_some(&mut tx, holder, &end), Ok(true));
        assert_eq!(tx.all::<TokenKey>().unwrap().len(), 1);
        assert_eq!(remove_some(&mut tx, holder, &end), Ok(false));
        assert_eq!(tx.all::<HeldKey>().unwrap().len(), 0);
    }
}
