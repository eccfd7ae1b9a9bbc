//! The sender of mail. It draws a code, keeps its digest, then sends; whatever goes wrong after
//! that, the next attempt draws a new code. A mail server that is down, slow or hostile delays
//! nothing but the mail.

use std::time::Duration;

use super::Services;
use super::message;
use crate::crypto;
use crate::model::{DueMail, Retry, Timestamp, User};

/// The longest pause between two looks into the outbox.
const PAUSE: Duration = Duration::from_mins(1);
/// The pause after the store failed to answer.
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(5);

type Fault = Box<dyn std::error::Error + Send + Sync>;

impl Services {
    /// Sends what is due, for ever.
    pub async fn send_mails(&self) {
        loop {
            let now = self.world.clock.now();
            let pause = match self.send_due_mails(now).await {
                Ok(Some(next)) => next.since(now).min(PAUSE),
                Ok(None) => PAUSE,
                Err(error) => {
                    log::warn!("the outbox cannot be read: {error}");
                    PAUSE_AFTER_FAULT
                }
            };
            // Whichever comes first: a new mail, or the time for the next one.
            let _ = tokio::time::timeout(pause, self.mail_is_due.notified()).await;
        }
    }

    /// Sends what is due at `now`, and says when the next one is.
    pub async fn send_due_mails(&self, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
        let (due, mut next) = self.store.due_mails(now).await?;
        for mail in due {
            match self.send_reset(&mail, now).await {
                Ok(()) => self.store.remove_mail(mail).await?,
                Err(fault) => {
                    let again = self.put_off(mail, now, &fault).await?;
                    next = [next, again].into_iter().flatten().min();
                }
            }
        }
        Ok(next)
    }

    /// When it is tried again, if it is.
    async fn put_off(
        &self,
        mail: DueMail,
        now: Timestamp,
        fault: &Fault,
    ) -> Result<Option<Timestamp>, Fault> {
        match mail.retry(now) {
            Retry::At(next) => {
                log::warn!("a mail could not be sent, it is tried again: {fault}");
                self.store.postpone_mail(mail, next).await?;
                Ok(Some(next))
            }
            Retry::GiveUp => {
                log::error!("a mail could not be sent for half an hour and is given up: {fault}");
                self.store.remove_mail(mail).await?;
                Ok(None)
            }
        }
    }

    /// Sends one reset mail; nothing is sent, and that is fine, if the address has no account or
    /// had too many.
    async fn send_reset(&self, mail: &DueMail, now: Timestamp) -> Result<(), Fault> {
        let user = self.store.find_user_by_email(&mail.email_key).await?;
        let Some(user) = user.filter(|user| !user.disabled) else {
            return Ok(());
        };
        if mail.attempts == 0 && !self.may_have_mail(&user) {
            return Ok(());
        }
        if self
            .limiter
            .admit_any_mail(self.world.clock.monotonic())
            .is_err()
        {
            return Err("too many mails were sent lately".into());
        }
        let code = crypto::random_code(&self.world);
        let expires_at = now.after(self.config.reset.lifetime);
        if !self
            .store
            .put_reset(user.id, crypto::digest_of(&code), expires_at)
            .await?
        {
            return Ok(());
        }
        // The account may have got another address since it was looked up. Read after the code is
        // kept: a change before that shows here, a later one forgets the code.
        let current = self.store.find_user(user.id).await?;
        if current.is_none_or(|current| current.email != user.email) {
            return Ok(());
        }
        let unique = self.world.random_bytes();
        let message = message::reset(&self.config, &user, &code, unique, now)?;
        Ok(self.mailer.send(message, &mail.id.0.to_string()).await?)
    }

    fn may_have_mail(&self, user: &User) -> bool {
        let admitted = self
            .limiter
            .admit_mail(user.id, self.world.clock.monotonic())
            .is_ok();
        if !admitted {
            log::warn!(
                "account {} is asked too many reset mails for: one is not sent",
                user.id
            );
        }
        admitted
    }
}
