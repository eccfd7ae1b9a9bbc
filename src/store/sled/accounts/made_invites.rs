//! The invites that the administrator made, under the digests of their codes. An address has at
//! most one that is mailed to it.

use serde::Deserialize;

use crate::model::{Digest, Email, End, EndReason, InviteId, MadeInvite, MailId, Timestamp};
use crate::store::Result;
use crate::store::sled::accounts::ended;
use crate::store::sled::engine::expiry;
use crate::store::sled::engine::keys::{self, Key, key};
use crate::store::sled::engine::read::{Read, raw_range_back};
use crate::store::sled::engine::record::second_postcard_records;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;

key! {
    /// An invite that the administrator made.
    MadeInviteKey { digest: Digest } MadeInvite => MadeInvite
}
key! {
    /// The digest of the code of an invite, by its public id.
    InviteIdKey { id: InviteId } InviteId => Digest
}
key! {
    /// The one invite that is mailed to an address, by the key of the address.
    InviteToKey { key: String } InviteTo => Digest
}

/// An invite as version 1 of the record has it.
#[derive(Deserialize)]
struct MailedInvite {
    mail: MailId,
    email_key: String,
    uses: u32,
    used: u32,
    expires_at: Timestamp,
}

second_postcard_records!(MadeInvite: mailed_invite);

/// Version 1 had no note and no moment, and no invites without an address.
fn mailed_invite(body: &[u8]) -> Result<MadeInvite, postcard::Error> {
    let old: MailedInvite = postcard::from_bytes(body)?;
    Ok(MadeInvite {
        id: old.mail.into(),
        to: Email::parse(&old.email_key).ok(),
        note: String::new(),
        uses: old.uses,
        used: old.used,
        expires_at: old.expires_at,
        made_at: None,
    })
}

fn invite_to(to: &Email) -> InviteToKey {
    InviteToKey { key: to.key() }
}

/// Stores an invite with this code.
pub(crate) fn insert(tx: &mut Transaction<'_>, code: Digest, invite: &MadeInvite) -> Result<()> {
    let key = MadeInviteKey { digest: code };
    if let Some(to) = &invite.to {
        tx.put(&invite_to(to), &code)?;
    }
    tx.put(&InviteIdKey { id: invite.id }, &code)?;
    expiry::note(tx, invite.expires_at, &key)?;
    tx.put(&key, invite)
}

/// Removes an invite with this code, and remembers how the code ended.
pub(crate) fn remove(
    tx: &mut Transaction<'_>,
    code: Digest,
    invite: &MadeInvite,
    end: &End,
) -> Result<()> {
    let key = MadeInviteKey { digest: code };
    expiry::cancel(tx, invite.expires_at, &key);
    remove_records(tx, &key, invite);
    remember(tx, code, invite, end)
}

fn remove_records(tx: &mut Transaction<'_>, key: &MadeInviteKey, invite: &MadeInvite) {
    if let Some(to) = &invite.to {
        tx.remove(&invite_to(to));
    }
    tx.remove(&InviteIdKey { id: invite.id });
    tx.remove(key);
}

fn remember(tx: &mut Transaction<'_>, code: Digest, invite: &MadeInvite, end: &End) -> Result<()> {
    ended::remember(tx, code, &end.of_invite(invite.expires_at))
}

/// The invite with this public id, and the digest of its code.
pub(crate) fn by_id(from: &impl Read, id: InviteId) -> Result<Option<(Digest, MadeInvite)>> {
    with_code(from, from.fetch_readable(&InviteIdKey { id })?)
}

/// The invite that is mailed to an address.
pub(crate) fn mailed_to(from: &impl Read, to: &Email) -> Result<Option<(Digest, MadeInvite)>> {
    with_code(from, from.fetch_readable(&invite_to(to))?)
}

fn with_code(from: &impl Read, code: Option<Digest>) -> Result<Option<(Digest, MadeInvite)>> {
    let Some(digest) = code else {
        return Ok(None);
    };
    let invite = from.fetch_readable(&MadeInviteKey { digest })?;
    Ok(invite.map(|invite| (digest, invite)))
}

/// Up to `limit` invites, the latest first, from the one before `before` on.
pub(crate) fn list(tree: &Tree, before: Option<InviteId>, limit: usize) -> Result<Vec<MadeInvite>> {
    let first = keys::first::<InviteIdKey>();
    let mut end = match before {
        Some(id) => InviteIdKey { id }.bytes(),
        None => keys::end::<InviteIdKey>(),
    };
    let mut found = Vec::new();
    while found.len() < limit {
        let entries = raw_range_back(tree, &first, &end, limit - found.len())?;
        let Some((last, _)) = entries.last() else {
            break;
        };
        for key in entries
            .iter()
            .filter_map(|(key, _)| InviteIdKey::parse(key))
        {
            found.extend(by_id(tree, key.id)?.map(|(_, invite)| invite));
        }
        end.clone_from(last);
    }
    Ok(found)
}

/// Removes the expired invite under this key. False: the key is not that of such an invite.
pub(crate) fn remove_expired(
    tx: &mut Transaction<'_>,
    key: &[u8],
    may_remember: bool,
) -> Result<bool> {
    let Some(key) = MadeInviteKey::parse(key) else {
        return Ok(false);
    };
    if let Some(invite) = tx.fetch(&key)? {
        if may_remember {
            let end = End::by_server(invite.expires_at, EndReason::Expired);
            remember(tx, key.digest, &invite, &end)?;
        }
        remove_records(tx, &key, &invite);
    } else {
        tx.remove(&key);
    }
    Ok(true)
}

/// Uses an invite once, at `now`. None: no made invite has this code.
pub(crate) fn use_up(
    tx: &mut Transaction<'_>,
    code: Digest,
    now: Timestamp,
) -> Result<Option<bool>> {
    let key = MadeInviteKey { digest: code };
    let Some(mut invite) = tx.fetch(&key)? else {
        return Ok(None);
    };
    let is_open = invite.with_code(code).is_open(now);
    if is_open {
        invite.used += 1;
        tx.put(&key, &invite)?;
    }
    Ok(Some(is_open))
}
