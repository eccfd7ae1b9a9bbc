//! The part of the contract for the keys that sign access tokens.

use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::model::{AuditContext, KeyChange, KeyFault, SigningKeys, Timestamp};

/// The keys that sign access tokens.
#[async_trait]
pub trait KeyStore: Send + Sync + 'static {
    /// The stored keys. If there are none, or if they are damaged, `seed` makes the first. The one
    /// that signs gives tokens this lifetime from now on.
    async fn signing_keys(
        &self,
        seed: [u8; 32],
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<SigningKeys>;
    /// Changes the keys as [`SigningKeys::changed`] says, and returns all of them.
    async fn change_signing_keys(
        &self,
        change: KeyChange,
        seed: [u8; 32],
        is_suspect: bool,
        by: AuditContext,
    ) -> Result<std::result::Result<SigningKeys, KeyFault>>;
}
