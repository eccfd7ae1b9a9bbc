//! Verifies the passwords of accounts, of the administrator and of the hub. For an unknown account
//! the password is compared with a dummy hash, in the same queue and at the same cost.

use std::sync::Arc;

use super::limiter::{Action, LoginTarget};
use super::{Error, Services};
use crate::config::Credential;
use crate::crypto::{self, Verdict};
use crate::model::{Client, Email, Secret, User, UserId, limits};

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
        from: &Client,
    ) -> Result<Arc<User>, Error> {
        let (target, user) = self.find_account(login).await?;
        self.compare(target, user, password, from).await
    }

    /// Checks that the holder of a token of this account knows its password too.
    pub(super) async fn confirm(
        &self,
        user: &Arc<User>,
        password: &Secret,
        from: &Client,
    ) -> Result<(), Error> {
        let target = LoginTarget::Account(user.id);
        self.compare(target, Some(Arc::clone(user)), password, from)
            .await
            .map(drop)
    }

    async fn compare(
        &self,
        target: LoginTarget,
        user: Option<Arc<User>>,
        password: &Secret,
        from: &Client,
    ) -> Result<Arc<User>, Error> {
        let now = self.world.clock.monotonic();
        self.limiter.admit(Action::Password, from.address, now)?;
        self.limiter.admit_attempt(target, from.address, now)?;
        let phc = user
            .as_ref()
            .map_or(&self.dummy_hash, |user| &user.password_hash);
        let verdict = self.verdict(password, phc).await?;
        let Some(user) = user.filter(|user| verdict != Verdict::Wrong && !user.disabled) else {
            return Err(Error::BadCredentials);
        };
        self.limiter.refund(Action::Password, from.address, now);
        self.limiter.trust_address(user.id, from.address, now);
        if verdict == Verdict::RightButOld
            && let Err(error) = self.rehash(&user, password).await
        {
            // The password was right anyway; the next login tries again.
            log::debug!("a password could not be rehashed: {error:?}");
        }
        Ok(user)
    }

    async fn rehash(&self, user: &User, password: &Secret) -> Result<(), Error> {
        let salt = self.world.random_bytes();
        let hash = self.passwords.hash(password, salt).await?;
        let old = user.password_hash.clone();
        Ok(self.store.rehash_password(user.id, old, hash).await?)
    }

    /// Compares a password with a hash. A password over the accepted length is wrong without
    /// hashing, so that no client makes the server hash megabytes.
    async fn verdict(&self, password: &Secret, phc: &str) -> Result<Verdict, Error> {
        if password.reveal().len() > limits::PASSWORD_BYTES {
            return Ok(Verdict::Wrong);
        }
        self.passwords.verify(password, phc).await
    }

    async fn find_account(&self, login: Login) -> Result<(LoginTarget, Option<Arc<User>>), Error> {
        let (typed, user) = match login {
            // In its normal form: another spelling of an id must not be another target.
            Login::Id(id) => (id.to_string(), self.store.find_user(id).await?),
            Login::Email(email) => {
                let key = email.key();
                let user = self.store.find_user_by_email(&key).await?;
                (key, user)
            }
            Login::Unknown(text) => (text, None),
        };
        let nobody = || LoginTarget::Nobody(crypto::digest(typed.as_bytes()));
        let target = user
            .as_ref()
            .map_or_else(nobody, |user| LoginTarget::Account(user.id));
        Ok((target, user))
    }

    /// Whether these are the administrator's name and password.
    pub(super) async fn verify_admin(
        &self,
        username: &str,
        password: &Secret,
        from: &Client,
    ) -> Result<(), Error> {
        let known = crypto::digest(username.as_bytes())
            == crypto::digest(self.config.admin.username.as_bytes());
        let right = self
            .is_any(std::slice::from_ref(&self.admin_password), password, from)
            .await?;
        if known && right {
            Ok(())
        } else {
            Err(Error::BadCredentials)
        }
    }

    /// Whether this is one of the hub's passwords.
    pub(super) async fn verify_hub(&self, password: &Secret, from: &Client) -> Result<(), Error> {
        let right = self
            .is_any(&self.config.hub.passwords, password, from)
            .await?;
        if right {
            Ok(())
        } else {
            Err(Error::BadCredentials)
        }
    }

    /// Whether a password is one of the configured ones. Only the limit of the address applies:
    /// configured passwords have no owner whom it could lock out.
    async fn is_any(
        &self,
        credentials: &[Credential],
        password: &Secret,
        from: &Client,
    ) -> Result<bool, Error> {
        let now = self.world.clock.monotonic();
        self.limiter.admit(Action::Password, from.address, now)?;
        let mut right = false;
        for credential in credentials {
            right |= match credential {
                // Compares digests, so that the duration reveals nothing about the password.
                Credential::Plain(secret) => {
                    crypto::digest_of(secret) == crypto::digest_of(password)
                }
                Credential::Hash(phc) => self.verdict(password, phc).await? != Verdict::Wrong,
            };
        }
        if right {
            self.limiter.refund(Action::Password, from.address, now);
        }
        Ok(right)
    }
}
