//! Invites: codes that open accounts.

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

use super::{Digest, Email, MailId, Timestamp};

/// An invite's public id. It distinguishes invites in lists and opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InviteId(pub Uuid);

impl InviteId {
    /// The id of an invite that is made at `now`: later invites have greater ids (RFC 9562,
    /// version 7).
    pub fn new(now: Timestamp, random: [u8; 10]) -> InviteId {
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        InviteId(Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The id of an invite of the configuration, which its code determines (RFC 9562, version 8).
    pub fn of_code(code: &Digest) -> InviteId {
        let head = code.0.first_chunk().copied().unwrap_or_default();
        InviteId(Builder::from_custom_bytes(head).into_uuid())
    }

    /// Whether it is the id of an invite of the configuration.
    pub fn is_configured(self) -> bool {
        self.0.get_version_num() == 8
    }

    /// The id of the mail that brings the invite.
    pub fn mail(self) -> MailId {
        MailId(self.0)
    }

    /// Reads any of the usual spellings of a UUID.
    pub fn parse(text: &str) -> Option<InviteId> {
        Uuid::try_parse(text).ok().map(InviteId)
    }
}

impl From<MailId> for InviteId {
    fn from(mail: MailId) -> InviteId {
        InviteId(mail.0)
    }
}

impl std::fmt::Display for InviteId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The configured terms of an invite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InviteTerms {
    /// How many accounts it may open.
    pub uses: u32,
    /// When it expires; none: never.
    pub expires_at: Option<Timestamp>,
}

/// An invite and how often it was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// How many accounts it may open in all.
    pub uses: u32,
    /// How many it has opened.
    pub used: u32,
    /// When it expires; none: never.
    pub expires_at: Option<Timestamp>,
    /// The digest of the code.
    pub digest: Digest,
}

impl Invite {
    /// Whether it can open one more account at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.used < self.uses && self.expires_at.is_none_or(|end| now < end)
    }
}

/// An invite that the administrator made. The store finds it by the digest of its code. While the
/// mail that is to bring it waits, nobody knows its code: each attempt to send the mail gives it
/// another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeInvite {
    /// Its public id.
    pub id: InviteId,
    /// The address that it is mailed to; none: it is handed over by hand.
    pub to: Option<Email>,
    /// What the administrator wrote down about it.
    pub note: String,
    /// How many accounts it may open in all.
    pub uses: u32,
    /// How many it has opened.
    pub used: u32,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was made; none: by a version that did not keep it.
    pub made_at: Option<Timestamp>,
}

impl MadeInvite {
    /// Its uses and its end, with the digest of its code.
    pub fn with_code(&self, digest: Digest) -> Invite {
        Invite {
            uses: self.uses,
            used: self.used,
            expires_at: Some(self.expires_at),
            digest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invite_closes_when_used_up_or_expired() {
        let at = Timestamp::from_millis;
        let invite = |used, expires_at| Invite {
            uses: 2,
            used,
            expires_at,
            digest: Digest([0; 32]),
        };
        assert!(invite(1, None).is_open(at(5)) && invite(0, Some(at(6))).is_open(at(5)));
        assert!(!invite(2, None).is_open(at(5)) && !invite(0, Some(at(5))).is_open(at(5)));
    }

    #[test]
    fn ids_say_where_an_invite_is_from_and_which_is_later() {
        let id = |millis, byte| InviteId::new(Timestamp::from_millis(millis), [byte; 10]);
        assert!(id(1_700_000_000_000, 255) < id(1_700_000_000_001, 0));
        assert!(!id(-1, 0).is_configured());
        let configured = InviteId::of_code(&Digest([7; 32]));
        assert!(configured.is_configured());
        assert_ne!(configured, InviteId::of_code(&Digest([8; 32])));
    }
}
