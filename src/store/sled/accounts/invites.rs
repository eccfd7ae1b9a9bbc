//! Invites, under the digests of their codes: those of the configuration, and those that were
//! mailed, at most one for each address.

use std::collections::HashSet;

use crate::model::{Digest, Invite, InviteTerms, MailedInvite, Timestamp};
use crate::store::Result;
use crate::store::sled::engine::expiry;
use crate::store::sled::engine::keys::{Key, key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::Transaction;

key! {
    /// An invite of the configuration.
    InviteKey { digest: Digest } Invite => Invite
}
key! {
    /// An invite that was mailed.
    MailedInviteKey { digest: Digest } MailedInvite => MailedInvite
}
key! {
    /// The one invite that was mailed to an address, by the key of the address.
    InviteToKey { key: String } InviteTo => Digest
}

postcard_records!(Invite, MailedInvite);

/// Makes these the only invites of the configuration that are open. An invite ends by losing its
/// further uses, which no clock gives back; it keeps the count of its uses, in case that it is
/// offered again.
pub(crate) fn offer(tx: &mut Transaction<'_>, offered: &[(Digest, InviteTerms)]) -> Result<()> {
    let stay: HashSet<Digest> = offered.iter().map(|(digest, _)| *digest).collect();
    let mut ended = Vec::new();
    tx.visit(|key: InviteKey, invite: Option<Invite>| {
        let stays = stay.contains(&key.digest);
        ended.extend(invite.filter(|it| !stays && it.used < it.uses));
    })?;
    for invite in ended {
        let terms = InviteTerms {
            uses: invite.used,
            expires_at: invite.expires_at,
        };
        set_terms(tx, invite.digest, &terms)?;
    }
    let mut offered = offered.iter();
    offered.try_for_each(|(digest, terms)| set_terms(tx, *digest, terms))
}

/// Stores an invite, or gives a stored one new terms; the count of its uses stays.
fn set_terms(tx: &mut Transaction<'_>, digest: Digest, terms: &InviteTerms) -> Result<()> {
    let key = InviteKey { digest };
    // A damaged invite stays as it is, and refused: how often it was used is not known.
    let Some(known) = tx.skip_damaged(tx.fetch(&key))? else {
        return Ok(());
    };
    let used = known.as_ref().map_or(0, |invite| invite.used);
    let invite = Invite {
        uses: terms.uses,
        used,
        expires_at: terms.expires_at,
        digest,
    };
    if known.as_ref() == Some(&invite) {
        Ok(())
    } else {
        tx.put(&key, &invite)
    }
}

/// The invite with this code.
pub(crate) fn find(from: &impl Read, digest: Digest) -> Result<Option<Invite>> {
    if let Some(invite) = from.fetch_readable(&InviteKey { digest })? {
        return Ok(Some(invite));
    }
    let mailed = from.fetch_readable(&MailedInviteKey { digest })?;
    Ok(mailed.map(|it| Invite {
        uses: it.uses,
        used: it.used,
        expires_at: Some(it.expires_at),
        digest,
    }))
}

/// Makes `invite` the only one of its address. An invite of the same mail is a former attempt to
/// send it, which may have arrived all the same: its uses count. False: it was used up.
pub(crate) fn put_mailed(
    tx: &mut Transaction<'_>,
    digest: Digest,
    mut invite: MailedInvite,
) -> Result<bool> {
    let former = remove_mailed(tx, &invite.email_key)?;
    if let Some(former) = former.filter(|it| it.mail == invite.mail) {
        invite.used += former.used;
    }
    if invite.used >= invite.uses {
        return Ok(false);
    }
    let (key, to) = (MailedInviteKey { digest }, invite_to(&invite.email_key));
    tx.put(&to, &digest)?;
    expiry::note(tx, invite.expires_at, &key)?;
    tx.put(&key, &invite)?;
    Ok(true)
}

/// Removes the invite that was mailed to an address, and returns it.
pub(crate) fn remove_mailed(
    tx: &mut Transaction<'_>,
    email_key: &str,
) -> Result<Option<MailedInvite>> {
    let to = invite_to(email_key);
    let Some(digest) = tx.fetch_readable(&to)? else {
        return Ok(None);
    };
    let key = MailedInviteKey { digest };
    let former = tx.fetch_readable(&key)?;
    if let Some(invite) = &former {
        expiry::cancel(tx, invite.expires_at, &key);
    }
    tx.remove(&key);
    tx.remove(&to);
    Ok(former)
}

/// Removes the expired invite under this key. False: the key is not a mailed invite's.
pub(crate) fn remove_expired(tx: &mut Transaction<'_>, key: &[u8]) -> Result<bool> {
    let Some(key) = MailedInviteKey::parse(key) else {
        return Ok(false);
    };
    if let Some(invite) = tx.fetch(&key)? {
        tx.remove(&invite_to(&invite.email_key));
    }
    tx.remove(&key);
    Ok(true)
}

fn invite_to(email_key: &str) -> InviteToKey {
    let key = email_key.to_owned();
    InviteToKey { key }
}

/// Uses an invite once. False: it is unknown, used up or expired.
pub(crate) fn use_up(tx: &mut Transaction<'_>, digest: Digest, now: Timestamp) -> Result<bool> {
    let key = MailedInviteKey { digest };
    match tx.fetch(&key)? {
        None => use_up_configured(tx, digest, now),
        Some(mut invite) if invite.is_open(now) => {
            invite.used += 1;
            tx.put(&key, &invite)?;
            Ok(true)
        }
        Some(_) => Ok(false),
    }
}

fn use_up_configured(tx: &mut Transaction<'_>, digest: Digest, now: Timestamp) -> Result<bool> {
    let key = InviteKey { digest };
    match tx.fetch(&key)? {
        Some(invite) if invite.is_open(now) => {
            tx.put(
                &key,
                &Invite {
                    used: invite.used + 1,
                    ..invite
                },
            )?;
            Ok(true)
        }
        _ => Ok(false),
    }
}
