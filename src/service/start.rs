//! Starts the service: loads or generates its keys and passwords, stores the configured invites,
//! and ends the tokens of configured passwords that have changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Services;
use super::attempts::AttemptLimiter;
use super::clock::ServiceClock;
use super::limiter::Limiter;
use super::mailer::Mailer;
use super::passwords::PasswordPool;
use super::permits::Permits;
use super::quotas::Quotas;
use super::traffic::TokenChecks;
use crate::config::{Config, Credential};
use crate::crypto::{self, HashCost, Signer};
use crate::model::{InviteTerms, Principal, Secret, limits};
use crate::store::{self, Store, SystemValue};
use crate::world::World;

/// The length of a generated administrator password: 119 random bits that can be typed.
const GENERATED_PASSWORD_CHARS: usize = 20;

impl Services {
    /// Makes the service ready. It passes a generated administrator password to `announce` before
    /// it stores the hash: if the process dies between the two, the next start generates another.
    pub async fn start(
        config: Arc<Config>,
        world: World,
        store: Arc<dyn Store>,
        announce: impl FnOnce(&Secret) + Send,
    ) -> store::Result<Arc<Services>> {
        let cost = HashCost {
            memory_bytes: config.accounts.hash_memory,
            passes: config.accounts.hash_passes,
        };
        let clock =
            ServiceClock::start(&config.clock, Arc::clone(&world.clock), Arc::clone(&store))?;
        let token_checks = Arc::new(TokenChecks::default());
        let passwords = PasswordPool::start(cost, &token_checks, &world.clock);
        let seed = world.random_bytes::<32>().to_vec();
        let seed = store
            .keep_system_value(SystemValue::SigningSeed, seed)
            .await?;
        let signer = Signer::from_seed(&seed)
            .ok_or_else(|| store::Error::Corrupt("the signing key is invalid".into()))?;
        let admin_password = match &config.admin.password {
            Some(configured) => configured.clone(),
            None => generated_password(&world, store.as_ref(), &passwords, announce).await?,
        };
        let services = Services {
            mailer: Mailer::new(&config.mail),
            attempts: AttemptLimiter::new(&config.limits),
            limiter: Limiter::new(&config.limits),
            quotas: Quotas::new(&config.limits),
            dummy_hash: crypto::dummy_hash(cost, &world),
            mail_is_due: Notify::new(),
            exports: Permits::new(limits::EXPORTS_AT_ONCE, limits::EXPORT_UNDISTURBED),
            // A listener is not slow: it waits for events. It keeps its permit.
            listeners: Permits::new(limits::LIVE_LISTENERS, Duration::MAX),
            config,
            world,
            store,
            clock,
            passwords,
            token_checks,
            signer,
            admin_password,
        };
        services.end_tokens_of_old_passwords().await?;
        services.offer_invites().await?;
        Ok(Arc::new(services))
    }

    /// Ends every token that was issued under an earlier password of the administrator or the hub.
    async fn end_tokens_of_old_passwords(&self) -> store::Result<()> {
        let salt = self.world.random_bytes::<16>().to_vec();
        let salt = self
            .store
            .keep_system_value(SystemValue::FingerprintSalt, salt)
            .await?;
        let admin = std::slice::from_ref(&self.admin_password);
        let admin = self.fingerprint(admin, &salt).await;
        let hub = self.fingerprint(&self.config.hub.passwords, &salt).await;
        self.store.reconcile(Principal::Admin, admin).await?;
        self.store.reconcile(Principal::Hub, hub).await?;
        Ok(())
    }

    /// A text that changes with the passwords and does not reveal them: configured hashes
    /// unchanged, and a slow hash of the passwords in clear.
    async fn fingerprint(&self, credentials: &[Credential], salt: &[u8]) -> String {
        let (mut clear, mut hashes) = (String::new(), String::new());
        for credential in credentials {
            match credential {
                Credential::Hash(phc) => hashes += phc,
                Credential::Plain(secret) => {
                    clear += &secret.reveal().len().to_string();
                    clear += ":";
                    clear += secret.reveal();
                }
            }
        }
        if !clear.is_empty() {
            let mut fixed = [0; 16];
            fixed
                .iter_mut()
                .zip(salt)
                .for_each(|(to, from)| *to = *from);
            // Nothing else waits for the pool at the start: it cannot be too busy.
            hashes += &self
                .passwords
                .hash(&Secret::new(clear), fixed)
                .await
                .unwrap_or_default();
        }
        hashes
    }

    async fn offer_invites(&self) -> store::Result<()> {
        let offer = |(code, terms): &(String, InviteTerms)| {
            (crypto::digest(code.as_bytes()), terms.clone())
        };
        let invites: Vec<_> = self.config.accounts.invites.iter().map(offer).collect();
        if invites.is_empty() {
            Ok(())
        } else {
            self.store.offer_invites(invites).await
        }
    }
}

/// The hash of the administrator's password, which is generated at the first start without a
/// configured one.
async fn generated_password(
    world: &World,
    store: &dyn Store,
    passwords: &PasswordPool,
    announce: impl FnOnce(&Secret) + Send,
) -> store::Result<Credential> {
    let which = SystemValue::AdminHash;
    let kept = if let Some(kept) = store.find_system_value(which).await? {
        kept
    } else {
        let password = crypto::random_alphanumeric(world, GENERATED_PASSWORD_CHARS);
        let hash = passwords.hash(&password, world.random_bytes()).await;
        let hash = hash.map_err(|_| store::Error::Busy)?;
        announce(&password);
        store.keep_system_value(which, hash.into_bytes()).await?
    };
    let phc = String::from_utf8(kept).map_err(|_| {
        store::Error::Corrupt("the administrator's password hash is not UTF-8".into())
    })?;
    Ok(Credential::Hash(phc))
}
