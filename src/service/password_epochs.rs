//! Another password of the administrator or the hub is another epoch, which ends the tokens that
//! were issued under the old one.
//!
//! The store knows by a fingerprint under which passwords the last tokens were issued. It is
//! compared when a token or a password of that holder is first checked, and not at the start:
//! for a password in clear this costs a hash, and its memory.

use std::sync::Arc;

use super::configured_logins::{ConfiguredLogin, parts, put_in_force};
use super::{Error, Services, admin_password};
use crate::config::{Config, Credential};
use crate::crypto::Verdict;
use crate::model::{AuditContext, Principal, Secret};
use crate::store::SystemValue;
use crate::sync::lock;

impl Services {
    /// The passwords of the administrator or the hub with the epoch of their tokens; none for an
    /// account. Tokens of every other epoch are ended by the time this returns.
    pub(super) async fn login_in_force(
        &self,
        holder: Principal,
    ) -> Result<Option<(Arc<ConfiguredLogin>, u32)>, Error> {
        let Some(place) = self.logins.of(holder) else {
            return Ok(None);
        };
        let login = Arc::clone(&lock(place));
        if let Some(epoch) = login.epoch.get() {
            return Ok(Some((Arc::clone(&login), *epoch)));
        }
        let _turn = self.logins.turn.lock().await;
        // Another request may have found the epoch meanwhile, or the passwords may have changed.
        let login = Arc::clone(&lock(place));
        let epoch = match login.epoch.get() {
            Some(epoch) => *epoch,
            None => self.reconcile(holder, &login.credentials).await?,
        };
        Ok(Some((
            Arc::clone(&login),
            *login.epoch.get_or_init(|| epoch),
        )))
    }

    /// Lets the store compare the fingerprint of these passwords with its own; returns the epoch.
    async fn reconcile(&self, holder: Principal, passwords: &[Credential]) -> Result<u32, Error> {
        let (hashes, clear) = parts(passwords);
        let known = self.store.find_fingerprint(holder).await?;
        let fingerprint = match known {
            Some(known) if self.is_fingerprint(&known, &hashes, clear.as_ref()).await? => known,
            _ => self.fingerprint(hashes, clear).await?,
        };
        let by = AuditContext::server(self.now());
        Ok(self.store.reconcile(holder, fingerprint, by).await?)
    }

    /// Whether `known` is a fingerprint of these passwords. A hash says itself at which cost it was
    /// made: another `accounts.hash_memory` is no other password.
    async fn is_fingerprint(
        &self,
        known: &str,
        hashes: &str,
        clear: Option<&Secret>,
    ) -> Result<bool, Error> {
        match (known.strip_prefix(hashes), clear) {
            (Some(""), None) => Ok(true),
            (None | Some(""), _) | (_, None) => Ok(false),
            (Some(phc), Some(clear)) => {
                let now = self.world.clock.monotonic();
                let unlimited = self.attempts.admit(None, None, now)?;
                let compared = self
                    .passwords
                    .verify(clear, vec![phc.to_owned()], unlimited);
                Ok(compared.await?.0 != Verdict::Wrong)
            }
        }
    }

    /// A text that changes with the passwords and does not reveal them: configured hashes
    /// unchanged, and a slow hash of the passwords in clear.
    async fn fingerprint(&self, hashes: String, clear: Option<Secret>) -> Result<String, Error> {
        let Some(clear) = clear else {
            return Ok(hashes);
        };
        let salt = self.world.random_bytes::<16>().to_vec();
        let which = SystemValue::FingerprintSalt;
        let salt = self.store.keep_system_value(which, salt).await?;
        let salt = <[u8; 16]>::try_from(salt).unwrap_or_default();
        Ok(hashes + &self.passwords.hash(&clear, salt).await?)
    }

    /// Puts the passwords of a configuration in force. Tokens of other passwords end before the
    /// next one is checked.
    pub(super) async fn follow_passwords(&self, config: &Config) -> Result<(), Error> {
        let _turn = self.logins.turn.lock().await;
        put_in_force(&self.logins.hub, config.hub.passwords.clone());
        let admin = match config.admin.password.clone() {
            None => admin_password::stored(self.store.as_ref()).await?,
            configured => configured,
        };
        match admin {
            Some(admin) => put_in_force(&self.logins.admin, vec![admin]),
            None => log::warn!(
                "no administrator's password is configured any more: the old one stays in force \
                 until `doorward admin reset-password` makes another"
            ),
        }
        Ok(())
    }

    /// Puts the hash of a new administrator's password in force, and ends the tokens of the old
    /// one. It holds while the configuration sets no password.
    pub(super) async fn replace_admin_hash(
        &self,
        hash: String,
        by: AuditContext,
    ) -> Result<(), Error> {
        let _turn = self.logins.turn.lock().await;
        let epoch = self.store.replace_admin_hash(hash.clone(), by).await?;
        let login = ConfiguredLogin::new(vec![Credential::Hash(hash)]);
        login.epoch.get_or_init(|| epoch);
        *lock(&self.logins.admin) = login;
        Ok(())
    }
}
