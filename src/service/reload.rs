//! Puts another configuration in force while the service runs.

use std::sync::Arc;

use super::{Error, Services};
use crate::config::Config;

impl Services {
    /// Puts a configuration in force, for every request that begins from now on. Its invites are
    /// offered, and those that are gone from it end; tokens of passwords that are gone from it end
    /// too. If the store cannot keep that, everything else is in force all the same, and the next
    /// reload or start tries again.
    pub async fn reload(&self, config: Arc<Config>) -> Result<(), Error> {
        self.config.replace(Arc::clone(&config));
        // A mail that waits for a server may leave by another one now.
        self.mail_is_due.notify_one();
        self.follow_passwords(&config).await?;
        self.follow_lifetime().await?;
        Ok(self.offer_invites().await?)
    }
}
