//! Issues, checks, renews and ends tokens. The secret exists only in the answer that brings it and
//! in the client; everything else knows only its digest.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::authentication::Login;
use super::{Error, Services};
use crate::crypto;
use crate::model::{
    Actor, AuditAction, Caller, Digest, Grant, NewToken, Principal, Refusal, Scope, Secret,
    Timestamp, Token, TokenId, TokenKind, TokenStatus, User, UserId,
};
use crate::store::{FoundToken, Refreshed};

/// Cannot be made outside this file.
#[derive(Debug, Clone, Copy)]
struct Proof;

/// The proof that a live token was shown. Only `authenticate` makes one.
#[derive(Debug, Clone)]
pub struct Bearer {
    /// The token.
    pub token: Arc<Token>,
    /// Its digest.
    pub digest: Digest,
    /// The account that acts with it, if its holder is one.
    pub user: Option<Arc<User>>,
    #[expect(dead_code, reason = "its type is what it says")]
    proof: Proof,
}

/// A token that was just issued, with its secret, which the server does not keep.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The secret that the client sends from now on.
    pub secret: Secret,
    /// The code that renews the token, if tokens of its kind have one.
    pub renewal: Option<Secret>,
    /// The token.
    pub token: Token,
}

impl Issued {
    /// The token as the store gets it: with the digest instead of the secret.
    pub(super) fn as_new(&self) -> NewToken {
        NewToken {
            digest: crypto::digest_of(&self.secret),
            token: self.token.clone(),
        }
    }
}

impl Bearer {
    /// Who acts with the token.
    pub fn actor(&self) -> Actor {
        let grant = self.token.grant.as_ref();
        grant.map_or(Actor::Holder(self.token.holder), Grant::actor)
    }
}

impl Services {
    /// Checks a token that was shown from an address, and records that it was used. A machine token
    /// must have the scope `needed`; none accepts none. Errors: `AccessTokenExpired`,
    /// `TokenExpired`, `BadToken` if it is unknown or ended, `NotGranted`.
    pub async fn authenticate(
        &self,
        shown: &str,
        needed: Option<Scope>,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Bearer, Error> {
        self.token_checks.add();
        let checked = self.check_token(shown, needed, from, now).await;
        self.counts.checked_tokens.count(&checked);
        checked
    }

    async fn check_token(
        &self,
        shown: &str,
        needed: Option<Scope>,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Bearer, Error> {
        let digest = crypto::digest(shown.as_bytes());
        let found = self.live_token(&digest, now).await?;
        if let Some(grant) = &found.token.grant {
            grant.check(needed, self.named(from))?;
        }
        if found.token.is_worth_touching(now, from) {
            let (store, idle) = (
                Arc::clone(&self.store),
                self.config().tokens.session_idle_lifetime,
            );
            // The request does not wait for it: if the write fails, the session keeps its earlier
            // expiry, and the next use writes again.
            tokio::spawn(async move { store.touch_token(digest, idle, from, now).await });
        }
        Ok(Bearer {
            token: found.token,
            digest,
            user: found.user,
            proof: Proof,
        })
    }

    /// The address of a client as the networks of machine tokens see it: none if it is that of a
    /// trusted proxy, which then does not say for whom it speaks.
    fn named(&self, address: IpAddr) -> Option<IpAddr> {
        let is_proxy = self.config().server.is_trusted_proxy(address);
        (!is_proxy).then_some(address)
    }

    /// The live token with this digest. Errors: `AccessTokenExpired`, `TokenExpired`, `BadToken`.
    async fn live_token(&self, digest: &Digest, now: Timestamp) -> Result<FoundToken, Error> {
        let found = self.find_token(digest).await?;
        match self.status(&found, now) {
            TokenStatus::Live => Ok(found),
            TokenStatus::Expired if found.token.kind == TokenKind::Access => {
                Err(Error::AccessTokenExpired)
            }
            TokenStatus::Expired => Err(Error::TokenExpired),
            TokenStatus::Revoked => Err(Error::BadToken),
        }
    }

    /// Checks once more, after a wait, that a token is live, which is neither a use nor counted.
    /// Errors: those of `authenticate`.
    pub async fn check_again(&self, bearer: &Bearer) -> Result<(), Error> {
        self.live_token(&bearer.digest, self.now()).await.map(drop)
    }

    /// Resolves when the token that was shown is no longer live. It looks at the token at once and
    /// then every `events.heartbeat`, which does not count as a use.
    pub(super) async fn token_end(&self, bearer: &Bearer) {
        let mut heartbeat = interval(self.config().events.heartbeat);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            heartbeat.tick().await;
            // Also if the store cannot answer.
            if self.check_again(bearer).await.is_err() {
                return;
            }
        }
    }

    /// The token with this digest, whatever its status. Error: `BadToken` if it is unknown.
    pub(super) async fn find_token(&self, digest: &Digest) -> Result<FoundToken, Error> {
        let found = self.store.find_token(digest).await?;
        let mut found = found.ok_or(Error::BadToken)?;
        if let Some((_, epoch)) = self.login_in_force(found.token.holder).await? {
            found.epoch = Some(epoch);
        }
        Ok(found)
    }

    pub(super) fn status(&self, found: &FoundToken, now: Timestamp) -> TokenStatus {
        found.status(now, || self.world.clock.monotonic())
    }

    /// Token API: a token for the administrator.
    pub async fn log_in_admin(
        &self,
        username: &str,
        password: &Secret,
        caller: &Caller,
    ) -> Result<Issued, Error> {
        let verified = self.verify_admin(username, password, caller).await;
        let verified = verified.map(|epoch| (Principal::Admin, epoch));
        self.log_in(TokenKind::Admin, verified, caller).await
    }

    /// Token API: when a token of the administrator expires; none if it is not live.
    pub async fn admin_token_expiry(
        &self,
        shown: &str,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        match self.authenticate(shown, None, from, now).await {
            Ok(bearer) if bearer.token.holder == Principal::Admin => {
                Ok(Some(bearer.token.expires_at))
            }
            Ok(_)
            | Err(
                Error::BadToken
                | Error::TokenExpired
                | Error::AccessTokenExpired
                | Error::NotGranted(_),
            ) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// Hub API: a token for a client that knows a hub password.
    pub async fn log_in_hub(&self, password: &Secret, caller: &Caller) -> Result<Issued, Error> {
        let verified = self.verify_hub(password, caller).await;
        let verified = verified.map(|epoch| (Principal::Hub, epoch));
        self.log_in(TokenKind::Hub, verified, caller).await
    }

    /// Hub API: a further token; the one that was shown stays live until it expires.
    pub async fn renew_hub(&self, bearer: &Bearer, caller: &Caller) -> Result<Issued, Error> {
        if bearer.token.kind != TokenKind::Hub {
            return Err(Error::BadToken);
        }
        let epoch = bearer.token.epoch;
        let draft = self.draft(TokenKind::Hub, Principal::Hub, epoch, caller);
        self.issue(draft, AuditAction::RenewToken, caller).await
    }

    /// A token of `kind` for the account with this password.
    pub async fn log_in_user(
        &self,
        kind: TokenKind,
        login: Login,
        password: &Secret,
        caller: &Caller,
    ) -> Result<Issued, Error> {
        let verified = self.verify_user(login, password, caller).await;
        let verified = verified.map(|user| (Principal::User(user.id), user.epoch));
        self.log_in(kind, verified, caller).await
    }

    /// Issues a token if the password was right, and counts the login. The token gets the epoch in
    /// which the password was compared: if that epoch passes before the token is issued, the login
    /// fails.
    async fn log_in(
        &self,
        kind: TokenKind,
        verified: Result<(Principal, u32), Error>,
        caller: &Caller,
    ) -> Result<Issued, Error> {
        let issued = match verified {
            Ok((holder, epoch)) => {
                let draft = self.draft(kind, holder, epoch, caller);
                self.issue(draft, AuditAction::LogIn, caller).await
            }
            Err(error) => Err(error),
        };
        self.counts.login(kind, &issued);
        issued
    }

    /// Angen: exchanges a live token and its renewal code for a new pair.
    pub async fn renew_pair(
        &self,
        shown: &Secret,
        renewal: &Secret,
        caller: &Caller,
    ) -> Result<Issued, Error> {
        let (old, code) = (crypto::digest_of(shown), crypto::digest_of(renewal));
        let FoundToken { token, .. } = self.find_token(&old).await?;
        let mut issued = self.draft(TokenKind::Angen, token.holder, token.epoch, caller);
        let renewed = self
            .store
            .renew_token(old, code, issued.as_new(), caller.at)
            .await?;
        issued.token = renewed.ok_or(Error::BadToken)?;
        Ok(issued)
    }

    /// Core: exchanges an access token, expired or not, for its successor.
    pub async fn refresh_access(&self, shown: &Secret, caller: &Caller) -> Result<Secret, Error> {
        let old = crypto::digest_of(shown);
        let FoundToken { token, .. } = self.find_token(&old).await?;
        let draft = self.draft(TokenKind::Access, token.holder, token.epoch, caller);
        let monotonic = self.world.clock.monotonic();
        let refreshed = self
            .store
            .refresh_token(
                old,
                draft.as_new(),
                monotonic,
                caller.acting(Actor::Anonymous),
            )
            .await?;
        match refreshed {
            Refreshed::Done(_) => Ok(draft.secret),
            Refreshed::Again(token) => self.sign_again(&token).await,
            Refreshed::Reused(token) => {
                log::warn!(
                    "an exchanged access token was used again: all tokens of its login are revoked, family {}",
                    token.family
                );
                Err(Error::BadToken)
            }
            Refreshed::Refused => Err(Error::BadToken),
        }
    }

    /// Ends a token and its family, whatever its kind and status; of a machine the token alone, and
    /// only from its networks. False: it is unknown, or not ended from here.
    pub async fn log_out(&self, shown: &Secret, caller: &Caller) -> Result<bool, Error> {
        // No read before this: while another request ends the token, reads no longer find it before
        // that change is on the disk, and a crash after this answer would bring the token back.
        // Ending an unknown token writes nothing.
        let digest = crypto::digest_of(shown);
        let by = caller.acting(Actor::Anonymous);
        let from = self.named(caller.client.address);
        let is_ended = self.store.end_family(digest, from, by).await?;
        if !is_ended {
            let refused = Refusal::Network(from);
            self.note_refused_token(shown.reveal(), refused, caller)
                .await;
        }
        Ok(is_ended)
    }

    /// The sessions of an account, the most recently used first: its tokens but those that somebody
    /// else made for its programs.
    pub async fn sessions(&self, bearer: &Bearer, now: Timestamp) -> Result<Vec<Token>, Error> {
        let mut sessions = self.store.live_tokens(bearer.token.holder, now).await?;
        sessions.retain(|token| token.grant.as_ref().is_none_or(Grant::is_users_own));
        sessions.sort_by_key(|token| std::cmp::Reverse((token.last_used_at, token.issued_at)));
        Ok(sessions)
    }

    /// Ends one of the bearer's own sessions: none that the list leaves out.
    pub async fn end_session(
        &self,
        bearer: &Bearer,
        id: &str,
        caller: &Caller,
    ) -> Result<(), Error> {
        let id = TokenId::parse(id).ok_or(Error::SessionNotFound)?;
        let found = self.store.find_token_by_id(id).await?;
        let grant = found.and_then(|(token, _)| token.grant);
        if grant.is_some_and(|grant| !grant.is_users_own()) {
            return Err(Error::SessionNotFound);
        }
        let by = caller.acting(bearer.actor());
        let ended = self.store.end_token(bearer.token.holder, id, by).await?;
        if ended {
            Ok(())
        } else {
            Err(Error::SessionNotFound)
        }
    }

    /// Stores a draft. Error: `BadCredentials` if the holder's epoch has passed meanwhile.
    async fn issue(
        &self,
        draft: Issued,
        action: AuditAction,
        caller: &Caller,
    ) -> Result<Issued, Error> {
        let config = self.config();
        let tokens = &config.tokens;
        let most = match draft.token.holder {
            Principal::User(_) => tokens.per_user,
            Principal::Admin => tokens.admin_tokens,
            Principal::Hub => tokens.hub_tokens,
            Principal::Machine(_) => tokens.machine_tokens,
        };
        let by = caller.acting(Actor::Holder(draft.token.holder));
        let issued = self
            .store
            .issue_token(draft.as_new(), most, action, by)
            .await?;
        if issued {
            Ok(draft)
        } else {
            Err(Error::BadCredentials)
        }
    }

    /// The first session of a new account.
    pub(super) fn first_session(&self, user: UserId, caller: &Caller) -> Issued {
        self.draft(TokenKind::Session, Principal::User(user), 0, caller)
    }

    pub(super) fn draft(
        &self,
        kind: TokenKind,
        holder: Principal,
        epoch: u32,
        caller: &Caller,
    ) -> Issued {
        let now = caller.at;
        let id = TokenId::from_random(self.world.random_bytes());
        let lifetime = self.lifetime(kind);
        let expires_at = lifetime.map_or(Timestamp::NEVER, |lifetime| now.after(lifetime));
        let renewal = (kind == TokenKind::Angen).then(|| crypto::random_long_code(&self.world));
        let token = Token {
            id,
            family: id,
            kind,
            holder,
            epoch,
            issued_at: now,
            expires_at,
            refreshable_until: match kind {
                TokenKind::Access => expires_at.after(self.config().tokens.refresh_window),
                _ => expires_at,
            },
            last_used_at: now,
            client: caller.client.clone(),
            renewal: renewal.as_ref().map(crypto::digest_of),
            retired: None,
            grant: None,
        };
        let secret = match kind {
            TokenKind::Admin => crypto::random_alphanumeric(&self.world, 64),
            TokenKind::Hub => crypto::random_code(&self.world),
            TokenKind::Angen => crypto::random_long_code(&self.world),
            TokenKind::Session => {
                Secret::new(UserId::from_random(self.world.random_bytes()).to_string())
            }
            TokenKind::Access => self.sign(&token),
            TokenKind::Machine => crypto::random_machine_token(&self.world),
        };
        Issued {
            secret,
            renewal,
            token,
        }
    }

    /// How long tokens of a kind live; none: until their own end.
    fn lifetime(&self, kind: TokenKind) -> Option<Duration> {
        let config = self.config();
        let tokens = &config.tokens;
        Some(match kind {
            TokenKind::Admin => tokens.admin_lifetime,
            TokenKind::Hub => tokens.hub_lifetime,
            TokenKind::Angen => tokens.angen_lifetime,
            TokenKind::Session => tokens.session_idle_lifetime,
            TokenKind::Access => tokens.access_lifetime,
            TokenKind::Machine => return None,
        })
    }
}
