//! Invites, under the digests of their codes: those of the configuration, and what they have in
//! common with those that the administrator made.

use std::collections::HashSet;

use crate::model::{Digest, Invite, InviteTerms, Timestamp};
use crate::store::Result;
use crate::store::sled::accounts::made_invites::{self, MadeInviteKey};
use crate::store::sled::engine::keys::key;
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::Transaction;

key! {
    /// An invite of the configuration.
    InviteKey { digest: Digest } Invite => Invite
}
postcard_records!(Invite);

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
    let made = from.fetch_readable(&MadeInviteKey { digest })?;
    Ok(made.map(|it| it.with_code(digest)))
}

/// Uses an invite once. False: it is unknown, used up or expired.
pub(crate) fn use_up(tx: &mut Transaction<'_>, digest: Digest, now: Timestamp) -> Result<bool> {
    if let Some(is_open) = made_invites::use_up(tx, digest, now)? {
        return Ok(is_open);
    }
    let key = InviteKey { digest };
    let Some(mut invite) = tx.fetch(&key)?.filter(|it| it.is_open(now)) else {
        return Ok(false);
    };
    invite.used += 1;
    tx.put(&key, &invite)?;
    Ok(true)
}
