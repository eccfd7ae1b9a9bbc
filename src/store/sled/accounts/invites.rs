//! Invites, under the digests of their codes.

use crate::model::{Digest, Invite, InviteTerms, Timestamp};
use crate::store::Outcome;
use crate::store::sled::engine::keys::InviteKey;
use crate::store::sled::engine::transaction::{Read, View};

/// Makes an invite known, or gives a known one new terms; what it was used for stays counted.
pub(crate) fn offer(view: &mut View<'_>, digest: Digest, terms: &InviteTerms) -> Outcome<()> {
    let key = InviteKey { digest };
    let known = view.fetch(&key)?;
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
        view.put(&key, &invite)
    }
}

/// Uses an invite once. False: it is unknown, used up or expired.
pub(crate) fn use_up(view: &mut View<'_>, digest: Digest, now: Timestamp) -> Outcome<bool> {
    let key = InviteKey { digest };
    match view.fetch(&key)? {
        Some(invite) if invite.is_open(now) => {
            view.put(
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
