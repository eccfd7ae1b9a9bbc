//! Implements [`InviteStore`], the part of the store's contract for invites.

use async_trait::async_trait;

use crate::model::{
    AuditAction, AuditContext, Digest, DueMail, End, EndReason, Invite, InviteId, InviteTerms,
    MadeInvite, MailKind, Timestamp,
};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::{invites, made_invites, outbox};
use crate::store::sled::audit::log;
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::store::reading;
use crate::store::{InviteStore, Result};

fn make(
    tx: &mut Transaction<'_>,
    code: Digest,
    invite: &MadeInvite,
    by: &AuditContext,
) -> Result<bool> {
    if let Some(to) = &invite.to {
        let kind = MailKind::Invite {
            uses: invite.uses,
            expires_at: invite.expires_at,
        };
        let mail = DueMail::new(invite.id.mail(), kind, to.clone(), by.at);
        if !outbox::enqueue(tx, mail)? {
            return Ok(false);
        }
        if let Some((code, former)) = made_invites::mailed_to(tx, to)? {
            made_invites::remove(tx, code, &former, &End::by(by, EndReason::Replaced))?;
        }
    }
    made_invites::insert(tx, code, invite)?;
    let entry = by
        .done(AuditAction::MakeInvite)
        .about(invite.id.to_string());
    log::append(tx, &entry)?;
    Ok(true)
}

fn recode(tx: &mut Transaction<'_>, mail: &DueMail, code: Digest, now: Timestamp) -> Result<bool> {
    if !outbox::still_waits(tx, mail)? {
        return Ok(false);
    }
    let id = InviteId::from(mail.id);
    let found = match made_invites::by_id(tx, id)? {
        // A store of an earlier version may not be indexed yet.
        None => made_invites::mailed_to(tx, &mail.to)?.filter(|(_, it)| it.id == id),
        found => found,
    };
    let invite = match found {
        Some((code, invite)) if !invite.with_code(code).is_open(now) => return Ok(false),
        Some((former, invite)) => {
            let end = End::by_server(now, EndReason::Replaced);
            made_invites::remove(tx, former, &invite, &end)?;
            invite
        }
        // An earlier version stored an invite only when its mail was sent.
        None => match mail.kind {
            MailKind::Invite { uses, expires_at } if now < expires_at => MadeInvite {
                id,
                to: Some(mail.to.clone()),
                note: String::new(),
                uses,
                used: 0,
                expires_at,
                made_at: Some(mail.asked_at),
            },
            _ => return Ok(false),
        },
    };
    made_invites::insert(tx, code, &invite)?;
    Ok(true)
}

fn end(tx: &mut Transaction<'_>, id: InviteId, by: &AuditContext) -> Result<bool> {
    let Some((code, invite)) = made_invites::by_id(tx, id)? else {
        return Ok(false);
    };
    made_invites::remove(tx, code, &invite, &End::by(by, EndReason::Ended))?;
    if let Some(mail) = outbox::by_id(tx, id.mail())? {
        outbox::remove(tx, &mail)?;
    }
    let entry = by.done(AuditAction::EndInvite).about(id.to_string());
    log::append(tx, &entry)?;
    Ok(true)
}

#[async_trait]
impl InviteStore for SledStore {
    async fn offer_invites(&self, invites: Vec<(Digest, InviteTerms)>) -> Result<()> {
        let step = move |tx: &mut Transaction<'_>| invites::offer(tx, &invites);
        self.change(WriteClass::Change, step).await
    }

    async fn find_invite(&self, code: &Digest) -> Result<Option<Invite>> {
        invites::find(&self.tree, *code)
    }

    async fn make_invite(
        &self,
        code: Digest,
        invite: MadeInvite,
        by: AuditContext,
    ) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| make(tx, code, &invite, &by);
        self.change(WriteClass::Change, step).await
    }

    async fn list_invites(
        &self,
        before: Option<InviteId>,
        limit: usize,
    ) -> Result<Vec<MadeInvite>> {
        let tree = self.tree.clone();
        reading(move || made_invites::list(&tree, before, limit)).await
    }

    async fn find_made_invite(&self, id: InviteId) -> Result<Option<MadeInvite>> {
        Ok(made_invites::by_id(&self.tree, id)?.map(|(_, invite)| invite))
    }

    async fn recode_invite(&self, mail: DueMail, code: Digest, now: Timestamp) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| recode(tx, &mail, code, now);
        self.change(WriteClass::Change, step).await
    }

    async fn end_invite(&self, id: InviteId, by: AuditContext) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| end(tx, id, &by);
        self.change(WriteClass::Reclaim, step).await
    }
}
