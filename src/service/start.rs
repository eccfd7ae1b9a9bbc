//! Starts the service: loads or generates its keys and passwords, and stores the configured
//! invites.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

use super::attempts::AttemptLimiter;
use super::clock::ServiceClock;
use super::configured_logins::ConfiguredLogins;
use super::counts::ServiceCounts;
use super::failures::Failures;
use super::key_ring::KeyRing;
use super::limiter::Limiter;
use super::passwords::PasswordPool;
use super::permits::Permits;
use super::quotas::Quotas;
use super::traffic::TokenChecks;
use super::{Services, admin_password};
use crate::config::{Config, CurrentConfig};
use crate::crypto::{self, HashCost};
use crate::metrics::Sources;
use crate::model::{InviteTerms, Secret, limits};
use crate::store::{self, Store};
use crate::world::World;

impl Services {
    /// Makes the service ready. It passes a generated administrator password to `announce` before
    /// it stores the hash: if the process dies between the two, the next start generates another.
    pub async fn start(
        config: Arc<Config>,
        world: World,
        store: Arc<dyn Store>,
        announce: impl FnOnce(&Secret) + Send,
    ) -> store::Result<Arc<Services>> {
        let current = CurrentConfig::new(Arc::clone(&config));
        let cost = HashCost {
            memory_bytes: config.accounts.hash_memory,
            passes: config.accounts.hash_passes,
        };
        let clock =
            ServiceClock::start(&config.clock, Arc::clone(&world.clock), Arc::clone(&store))?;
        let token_checks = Arc::new(TokenChecks::default());
        let passwords = PasswordPool::start(cost, &token_checks, &world.clock);
        let keys = store
            .signing_keys(
                world.random_bytes(),
                config.tokens.access_lifetime,
                clock.moment(),
            )
            .await?;
        let keys = Arc::new(KeyRing::new(&keys)?);
        let admin = config.admin.password.clone();
        let admin = match admin {
            None => {
                let (store, now) = (store.as_ref(), clock.moment());
                admin_password::stored_or_new(&world, store, &passwords, now, announce).await?
            }
            Some(configured) => configured,
        };
        let logins = ConfiguredLogins::new(admin, config.hub.passwords.clone());
        let services = Services {
            attempts: AttemptLimiter::new(&current),
            limiter: Limiter::new(&current),
            quotas: Quotas::new(&current),
            dummy_hash: crypto::dummy_hash(cost, &world),
            failures: Failures::default(),
            mail_is_due: Notify::new(),
            exports: Permits::new(limits::EXPORTS_AT_ONCE, limits::EXPORT_UNDISTURBED),
            // A listener is not slow: it waits for events. It keeps its permit.
            listeners: Permits::new(limits::LIVE_LISTENERS, Duration::MAX),
            addresses: OnceLock::new(),
            config: current,
            world,
            sources: Sources::default(),
            counts: ServiceCounts::default(),
            store,
            clock,
            passwords,
            token_checks,
            keys,
            logins,
        };
        services.offer_invites().await?;
        Ok(Arc::new(services))
    }

    /// Makes the invites of the configuration the only ones that are open.
    pub(super) async fn offer_invites(&self) -> store::Result<()> {
        let offer = |(code, terms): &(String, InviteTerms)| {
            (crypto::digest(code.as_bytes()), terms.clone())
        };
        let config = self.config();
        let invites: Vec<_> = config.accounts.invites.iter().map(offer).collect();
        self.store.offer_invites(invites).await
    }
}
