//! Signs access tokens, and changes the keys for that.

use std::sync::Arc;

use super::key_ring::{ListedKey, RingKey};
use super::{Error, Services};
use crate::config::Config;
use crate::crypto::{self, PublicKey};
use crate::model::{AccessClaims, AuditContext, KeyChange, KeyFault, Secret, Timestamp, Token};
use crate::store;

/// What the JWT of an access token says.
fn claims<'a>(token: &Token, config: &'a Config) -> AccessClaims<'a> {
    AccessClaims {
        iss: &config.server.public_url,
        sub: token.holder.to_string(),
        jti: token.id,
        iat: token.issued_at.seconds(),
        exp: token.expires_at.seconds(),
    }
}

impl Services {
    /// The JWT of an access token.
    pub(super) fn sign(&self, token: &Token) -> Secret {
        let ring = self.keys.get();
        ring.current.signer.sign(&claims(token, &self.config()))
    }

    /// The JWT of an access token that was issued before. The same claims give the same JWT, so it
    /// is not stored; but the key that signed it may not be the one in use any more.
    pub(super) async fn sign_again(&self, token: &Token) -> Result<Secret, Error> {
        let (ring, config) = (self.keys.get(), self.config());
        for key in ring.all() {
            let again = key.signer.sign(&claims(token, &config));
            let found = self.store.find_token(&crypto::digest_of(&again)).await?;
            if found.is_some() {
                return Ok(again);
            }
        }
        Err(Error::BadToken)
    }

    /// The public keys by which others verify access tokens: of the key in use, of the next one,
    /// and of those whose tokens have not all expired.
    pub fn public_keys(&self, now: Timestamp) -> Vec<PublicKey> {
        let ring = self.keys.get();
        ring.of_use(now).map(|it| it.signer.public_key()).collect()
    }

    /// The keys that sign access tokens, in the order of the key set.
    pub fn list_keys(&self, now: Timestamp) -> Vec<ListedKey> {
        let ring = self.keys.get();
        ring.of_use(now).map(RingKey::listed).collect()
    }

    /// Makes the next key, unless there is one: others can fetch it before it is used.
    pub async fn prepare_key(&self, by: AuditContext) -> Result<(), Error> {
        self.change_keys(KeyChange::Prepare, by).await
    }

    /// Lets the next key sign, or a new one. The key before stays in the key set until the last of
    /// its tokens expires.
    pub async fn rotate_key(&self, by: AuditContext) -> Result<(), Error> {
        let delay = self.config().limits.request_timeout;
        self.change_keys(KeyChange::Rotate { delay }, by).await
    }

    /// Removes a key that does not sign from the key set. Error: `UnknownId`.
    pub async fn remove_key(&self, id: &str, by: AuditContext) -> Result<(), Error> {
        let ring = self.keys.get();
        let found = ring.all().find(|it| it.signer.key_id() == id);
        let seed = found.ok_or(Error::UnknownId)?.key.seed;
        self.change_keys(KeyChange::Remove { seed }, by).await
    }

    async fn change_keys(&self, change: KeyChange, by: AuditContext) -> Result<(), Error> {
        let (seed, is_suspect) = (self.world.random_bytes(), self.clock_is_suspect());
        let (store, keys) = (Arc::clone(&self.store), Arc::clone(&self.keys));
        // A request that goes away must not leave a change that is stored and not in force.
        let changing = tokio::spawn(async move {
            let _one_at_a_time = keys.changing.lock().await;
            let changed = store
                .change_signing_keys(change, seed, is_suspect, by)
                .await?;
            if let Ok(stored) = &changed {
                keys.replace(stored)?;
            }
            Ok::<_, store::Error>(changed)
        });
        let changed = changing.await.map_err(|it| Error::Internal(it.into()))?;
        match changed? {
            Ok(_) => Ok(()),
            Err(KeyFault::Unknown) => Err(Error::UnknownId),
            Err(KeyFault::InUse) => Err(Error::Conflict(
                "this key signs: rotate first, then remove it".to_owned(),
            )),
            Err(KeyFault::TooManyOld) => Err(Error::Conflict(
                "there are as many old keys as others should have to fetch: remove one, or wait \
                 until its tokens have expired"
                    .to_owned(),
            )),
        }
    }

    /// Notes how long access tokens live by the configuration in force, for the end of the key that
    /// signs them.
    pub(super) async fn follow_lifetime(&self) -> Result<(), Error> {
        let lifetime = self.config().tokens.access_lifetime;
        let seed = self.world.random_bytes();
        let _one_at_a_time = self.keys.changing.lock().await;
        self.store.signing_keys(seed, lifetime, self.now()).await?;
        Ok(())
    }
}
