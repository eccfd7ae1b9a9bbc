//! Invites by mail, which the administrator sends.

use std::time::Duration;

use super::{Error, Services};
use crate::model::{DueMail, Email, Invalid, MailKind, Timestamp, limits};

impl Services {
    /// Puts the mail of an invite into the outbox. The invite opens `uses` accounts, also for other
    /// addresses, until `lifetime` has passed. It replaces an invite that was mailed to the same
    /// address before.
    pub async fn invite(
        &self,
        to: Email,
        uses: u32,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<(), Error> {
        if !self.config().accounts.signup {
            return Err(Error::SignupClosed);
        }
        super::message::mailbox(&to)?;
        if !limits::INVITE_USES.contains(&uses) {
            let most = limits::INVITE_USES.end();
            return Err(Invalid::new("uses", format!("must be from 1 to {most}")).into());
        }
        if !limits::INVITE_LIFETIME.contains(&lifetime) {
            let why = "must be from a minute to a year";
            return Err(Invalid::new("expires", why).into());
        }
        let expires_at = now.after(lifetime);
        let kind = MailKind::Invite { uses, expires_at };
        let mail = DueMail::new(self.mail_id(), kind, to, now);
        if !self.store.enqueue_mail(mail).await? {
            return Err(Error::Busy {
                retry_after: Duration::from_mins(1),
            });
        }
        self.mail_is_due.notify_one();
        Ok(())
    }
}
