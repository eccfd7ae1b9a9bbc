//! Tokens by their public ids, and lists of them.

use std::collections::HashMap;

use crate::model::{
    AuditAction, AuditContext, Digest, Token, TokenId, TokenPage, TokenPlace, TokenQuery,
};
use crate::store::Result;
use crate::store::sled::accounts::tokens::{self, HeldKey, TokenIdKey, TokenKey};
use crate::store::sled::audit::log;
use crate::store::sled::engine::keys::{self, Field, Key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;

/// Tokens that one page looks at: each lies in another place on the disk, and all of them must be
/// read within 20 ms.
const LOOKS: usize = 150;

/// The token with this public id, and its digest.
pub(crate) fn by_id(from: &impl Read, id: TokenId) -> Result<Option<(Digest, Token)>> {
    let Some(digest) = from.fetch_readable(&TokenIdKey { id })? else {
        return Ok(None);
    };
    let token = from.fetch(&TokenKey { digest })?;
    Ok(token.map(|token| (digest, token)))
}

/// Ends the token with this public id, with its family unless it is a machine's. None: there is no
/// such token.
pub(crate) fn end(
    tx: &mut Transaction<'_>,
    id: TokenId,
    by: &AuditContext,
) -> Result<Option<Token>> {
    let Some((digest, token)) = by_id(tx, id)? else {
        return Ok(None);
    };
    tokens::end_login(tx, digest, &token, by)?;
    let entry = by.done(AuditAction::EndToken).on_holder(token.holder);
    log::append(tx, &entry.about(id.to_string()))?;
    Ok(Some(token))
}

/// A page of the tokens that a query asks for.
pub(crate) fn list(tree: &Tree, query: &TokenQuery) -> Result<TokenPage> {
    let all = match query.holder {
        Some(holder) => keys::prefix::<HeldKey>(|to| holder.write(to)),
        None => keys::first::<HeldKey>(),
    };
    let end = keys::after_prefix(&all);
    let from = match query.after {
        Some(place) => all.max(keys::after(&key_of(place).bytes())),
        None => all,
    };
    let mut page = TokenPage::default();
    let mut epochs = HashMap::new();
    let held = tree.entries::<HeldKey>(&from, &end, LOOKS)?;
    let is_last = held.len() < LOOKS;
    for (key, digest) in held {
        if page.tokens.len() == query.limit {
            return Ok(page);
        }
        page.next = Some(TokenPlace {
            holder: key.holder,
            family: key.family,
            id: key.id,
        });
        let token = tree.fetch_readable(&TokenKey { digest })?;
        let Some(token) = token.filter(|it| query.kind.is_none_or(|kind| it.kind == kind)) else {
            continue;
        };
        let epoch = match epochs.get(&token.holder) {
            Some(epoch) => *epoch,
            None => tokens::epoch_of(tree, token.holder)?,
        };
        epochs.insert(token.holder, epoch);
        page.tokens.push((token, epoch));
    }
    if is_last {
        page.next = None;
    }
    Ok(page)
}

fn key_of(place: TokenPlace) -> HeldKey {
    HeldKey {
        holder: place.holder,
        family: place.family,
        id: place.id,
    }
}
