//! The part of the contract for invites.

use async_trait::async_trait;

use super::Result;
use crate::model::{
    AuditContext, Digest, DueMail, Invite, InviteId, InviteTerms, MadeInvite, Timestamp,
};

/// Invites: those of the configuration, and those that the administrator makes.
#[async_trait]
pub trait InviteStore: Send + Sync + 'static {
    /// Makes these the invites of the configuration, in one step. An invite that is stored already
    /// gets the new terms and keeps the count of its uses; one that is missing here ends.
    async fn offer_invites(&self, invites: Vec<(Digest, InviteTerms)>) -> Result<()>;
    /// The invite with this code, whoever offers it and whether it is open or not.
    async fn find_invite(&self, code: &Digest) -> Result<Option<Invite>>;
    /// Stores an invite, and puts the mail that brings it into the outbox, if it has an address. An
    /// invite that was made for the same address before ends. False: the outbox is full.
    async fn make_invite(&self, code: Digest, invite: MadeInvite, by: AuditContext)
    -> Result<bool>;
    /// Up to `limit` of the invites that the administrator made, the latest first, from the one
    /// before `before` on.
    async fn list_invites(&self, before: Option<InviteId>, limit: usize)
    -> Result<Vec<MadeInvite>>;
    /// The invite with this public id, if the administrator made it.
    async fn find_made_invite(&self, id: InviteId) -> Result<Option<MadeInvite>>;
    /// Gives the invite that this mail brings another code. False: the mail does not wait any more,
    /// or the invite is used up.
    async fn recode_invite(&self, mail: DueMail, code: Digest, now: Timestamp) -> Result<bool>;
    /// Removes an invite that the administrator made, and the mail that is to bring it. False:
    /// there is none with this public id.
    async fn end_invite(&self, id: InviteId, by: AuditContext) -> Result<bool>;
}
