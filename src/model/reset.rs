//! Password reset codes, as they are stored.

use serde::{Deserialize, Serialize};

use super::{Timestamp, UserId};

/// A code that was mailed. The store finds it by its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResetCode {
    /// Whose password it resets.
    pub user: UserId,
    /// When it expires.
    pub expires_at: Timestamp,
}

impl ResetCode {
    /// Whether it may still be redeemed.
    pub fn is_live(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }
}
