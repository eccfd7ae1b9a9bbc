//! The part of the contract for machine tokens.

use async_trait::async_trait;

use super::{MachineIssued, Result};
use crate::model::{AuditContext, MachinePage, MachineQuery, NewToken, Timestamp, TokenId};

/// How a machine token is rotated.
#[derive(Debug, Clone, Copy)]
pub struct Rotation {
    /// When the tokens that live on beside the new one end, if not before.
    pub old_ends_at: Timestamp,
    /// When the new one expires; none: when the old one would have, without any rotation.
    pub expires_at: Option<Timestamp>,
}

/// Machine tokens, as far as they differ from others.
#[async_trait]
pub trait MachineTokenStore: Send + Sync + 'static {
    /// Issues a machine token, in the epoch of its holder. At most `most` of them are live: of the
    /// administrator's in all, or of one user's own. `maker`: the token that it is made with, which
    /// must be live. Those of its name or its holder that can never be used again are removed.
    async fn issue_machine_token(
        &self,
        new: NewToken,
        most: usize,
        maker: Option<TokenId>,
        by: AuditContext,
    ) -> Result<MachineIssued>;
    /// Issues `new` in the place of the live machine token with this public id, which the
    /// administrator made: of the same family, holder and grant. Of the family, the token that was
    /// used last lives on for the overlap, with some others that were used; those that nobody used
    /// end at once.
    async fn rotate_machine_token(
        &self,
        id: TokenId,
        new: NewToken,
        rotation: Rotation,
        maker: Option<TokenId>,
        by: AuditContext,
    ) -> Result<MachineIssued>;
    /// A page of the machine tokens that the administrator made.
    async fn list_machine_tokens(&self, query: MachineQuery) -> Result<MachinePage>;
}
