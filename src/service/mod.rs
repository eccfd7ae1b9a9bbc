//! The verbs that all APIs share. *An API translates, a service decides, the store remembers*:
//! nothing here knows HTTP or a database. A verb returns what was asked for, or an [`Error`].

mod accounts;
mod admin_password;
mod administration;
mod administrator;
mod attempt_counts;
mod attempts;
mod audit;
mod authentication;
mod buckets;
mod clock;
mod configured_logins;
mod counts;
mod error;
mod events;
mod explain;
mod failures;
mod hash_job;
mod hash_queue;
mod introspection;
mod invites;
mod key_ring;
mod limiter;
mod login_waits;
mod machines;
mod mailer;
mod message;
mod outbox;
mod password_epochs;
mod passwords;
mod permits;
mod quotas;
mod reload;
mod report;
mod resets;
mod scrape;
mod signing;
mod start;
mod summary;
mod sweep;
mod tokens;
mod traffic;
mod usage;
mod waits;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::Notify;

use crate::config::{Config, CurrentConfig};
use crate::metrics::Sources;
use crate::model::{DiskUse, Timestamp, Trust};
use crate::store::{Health, Store};
use crate::world::World;

pub use accounts::Signup;
pub use admin_password::generate as generate_admin_password;
pub use administrator::Administrator;
pub use authentication::Login;
pub use counts::HashQueueCounts;
pub use error::Error;
pub use explain::{Explanation, Subject};
pub use introspection::Introspected;
pub use invites::{InviteLink, ListedInvite, NewInvite};
pub use key_ring::{KeyState, ListedKey};
pub use login_waits::LoginWait;
pub use machines::{Maker, NewMachine};
pub use mailer::send_trial;
pub use permits::Permit;
pub use report::ReportedEvent;
pub use resets::Redemption;
pub use tokens::{Bearer, Issued};
pub use usage::Usage;
pub use waits::{Wait, Waiting};

use attempts::AttemptLimiter;
use clock::ServiceClock;
use configured_logins::ConfiguredLogins;
use counts::ServiceCounts;
use failures::Failures;
use key_ring::KeyRing;
use limiter::Limiter;
use passwords::PasswordPool;
use permits::Permits;
use quotas::Quotas;
use traffic::TokenChecks;

/// The state of the service, shared by all requests.
pub struct Services {
    config: Arc<CurrentConfig>,
    /// The clock and the source of random bytes.
    pub world: World,
    /// What is counted of requests and connections.
    pub sources: Sources,
    store: Arc<dyn Store>,
    clock: ServiceClock,
    passwords: PasswordPool,
    token_checks: Arc<TokenChecks>,
    attempts: Arc<AttemptLimiter>,
    limiter: Limiter,
    quotas: Quotas,
    /// Failures that are not in the audit log yet.
    failures: Failures,
    keys: Arc<KeyRing>,
    /// The passwords of the administrator and the hub, with their epochs.
    logins: ConfiguredLogins,
    /// Compared with the password if the account does not exist, so that the answer takes as long.
    dummy_hash: String,
    /// Notified when a mail is put into the outbox.
    mail_is_due: Notify,
    /// Permits for exports, and for live listeners.
    exports: Arc<Permits>,
    listeners: Arc<Permits>,
    /// The addresses that are served.
    addresses: OnceLock<Vec<String>>,
    counts: ServiceCounts,
}

impl Services {
    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.get()
    }

    /// The cell that holds the configuration in force.
    pub fn current_config(&self) -> &Arc<CurrentConfig> {
        &self.config
    }

    /// Whether there is any account.
    pub async fn has_accounts(&self) -> Result<bool, Error> {
        Ok(self.store.any_user().await?)
    }

    /// How many bytes the data take on the disk, and how many are written each day.
    pub async fn disk_use(&self, now: Timestamp) -> Result<DiskUse, Error> {
        Ok(self.store.disk_use(now).await?)
    }

    /// Notes the addresses that are served. Only the first call counts.
    pub fn note_addresses(&self, addresses: Vec<String>) {
        // A second server over the same services would be served at other addresses.
        let _ = self.addresses.set(addresses);
    }

    /// The addresses that are served; none before they were noted.
    pub fn addresses(&self) -> &[String] {
        self.addresses.get().map_or(&[], Vec::as_slice)
    }

    /// How long the process has run.
    pub fn uptime(&self) -> Duration {
        self.world.clock.monotonic()
    }

    /// The moment of now.
    pub fn now(&self) -> Timestamp {
        self.clock.moment()
    }

    /// The moment of now, for a caller that has just read the monotonic clock.
    pub fn now_at(&self, monotonic: Duration) -> Timestamp {
        self.clock.moment_at(monotonic)
    }

    /// Whether the machine's clock is suspect, so that nothing is removed because of its age.
    pub fn clock_is_suspect(&self) -> bool {
        self.clock.read().trust != Trust::Trusted
    }

    /// The state of the store.
    pub fn health(&self) -> Health {
        self.store.health()
    }

    /// How many damaged blocks of events were found since the start.
    pub fn damaged_blocks(&self) -> usize {
        self.store.damaged_blocks()
    }

    /// How many other damaged records were found since the start.
    pub fn damaged_records(&self) -> usize {
        self.store.damaged_records()
    }
}
