//! Tokens: their kinds, their holders, and whether they are live.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Client, Digest, Grant, Principal, Timestamp, TokenId, limits};

/// Which API issued a token. It decides how the token is renewed, never what the token may access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TokenKind {
    /// Token API: the administrator's.
    Admin,
    /// Hub API.
    Hub,
    /// Angen API, with a renewal code.
    Angen,
    /// Ephemeride API; its lifetime starts again with each use.
    Session,
    /// Core API: a JWT, renewed in families.
    Access,
    /// Made by the administrator, or by a user for own events; no login brings it.
    Machine,
}

impl TokenKind {
    /// All kinds.
    pub const ALL: [TokenKind; 6] = [
        TokenKind::Admin,
        TokenKind::Hub,
        TokenKind::Angen,
        TokenKind::Session,
        TokenKind::Access,
        TokenKind::Machine,
    ];

    /// The names of all kinds.
    pub const WORDS: &'static [&'static str] = &[
        TokenKind::Admin.as_str(),
        TokenKind::Hub.as_str(),
        TokenKind::Angen.as_str(),
        TokenKind::Session.as_str(),
        TokenKind::Access.as_str(),
        TokenKind::Machine.as_str(),
    ];

    /// Its name in the APIs.
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenKind::Admin => "admin",
            TokenKind::Hub => "hub",
            TokenKind::Angen => "angen",
            TokenKind::Session => "session",
            TokenKind::Access => "access",
            TokenKind::Machine => "machine",
        }
    }
}

/// A stored token. The store finds it by the digest of its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Its public id.
    pub id: TokenId,
    /// Its family: the id of the first token of the login, which every exchange for a new token
    /// keeps.
    pub family: TokenId,
    /// Which API issued it.
    pub kind: TokenKind,
    /// Its holder.
    pub holder: Principal,
    /// The holder's epoch when it was issued.
    pub epoch: u32,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it expires: from then on it grants no access.
    pub expires_at: Timestamp,
    /// Until when it may be exchanged for a new one; later than `expires_at` only for access
    /// tokens, and for machine tokens that were rotated: when they would have expired otherwise.
    pub refreshable_until: Timestamp,
    /// When it was last used; written at most once a minute.
    pub last_used_at: Timestamp,
    /// The client that it was issued to.
    pub client: Client,
    /// Angen: the digest of its renewal code.
    pub renewal: Option<Digest>,
    /// Core: when it was exchanged, and for which token.
    pub retired: Option<Retired>,
    /// Machine tokens: what they may do.
    pub grant: Option<Grant>,
}

/// The exchange of a token for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// When the token was exchanged.
    pub at: Timestamp,
    /// The digest of the token that it was exchanged for.
    pub successor: Digest,
}

/// When a token was exchanged, in monotonic time, as far as the process remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangedAt {
    /// At this time.
    Exactly(Duration),
    /// Before this time; how long before, only the wall clock can tell.
    Before(Duration),
}

impl Retired {
    /// Whether the exchange was less than `REFRESH_GRACE` ago, so that a second browser tab may
    /// still use the old token.
    pub fn is_in_grace(
        &self,
        exchanged_at: ExchangedAt,
        now: Timestamp,
        monotonic: Duration,
    ) -> bool {
        let is_recent = |at| monotonic.saturating_sub(at) < limits::REFRESH_GRACE;
        match exchanged_at {
            ExchangedAt::Exactly(at) => is_recent(at),
            ExchangedAt::Before(at) => {
                is_recent(at) && self.at <= now && now.since(self.at) < limits::REFRESH_GRACE
            }
        }
    }
}

/// A token to issue.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The digest of its secret.
    pub digest: Digest,
    /// The token, with its own id as its family. In an exchange the store replaces family, holder
    /// and epoch by those of the old token.
    pub token: Token,
}

/// The status of a stored token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenStatus {
    /// It grants the access of its holder.
    Live,
    /// It has expired.
    Expired,
    /// It was ended: by a higher epoch of its holder (as after a new password), by an exchange, or
    /// because its holder is deleted or disabled.
    Revoked,
}

impl TokenStatus {
    /// The names of all.
    pub const WORDS: &'static [&'static str] = &[
        TokenStatus::Live.as_str(),
        TokenStatus::Expired.as_str(),
        TokenStatus::Revoked.as_str(),
    ];

    /// Its name in the APIs.
    pub const fn as_str(self) -> &'static str {
        match self {
            TokenStatus::Live => "live",
            TokenStatus::Expired => "expired",
            TokenStatus::Revoked => "revoked",
        }
    }
}

impl Token {
    /// Whether the token is live, from epoch, exchange and expiry. `epoch` is its holder's now, or
    /// `None` if the holder is deleted or disabled. `in_grace`: the token was exchanged so recently
    /// that it is still live ([`Retired::is_in_grace`]).
    pub fn status(&self, epoch: Option<u32>, now: Timestamp, in_grace: bool) -> TokenStatus {
        if epoch != Some(self.epoch) || (self.retired.is_some() && !in_grace) {
            TokenStatus::Revoked
        } else if now >= self.expires_at {
            TokenStatus::Expired
        } else {
            TokenStatus::Live
        }
    }

    /// Whether to write down a use at `now` from an address: at most once in `LAST_USE_INTERVAL`;
    /// of a machine token that it is used from elsewhere at most once in `NEW_ADDRESS_INTERVAL`,
    /// and the first use at once, because rotations end those that nobody uses. A last use in the
    /// future was written while the clock was ahead: this one puts it right.
    pub fn is_worth_touching(&self, now: Timestamp, from: IpAddr) -> bool {
        let last = self.last_used_at;
        let interval = match self.grant.as_ref().map(|grant| grant.last_address) {
            Some(None) => Duration::ZERO,
            Some(Some(address)) if address != from => limits::NEW_ADDRESS_INTERVAL,
            Some(Some(_)) | None => limits::LAST_USE_INTERVAL,
        };
        now.since(last).max(last.since(now)) >= interval
    }

    /// The token after a use at `now` from an address; `idle` is how long a session lives without
    /// use.
    #[must_use]
    pub fn touched(&self, now: Timestamp, idle: Duration, from: IpAddr) -> Token {
        let mut token = self.clone();
        token.last_used_at = now;
        if let Some(grant) = &mut token.grant {
            grant.last_address = Some(from);
        }
        if token.kind == TokenKind::Session {
            token.expires_at = now.after(idle);
            token.refreshable_until = token.expires_at;
        }
        token
    }

    /// Who reports events with it: the machine, for a token that the administrator made.
    pub fn reporter(&self) -> Principal {
        match &self.grant {
            Some(grant) if !grant.is_users_own() => Principal::Machine(grant.name),
            _ => self.holder,
        }
    }

    /// When it expires; none if it never does.
    pub fn end(&self) -> Option<Timestamp> {
        self.expires_at.unless_never()
    }

    /// From when on it can be neither used nor exchanged, and may be removed.
    pub fn forgettable_at(&self) -> Timestamp {
        match self.kind {
            TokenKind::Machine => self.expires_at,
            _ => self.expires_at.max(self.refreshable_until),
        }
    }
}

/// The claims of an access token (RFC 7519, section 4.1). The same claims always give the same
/// signed text, because Ed25519 uses no randomness: a successor can be sent twice although its text
/// is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessClaims<'a> {
    /// Who issued it.
    pub iss: &'a str,
    /// The subject: the user's id.
    pub sub: String,
    /// The token's public id.
    pub jti: TokenId,
    /// When it was issued, in seconds since the epoch.
    pub iat: i64,
    /// When it expires, in seconds since the epoch.
    pub exp: i64,
}

#[cfg(test)]
impl Token {
    /// A session that was issued at the epoch, and expired then, for tests.
    pub(crate) fn sample(id: TokenId, holder: Principal) -> Token {
        let at = Timestamp::default();
        Token {
            id,
            family: id,
            kind: TokenKind::Session,
            holder,
            epoch: 0,
            issued_at: at,
            expires_at: at,
            refreshable_until: at,
            last_used_at: at,
            client: Client::new([192, 0, 2, 1].into(), None),
            renewal: None,
            retired: None,
            grant: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn token() -> Token {
        let at = Timestamp::from_millis;
        Token {
            epoch: 3,
            expires_at: at(100_000),
            refreshable_until: at(100_000),
            ..Token::sample(TokenId(Uuid::nil()), Principal::Admin)
        }
    }

    #[test]
    fn a_token_is_live_until_the_moment_it_expires() {
        let at = Timestamp::from_millis;
        let status = |epoch, now| token().status(epoch, now, false);
        assert_eq!(status(Some(3), at(99_999)), TokenStatus::Live);
        assert_eq!(status(Some(3), at(100_000)), TokenStatus::Expired);
        assert_eq!(status(Some(4), at(5)), TokenStatus::Revoked);
        assert_eq!(status(None, at(5)), TokenStatus::Revoked);
    }

    #[test]
    fn an_exchanged_token_lives_on_for_the_grace_only() {
        let at = Timestamp::from_millis;
        let retired = Retired {
            at: at(50_000),
            successor: Digest([1; 32]),
        };
        let status = |in_grace| {
            let retired = Some(retired);
            Token { retired, ..token() }.status(Some(3), at(50_001), in_grace)
        };
        assert_eq!(status(true), TokenStatus::Live);
        assert_eq!(status(false), TokenStatus::Revoked);

        let millis = Duration::from_millis;
        let exactly = |monotonic, now| {
            retired.is_in_grace(
                ExchangedAt::Exactly(millis(500)),
                at(now),
                millis(monotonic),
            )
        };
        for now in [0, 50_000, i64::MAX] {
            assert!(exactly(10_499, now) && !exactly(10_500, now));
        }
        let before = |monotonic, now| {
            retired.is_in_grace(ExchangedAt::Before(millis(500)), at(now), millis(monotonic))
        };
        assert!(before(600, 50_000) && before(600, 59_999));
        assert!(!before(600, 49_999) && !before(600, 60_000) && !before(10_500, 59_999));
    }

    #[test]
    fn a_session_lives_on_by_use_and_is_written_once_a_minute() {
        let at = Timestamp::from_millis;
        let from = [10, 0, 0, 7].into();
        let is_worth = |token: &Token, now| token.is_worth_touching(at(now), from);
        assert!(!is_worth(&token(), 59_999) && is_worth(&token(), 60_000));
        // A last use in the future is put right.
        let ahead = token().touched(at(60_000), Duration::from_secs(100), from);
        assert!(!is_worth(&ahead, 1) && is_worth(&ahead, 0));
        let used = token().touched(at(60_000), Duration::from_secs(100), from);
        assert_eq!(
            (used.last_used_at, used.expires_at),
            (at(60_000), at(160_000))
        );
    }
}
