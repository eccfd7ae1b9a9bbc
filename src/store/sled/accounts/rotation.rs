//! The rotation of machine tokens: another token in the place of one, and which of the old ones
//! live on for the overlap. A client may have any of them: an answer with a secret can be lost.

use crate::model::{
    AuditAction, AuditContext, Grant, NewToken, Timestamp, Token, TokenId, TokenKind, TokenStatus,
    limits,
};
use crate::store::sled::accounts::machines::{end, entry, may_make, tokens_under};
use crate::store::sled::accounts::token_list;
use crate::store::sled::accounts::tokens::{TokenKey, epoch_of, family_of, insert};
use crate::store::sled::audit::log;
use crate::store::sled::engine::expiry;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::{MachineIssued, Result, Rotation};

/// Issues `new` in the place of the live machine token with this public id.
pub(crate) fn rotate(
    tx: &mut Transaction<'_>,
    id: TokenId,
    mut new: NewToken,
    rotation: Rotation,
    maker: Option<TokenId>,
    by: &AuditContext,
) -> Result<MachineIssued> {
    if !may_make(tx, maker, by.at)? {
        return Ok(MachineIssued::MakerEnded);
    }
    let Some((_, old)) = token_list::by_id(tx, id)? else {
        return Ok(MachineIssued::UnknownToken);
    };
    let epoch = epoch_of(tx, old.holder)?;
    let is_live = old.status(epoch, by.at, false) == TokenStatus::Live;
    let is_own = old.grant.as_ref().is_none_or(Grant::is_users_own);
    if old.kind != TokenKind::Machine || is_own || !is_live {
        return Ok(MachineIssued::UnknownToken);
    }
    let expires_at = rotation.expires_at.unwrap_or(old.refreshable_until);
    new.token = Token {
        family: old.family,
        epoch: old.epoch,
        holder: old.holder,
        grant: old.grant.clone().map(Grant::unused),
        expires_at,
        refreshable_until: expires_at,
        ..new.token
    };
    shorten_family(tx, &old, epoch, rotation.old_ends_at, by)?;
    insert(tx, new.digest, &new.token)?;
    let entry = entry(by, AuditAction::RotateMachineToken, &new.token);
    log::append(tx, &entry)?;
    Ok(MachineIssued::Done(Box::new(new.token)))
}

/// Lets the token of a family that was used last live on until `ends_at`, with some others that
/// were used: a machine may still have it, because the answer with its successor was lost. If none
/// was used, `old` lives on. The others end at once.
fn shorten_family(
    tx: &mut Transaction<'_>,
    old: &Token,
    epoch: Option<u32>,
    ends_at: Timestamp,
    by: &AuditContext,
) -> Result<()> {
    let used_at = |token: &Token| {
        let grant = token.grant.as_ref();
        let used = grant.and_then(|grant| grant.last_address);
        used.map(|_| token.last_used_at)
    };
    let mut family = tokens_under(tx, &family_of(old))?;
    family.sort_by_key(|(_, token)| {
        let is_live = token.status(epoch, by.at, false) == TokenStatus::Live;
        std::cmp::Reverse((is_live, used_at(token), token.id == old.id))
    });
    for (place, (digest, token)) in family.into_iter().enumerate() {
        let is_kept =
            place == 0 || (place < limits::OVERLAPPING_TOKENS && used_at(&token).is_some());
        let expires_at = token.expires_at.min(ends_at);
        if !is_kept || expires_at <= by.at {
            end(tx, digest, &token, epoch, by)?;
            continue;
        }
        let key = TokenKey { digest };
        expiry::cancel(tx, token.forgettable_at(), &key);
        let shortened = Token {
            expires_at,
            ..token
        };
        expiry::note(tx, shortened.forgettable_at(), &key)?;
        tx.put(&key, &shortened)?;
    }
    Ok(())
}
