//! Invites by mail, which the administrator sends.

use std::time::Duration;

use super::{Error, Services};
use crate::model::{DueMail, Email, MailKind, Timestamp};

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
