//! The invites that the administrator makes, beside those of the configuration.

use std::time::Duration;

use super::message::Values;
use super::{Error, Services};
use crate::config::Transport;
use crate::crypto;
use crate::model::{AuditContext, Email, Invalid, InviteId, MadeInvite, Secret, Timestamp, limits};

/// An invite to make.
#[derive(Debug, Clone)]
pub struct NewInvite {
    /// The address to mail it to; none: it is handed over by hand.
    pub to: Option<Email>,
    /// What is written down about it.
    pub note: String,
    /// How many accounts it may open.
    pub uses: u32,
    /// For how long.
    pub lifetime: Duration,
}

/// An invite in a list: one of the configuration has no `made`.
#[derive(Debug, Clone)]
pub struct ListedInvite {
    /// Its public id.
    pub id: InviteId,
    /// How many accounts it may open in all.
    pub uses: u32,
    /// How many it has opened.
    pub used: u32,
    /// When it expires; none: never.
    pub expires_at: Option<Timestamp>,
    /// What is known of an invite that the administrator made.
    pub made: Option<MadeInvite>,
}

/// The code of an invite that is handed over by hand, and the link with it.
#[derive(Debug, Clone)]
pub struct InviteLink {
    /// The code.
    pub code: Secret,
    /// `accounts.invite_link` with the code.
    pub link: Secret,
}

impl Services {
    /// Makes an invite. Without an address its code is returned, and kept nowhere; with one it is
    /// mailed, which ends an invite that was made for the same address before. It opens accounts
    /// for any address.
    pub async fn make_invite(
        &self,
        new: NewInvite,
        by: AuditContext,
    ) -> Result<(ListedInvite, Option<InviteLink>), Error> {
        self.check_invite(&new)?;
        let code = crypto::random_code(&self.world);
        let digest = crypto::digest_of(&code);
        let made = MadeInvite {
            id: InviteId::new(by.at, self.world.random_bytes()),
            to: new.to,
            note: new.note,
            uses: new.uses,
            used: 0,
            expires_at: by.at.after(new.lifetime),
            made_at: Some(by.at),
        };
        let is_mailed = made.to.is_some();
        if !self.store.make_invite(digest, made.clone(), by).await? {
            let why = "the outbox is full: no mail leaves, and the log says why";
            return Err(Error::Conflict(why.to_owned()));
        }
        if is_mailed {
            self.mail_is_due.notify_one();
            return Ok((made.into(), None));
        }
        let values = Values::invite(&self.config(), &code, made.expires_at);
        let link = Secret::new(values.link);
        Ok((made.into(), Some(InviteLink { code, link })))
    }

    fn check_invite(&self, new: &NewInvite) -> Result<(), Error> {
        let config = self.config();
        if !config.accounts.signup {
            return Err(Error::SignupClosed);
        }
        if let Some(to) = &new.to {
            super::message::mailbox(to)?;
            if config.mail.transport == Transport::Log {
                let why = "cannot be mailed to, because mail.transport is \"log\": set up mail, \
                           or leave the address out and hand the link over";
                return Err(Invalid::new("email", why).into());
            }
        }
        let most = limits::INVITE_NOTE_CHARS;
        if new.note.chars().count() > most || new.note.chars().any(char::is_control) {
            let why =
                format!("must be at most {most} characters, none of them a control character");
            return Err(Invalid::new("note", why).into());
        }
        if !limits::INVITE_USES.contains(&new.uses) {
            let most = limits::INVITE_USES.end();
            return Err(Invalid::new("uses", format!("must be from 1 to {most}")).into());
        }
        if !limits::INVITE_LIFETIME.contains(&new.lifetime) {
            let why = "must be from a minute to a year";
            return Err(Invalid::new("lifetime_seconds", why).into());
        }
        Ok(())
    }

    /// Up to `limit` invites behind the one with this id: those of the configuration first, then
    /// those that the administrator made, the latest first.
    pub async fn list_invites(
        &self,
        after: Option<InviteId>,
        limit: usize,
    ) -> Result<Vec<ListedInvite>, Error> {
        let mut page = Vec::new();
        if after.is_none_or(InviteId::is_configured) {
            page = self.configured_invites().await?;
            page.retain(|it| after.is_none_or(|after| it.id > after));
            page.truncate(limit);
        }
        let before = after.filter(|id| !id.is_configured());
        let rest = limit - page.len();
        let made = self.store.list_invites(before, rest).await?;
        page.extend(made.into_iter().map(ListedInvite::from));
        Ok(page)
    }

    /// The invites of the configuration, by their ids.
    async fn configured_invites(&self) -> Result<Vec<ListedInvite>, Error> {
        let mut all = Vec::new();
        for (code, _) in &self.config().accounts.invites {
            let digest = crypto::digest(code.as_bytes());
            let id = InviteId::of_code(&digest);
            let found = self.store.find_invite(&digest).await?;
            all.extend(found.map(|it| ListedInvite {
                id,
                uses: it.uses,
                used: it.used,
                expires_at: it.expires_at,
                made: None,
            }));
        }
        all.sort_by_key(|it| it.id);
        Ok(all)
    }

    /// The invite with this public id. Error: `UnknownId`.
    pub async fn show_invite(&self, id: InviteId) -> Result<ListedInvite, Error> {
        let found = if id.is_configured() {
            let configured = self.configured_invites().await?;
            configured.into_iter().find(|it| it.id == id)
        } else {
            let made = self.store.find_made_invite(id).await?;
            made.map(ListedInvite::from)
        };
        found.ok_or(Error::UnknownId)
    }

    /// Ends an invite that the administrator made. A mail with it that waits is not sent.
    pub async fn end_invite(&self, id: InviteId, by: AuditContext) -> Result<(), Error> {
        let invite = self.show_invite(id).await?;
        if invite.made.is_none() {
            let why = "the configuration offers this invite: take it out of accounts.invites, and \
                       reload";
            return Err(Error::Conflict(why.to_owned()));
        }
        let is_ended = self.store.end_invite(id, by).await?;
        is_ended.then_some(()).ok_or(Error::UnknownId)
    }
}

impl From<MadeInvite> for ListedInvite {
    fn from(made: MadeInvite) -> ListedInvite {
        ListedInvite {
            id: made.id,
            uses: made.uses,
            used: made.used,
            expires_at: Some(made.expires_at),
            made: Some(made),
        }
    }
}
