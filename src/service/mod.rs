//! The verbs that all five APIs share. *An API translates, a service decides, the store remembers*: nothing here knows HTTP or a
//! database. A verb returns what was asked for or a `Error`.

mod accounts;
mod authentication;
mod erasure;
mod error;
mod events;
mod history;
mod limiter;
mod live;
mod mailer;
mod message;
mod outbox;
mod passwords;
mod question;
mod quotas;
mod resets;
mod summary;
mod sweep;
mod tokens;

use std::sync::Arc;

use tokio::sync::{Notify, Semaphore};

use crate::config::{Config, Credential};
use crate::crypto::{self, HashCost, PublicKey, Signer};
use crate::model::{Digest, DiskUse, InviteTerms, Principal, Secret, Timestamp, limits};
use crate::store::{self, Health, Store, SystemValue};
use crate::world::World;

pub use accounts::{Login, Signup};
pub use erasure::ErasureRequest;
pub use error::Error;
pub use events::ReportedEvent;
pub use history::{EventQuestion, Export, position_chars, position_text};
pub use live::LiveQuestion;
pub use resets::Redemption;
pub use summary::{SummaryQuestion, SummaryRange};
pub use tokens::{Bearer, Issued};

use limiter::Limiter;
use mailer::Mailer;
use passwords::PasswordPool;

/// A password that is made for the administrator: 119 random bits that can be typed.
const MADE_PASSWORD_CHARS: usize = 20;

/// Everything that is alive, shared by all requests.
pub struct Services {
    /// What the owner decided.
    pub config: Arc<Config>,
    /// Time and chance.
    pub world: World,
    store: Arc<dyn Store>,
    passwords: PasswordPool,
    limiter: Limiter,
    signer: Signer,
    mailer: Mailer,
    /// The administrator's password: the configured one, or the hash of the one that was made at the first start.
    admin_password: Credential,
    /// Compared with the password of an account that does not exist, so that the answer takes as long.
    dummy_hash: String,
    /// Told when a mail is put into the outbox.
    mail_is_due: Notify,
    /// A permit for each export that may run.
    exports: Arc<Semaphore>,
}

impl Services {
    /// Makes everything ready to serve. A password that is made for the administrator is handed to `announce` before its
    /// hash is kept: should we die between the two, the next start makes another.
    pub async fn start(
        config: Arc<Config>,
        world: World,
        store: Arc<dyn Store>,
        announce: impl FnOnce(&Secret) + Send,
    ) -> Result<Arc<Services>, store::Error> {
        let cost = HashCost {
            memory_bytes: config.accounts.hash_memory,
            passes: config.accounts.hash_passes,
        };
        let passwords = PasswordPool::start(cost);
        let seed = world.random_bytes::<32>().to_vec();
        let seed = store
            .keep_system_value(SystemValue::SigningSeed, seed)
            .await?;
        let signer = Signer::from_seed(&seed)
            .ok_or_else(|| store::Error::Corrupt("the signing key is no key".into()))?;
        let admin_password = match &config.admin.password {
            Some(configured) => configured.clone(),
            None => made_password(&world, store.as_ref(), &passwords, announce).await?,
        };
        let services = Services {
            mailer: Mailer::new(&config.mail),
            limiter: Limiter::new(&config.limits),
            dummy_hash: crypto::dummy_hash(cost, &world),
            mail_is_due: Notify::new(),
            exports: Arc::new(Semaphore::new(limits::EXPORTS_AT_ONCE)),
            config,
            world,
            store,
            passwords,
            signer,
            admin_password,
        };
        services.end_tokens_of_old_passwords().await?;
        services.offer_invites().await?;
        Ok(Arc::new(services))
    }

    /// The key that access tokens are signed with, for others to verify them.
    pub fn public_key(&self) -> PublicKey {
        self.signer.public_key()
    }

    /// What the data take of the disk, and how much of it is written.
    pub async fn disk_use(&self, now: Timestamp) -> Result<DiskUse, Error> {
        Ok(self.store.disk_use(now).await?)
    }

    /// How the store is.
    pub fn health(&self) -> Health {
        self.store.health()
    }

    /// The blocks of events that were found damaged since the start.
    pub fn damaged_blocks(&self) -> usize {
        self.store.damaged_blocks()
    }

    /// A password in the configuration that is not the one of the last start ends every token that was had with the old one.
    async fn end_tokens_of_old_passwords(&self) -> store::Result<()> {
        let salt = self.world.random_bytes::<16>().to_vec();
        let salt = self
            .store
            .keep_system_value(SystemValue::FingerprintSalt, salt)
            .await?;
        let admin = self
            .fingerprint(std::slice::from_ref(&self.admin_password), &salt)
            .await;
        let hub = self.fingerprint(&self.config.hub.passwords, &salt).await;
        self.store.reconcile(Principal::Admin, admin).await?;
        self.store.reconcile(Principal::Hub, hub).await?;
        Ok(())
    }

    /// What passwords look like without telling them: hashes as they are, passwords in clear hashed slowly.
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
            // At the start nobody else waits for the pool: it cannot be too busy.
            hashes += &self
                .passwords
                .hash(&Secret::new(clear), fixed)
                .await
                .unwrap_or_default();
        }
        hashes
    }

    async fn offer_invites(&self) -> store::Result<()> {
        let offer = |(code, terms): &(String, InviteTerms)| -> (Digest, InviteTerms) {
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

async fn made_password(
    world: &World,
    store: &dyn Store,
    passwords: &PasswordPool,
    announce: impl FnOnce(&Secret) + Send,
) -> store::Result<Credential> {
    let kept = if let Some(kept) = store.find_system_value(SystemValue::AdminHash).await? {
        kept
    } else {
        let password = crypto::random_alphanumeric(world, MADE_PASSWORD_CHARS);
        let hash = passwords.hash(&password, world.random_bytes()).await;
        let hash = hash.map_err(|_| store::Error::Busy)?;
        announce(&password);
        store
            .keep_system_value(SystemValue::AdminHash, hash.into_bytes())
            .await?
    };
    let phc = String::from_utf8(kept)
        .map_err(|_| store::Error::Corrupt("the administrator's hash is no text".into()))?;
    Ok(Credential::Hash(phc))
}
