//! Invites, under the digests of their codes.

use super::super::Outcome;
use super::keys::InviteKey;
use super::view::{Read, View};
use crate::model::{Digest, Invite, InviteTerms, Timestamp};

/// Makes an invite known, or gives a known one new terms; what it was used for stays counted.
pub(super) fn offer(view: &mut View<'_>, digest: Digest, terms: &InviteTerms) -> Outcome<()> {
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
pub(super) fn use_up(view: &mut View<'_>, digest: Digest, now: Timestamp) -> Outcome<bool> {
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
