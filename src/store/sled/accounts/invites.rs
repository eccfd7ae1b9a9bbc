//! Invites, under the digests of their codes.

use crate::model::{Digest, Invite, InviteTerms, Timestamp};
use crate::store::Result;
use crate::store::sled::engine::keys::key;
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::Transaction;

key! {
    /// An invite.
    InviteKey { digest: Digest } Invite => Invite
}

postcard_records!(Invite);

/// Makes these the only invites that are open. An invite that ends keeps the count of its uses, in
/// case that it is offered again.
pub(crate) fn offer(
    tx: &mut Transaction<'_>,
    offered: &[(Digest, InviteTerms)],
    now: Timestamp,
) -> Result<()> {
    let mut missing = Vec::new();
    tx.visit(|key: InviteKey, invite: Option<Invite>| {
        let is_missing = offered.iter().all(|(digest, _)| *digest != key.digest);
        missing.extend(invite.filter(|it| is_missing && it.is_open(now)));
    })?;
    for invite in missing {
        let terms = InviteTerms {
            uses: invite.uses,
            expires_at: Some(now),
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

/// Uses an invite once. False: it is unknown, used up or expired.
pub(crate) fn use_up(tx: &mut Transaction<'_>, digest: Digest, now: Timestamp) -> Result<bool> {
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
