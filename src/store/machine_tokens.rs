//! The part of the contract for machine tokens.

use async_trait::async_trait;

use super::{MachineIssued, Result};
use crate::model::{AuditContext, MachinePage, MachineQuery, NewToken, Timestamp, Token, TokenId};

/// Machine tokens, as far as they differ from others.
#[async_trait]
pub trait MachineTokenStore: Send + Sync + 'static {
    /// Issues a machine token, in the epoch of its holder. At most `most` of them are live: of the
    /// administrator's in all, or of one user's own.
    async fn issue_machine_token(
        &self,
        new: NewToken,
        most: usize,
        by: AuditContext,
    ) -> Result<MachineIssued>;
    /// Issues `new` in the place of the live machine token with this public id: of the same family,
    /// holder and grant. The old one lives on until `old_ends_at`, if that is before its own end;
    /// those that it took the place of end at once. None: there is no such token.
    async fn rotate_machine_token(
        &self,
        id: TokenId,
        new: NewToken,
        old_ends_at: Timestamp,
        by: AuditContext,
    ) -> Result<Option<Token>>;
    /// A page of the machine tokens that the administrator made.
    async fn list_machine_tokens(&self, query: MachineQuery) -> Result<MachinePage>;
}
