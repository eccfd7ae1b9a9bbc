//! Verifies the passwords of accounts, of the administrator and of the hub. For an unknown account
//! the password is compared with a dummy hash, in the same queue and at the same cost.

use std::net::IpAddr;
use std::sync::Arc;

use super::attempts::{Allowance, Attempt, LoginTarget};
use super::{Error, Services};
use crate::config::Credential;
use crate::crypto::{self, Verdict};
use crate::model::{
    AuditAction, Caller, Client, Email, Principal, Secret, TokenId, User, UserId, limits, network,
};
use crate::store;

/// How a login names its account.
#[derive(Debug, Clone)]
pub enum Login {
    /// By its id.
    Id(UserId),
    /// By its email address.
    Email(Email),
    /// By a text that is neither, so no account can have it.
    Unknown(String),
}

impl Login {
    /// The login of an id as text.
    pub fn by_id(text: &str) -> Login {
        UserId::parse(text).map_or_else(|| Login::Unknown(text.to_owned()), Login::Id)
    }

    /// The login of an email address as text.
    pub fn by_email(text: &str) -> Login {
        Email::parse(text).map_or_else(|_| Login::Unknown(text.to_owned()), Login::Email)
    }
}

impl Services {
    /// The account with this password. The rate limits apply before any hashing.
    pub(super) async fn verify_user(
        &self,
        login: Login,
        password: &Secret,
        caller: &Caller,
    ) -> Result<Arc<User>, Error> {
        let (target, user) = self.find_account(login).await?;
        let id = user.as_ref().map(|user| user.id);
        let verified = match self.admit_login(target, caller).await {
            Ok(attempt) => self.compare(attempt, user, password, caller).await,
            Err(refused) => Err(refused),
        };
        verified.inspect_err(|error| self.note_failure(error, AuditAction::LogIn, id, caller))
    }

    /// Checks that the holder of a token of this family knows the account's password too. Wrong
    /// passwords of other clients do not matter, not even from the same address.
    pub(super) async fn confirm(
        &self,
        family: TokenId,
        user: &Arc<User>,
        password: &Secret,
        caller: &Caller,
    ) -> Result<(), Error> {
        let now = self.world.clock.monotonic();
        let admitted = self
            .attempts
            .admit(None, Some(Allowance::Family(family)), now);
        let confirmed = match admitted {
            Ok(attempt) => {
                let user = Some(Arc::clone(user));
                self.compare(attempt, user, password, caller).await
            }
            Err(refused) => Err(refused),
        };
        let action = AuditAction::ConfirmPassword;
        confirmed
            .inspect_err(|error| self.note_failure(error, action, Some(user.id), caller))
            .map(drop)
    }

    /// Admits a login. Where strangers would be refused, the networks of the account's live tokens
    /// are looked up first: after a restart nothing else remembers who logged in from where.
    async fn admit_login(&self, target: LoginTarget, caller: &Caller) -> Result<Attempt, Error> {
        let admit = || {
            let network = self.limited_network(caller.client.address);
            let allowance = self.attempts.allowance(target, network);
            let now = self.world.clock.monotonic();
            self.attempts.admit(network, Some(allowance), now)
        };
        match (admit(), target) {
            (Err(Error::TooManyRequests { .. }), LoginTarget::Account(user))
                if self.attempts.is_worth_recalling(user) =>
            {
                let tokens = self
                    .store
                    .live_tokens(Principal::User(user), caller.at)
                    .await?;
                let networks = tokens
                    .iter()
                    .filter_map(|token| self.limited_network(token.client.address));
                let now = self.world.clock.monotonic();
                self.attempts.recall(user, networks, now);
                admit()
            }
            (outcome, _) => outcome,
        }
    }

    async fn compare(
        &self,
        attempt: Attempt,
        user: Option<Arc<User>>,
        password: &Secret,
        caller: &Caller,
    ) -> Result<Arc<User>, Error> {
        let phc = user
            .as_ref()
            .map_or(&self.dummy_hash, |user| &user.password_hash);
        let hashes = vec![phc.clone()];
        let (verdict, attempt) = self.verdict(password, hashes, attempt).await?;
        let Some(user) = user.filter(|user| verdict != Verdict::Wrong && !user.disabled) else {
            return Err(Error::BadCredentials);
        };
        attempt.succeed();
        self.trust_address(user.id, &caller.client);
        if verdict == Verdict::RightButOld
            && let Err(error) = self.rehash(&user, password).await
        {
            // The password was right anyway; the next login tries again.
            log::debug!("a password could not be rehashed: {error:?}");
        }
        Ok(user)
    }

    /// Notes that the owner of an account acts from this address: from now on strangers cannot lock
    /// the owner out there.
    pub(super) fn trust_address(&self, user: UserId, from: &Client) {
        if let Some(network) = self.limited_network(from.address) {
            let now = self.world.clock.monotonic();
            self.attempts.trust(user, network, now);
        }
    }

    /// Forgets the wrong passwords for an account that logins from this address are held to.
    pub(super) fn forgive(&self, user: UserId, from: &Client) {
        let network = self.limited_network(from.address);
        let target = LoginTarget::Account(user);
        let allowance = self.attempts.allowance(target, network);
        self.attempts.forgive(allowance);
    }

    /// The network that limits of addresses apply to. None for a trusted proxy: it stands for many
    /// clients, and must not be refused for what one of them does.
    pub(super) fn limited_network(&self, address: IpAddr) -> Option<IpAddr> {
        let is_proxy = self.config().server.is_trusted_proxy(address);
        (!is_proxy).then(|| network(address))
    }

    async fn rehash(&self, user: &User, password: &Secret) -> Result<(), Error> {
        let salt = self.world.random_bytes();
        let hash = self.passwords.hash(password, salt).await?;
        let old = user.password_hash.clone();
        Ok(self.store.rehash_password(user.id, old, hash).await?)
    }

    /// Compares a password with hashes. A password over the accepted length is wrong without
    /// hashing, so that no client makes the server hash megabytes.
    async fn verdict(
        &self,
        password: &Secret,
        hashes: Vec<String>,
        mut attempt: Attempt,
    ) -> Result<(Verdict, Attempt), Error> {
        if hashes.is_empty() || password.normalized().reveal().len() > limits::PASSWORD_BYTES {
            attempt.note_comparison();
            return Ok((Verdict::Wrong, attempt));
        }
        self.passwords.verify(password, hashes, attempt).await
    }

    async fn find_account(&self, login: Login) -> Result<(LoginTarget, Option<Arc<User>>), Error> {
        let (typed, user) = match login {
            // In its normal form: another spelling of an id must not be another target.
            Login::Id(id) => (id.to_string(), self.store.find_user(id).await?),
            Login::Email(email) => (email.key(), self.find_user_by_email(&email).await?),
            Login::Unknown(text) => (text, None),
        };
        let nobody = || LoginTarget::Nobody(crypto::digest(typed.as_bytes()));
        let target = user
            .as_ref()
            .map_or_else(nobody, |user| LoginTarget::Account(user.id));
        Ok((target, user))
    }

    /// The account of an address.
    pub(super) async fn find_user_by_email(
        &self,
        email: &Email,
    ) -> Result<Option<Arc<User>>, store::Error> {
        for key in email.keys() {
            if let Some(user) = self.store.find_user_by_email(&key).await? {
                return Ok(Some(user));
            }
        }
        Ok(None)
    }

    /// Checks the administrator's name and password; returns the epoch of their tokens.
    pub(super) async fn verify_admin(
        &self,
        username: &str,
        password: &Secret,
        caller: &Caller,
    ) -> Result<u32, Error> {
        let is_named = crypto::digest(username.as_bytes())
            == crypto::digest(self.config().admin.username.as_bytes());
        self.verify_configured(Principal::Admin, is_named, password, caller)
            .await
    }

    /// Checks one of the hub's passwords; returns the epoch of their tokens.
    pub(super) async fn verify_hub(
        &self,
        password: &Secret,
        caller: &Caller,
    ) -> Result<u32, Error> {
        self.verify_configured(Principal::Hub, true, password, caller)
            .await
    }

    /// Compares a password with the configured ones of a holder, and writes down a failure.
    async fn verify_configured(
        &self,
        holder: Principal,
        is_named: bool,
        password: &Secret,
        caller: &Caller,
    ) -> Result<u32, Error> {
        let verified = self
            .compare_configured(holder, is_named, password, &caller.client)
            .await;
        verified.inspect_err(|error| self.note_failed_login(error, holder, caller))
    }

    /// Compares a password with the configured ones of a holder; without the right name it is wrong
    /// in any case. Only the limit of the address applies: configured passwords have no owner whom
    /// it could lock out.
    async fn compare_configured(
        &self,
        holder: Principal,
        is_named: bool,
        password: &Secret,
        from: &Client,
    ) -> Result<u32, Error> {
        let network = self.limited_network(from.address);
        let now = self.world.clock.monotonic();
        let attempt = self.attempts.admit(network, None, now)?;
        let login = self.login_in_force(holder).await?;
        let (login, epoch) = login.ok_or(Error::BadCredentials)?;
        let typed = crypto::digest_of(&password.normalized());
        let (mut is_right, mut hashes) = (false, Vec::new());
        for credential in &login.credentials {
            match credential {
                // Compares digests, so that the duration reveals nothing about the password.
                Credential::Plain(secret) => {
                    is_right |= crypto::digest_of(&secret.normalized()) == typed;
                }
                Credential::Hash(phc) => hashes.push(phc.clone()),
            }
        }
        let (verdict, attempt) = self.verdict(password, hashes, attempt).await?;
        if is_named && (is_right || verdict != Verdict::Wrong) {
            attempt.succeed();
            Ok(epoch)
        } else {
            Err(Error::BadCredentials)
        }
    }
}
