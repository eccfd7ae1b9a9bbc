//! The administrator's password where the configuration sets none: doorward generates it, shows it
//! once, and keeps its hash in the store.

use std::sync::Arc;

use super::passwords::PasswordPool;
use super::{Error, Services};
use crate::config::Credential;
use crate::crypto;
use crate::model::{AuditContext, Secret, Timestamp};
use crate::store::{self, Store, SystemValue};
use crate::world::World;

/// The length of a generated password: 119 random bits that can be typed.
const GENERATED_PASSWORD_CHARS: usize = 20;

/// A new password.
pub fn generate(world: &World) -> Secret {
    crypto::random_alphanumeric(world, GENERATED_PASSWORD_CHARS)
}

/// The stored hash; none if there is none or it is damaged.
pub(super) async fn stored(store: &dyn Store) -> store::Result<Option<Credential>> {
    let kept = store.find_system_value(SystemValue::AdminHash).await?;
    Ok(kept
        .and_then(|it| String::from_utf8(it).ok())
        .map(Credential::Hash))
}

/// The stored hash. At the first start, or if the stored one is damaged, a new password is made:
/// it is passed to `announce` before its hash is stored.
pub(super) async fn stored_or_new(
    world: &World,
    store: &dyn Store,
    passwords: &PasswordPool,
    now: Timestamp,
    announce: impl FnOnce(&Secret) + Send,
) -> store::Result<Credential> {
    if let Some(stored) = stored(store).await? {
        return Ok(stored);
    }
    let password = generate(world);
    let hash = passwords.hash(&password, world.random_bytes()).await;
    let hash = hash.map_err(|_| store::Error::Busy)?;
    announce(&password);
    let by = AuditContext::server(now);
    store.replace_admin_hash(hash.clone(), by).await?;
    Ok(Credential::Hash(hash))
}

impl Services {
    /// Makes a new administrator's password, which is in force at once, and ends the tokens of the
    /// old one. None: the configuration sets the password, so that nothing was changed.
    pub async fn reset_admin_password(
        self: &Arc<Services>,
        by: AuditContext,
    ) -> Result<Option<Secret>, Error> {
        if self.config().admin.password.is_some() {
            return Ok(None);
        }
        let password = generate(&self.world);
        let hash = self
            .passwords
            .hash(&password, self.world.random_bytes())
            .await?;
        let services = Arc::clone(self);
        // A task of its own: if the caller goes away, memory must still follow the store.
        let replaced = tokio::spawn(async move { services.replace_admin_hash(hash, by).await });
        replaced
            .await
            .map_err(|error| Error::Internal(Box::new(error)))??;
        Ok(Some(password))
    }
}
