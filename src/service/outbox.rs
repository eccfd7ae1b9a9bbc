//! The sender of mail. It draws a code, builds the mail, stores the code's digest, then sends; if
//! anything fails after that, the next attempt draws a new code. A mail server that is down, slow
//! or hostile delays only the mail.

use std::time::Duration;

use super::Services;
use super::message;
use crate::crypto;
use crate::model::{DueMail, Email, Retry, Timestamp, User};

/// The longest pause between two reads of the outbox.
const PAUSE: Duration = Duration::from_mins(1);
/// The pause after the store failed to answer.
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(5);

type Fault = Box<dyn std::error::Error + Send + Sync>;

impl Services {
    /// Sends the mails that are due, in an endless loop.
    pub async fn send_mails(&self) {
        loop {
            let now = self.now();
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

    /// Sends the mails that are due at `now`, and returns when the next one is due.
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

    /// Postpones a mail that could not be sent, or gives it up. Returns when it is tried again.
    async fn put_off(
        &self,
        mail: DueMail,
        now: Timestamp,
        fault: &Fault,
    ) -> Result<Option<Timestamp>, Fault> {
        match mail.retry(now) {
            Retry::At(next) => {
                log::warn!("cannot send a mail, will retry: {fault}");
                self.store.postpone_mail(mail, next).await?;
                Ok(Some(next))
            }
            Retry::GiveUp => {
                let attempts = mail.attempts + 1;
                log::error!("cannot send a mail after {attempts} attempts, giving up: {fault}");
                self.store.remove_mail(mail).await?;
                Ok(None)
            }
        }
    }

    /// Sends one reset mail. `Ok` without a mail: the address has no active account, no mail can be
    /// built for it, or the account got too many.
    async fn send_reset(&self, mail: &DueMail, now: Timestamp) -> Result<(), Fault> {
        let Ok(email) = Email::parse(&mail.email_key) else {
            return Ok(());
        };
        let user = self.find_user_by_email(&email).await?;
        let Some(user) = user.filter(|user| !user.disabled) else {
            return Ok(());
        };
        let code = crypto::random_code(&self.world);
        let unique = self.world.random_bytes();
        let message = match message::reset(&self.config(), &user, &code, unique, now) {
            Ok(message) => message,
            Err(fault) => {
                let id = user.id;
                log::error!(
                    "a reset mail for account {id} cannot be built, it is dropped: {fault}"
                );
                return Ok(());
            }
        };
        if mail.attempts == 0 && !self.may_have_mail(&user) {
            return Ok(());
        }
        if self
            .limiter
            .admit_any_mail(self.world.clock.monotonic())
            .is_err()
        {
            return Err("the limit for all reset mails is reached (limits.all_reset_mails)".into());
        }
        let expires_at = now.after(self.config().reset.lifetime);
        if !self
            .store
            .put_reset(user.id, crypto::digest_of(&code), expires_at)
            .await?
        {
            return Ok(());
        }
        // The account may have got another address since it was looked up. This read comes after
        // the code is stored: it shows an earlier change, and a later change removes the code.
        let current = self.store.find_user(user.id).await?;
        if current.is_none_or(|current| current.email != user.email) {
            return Ok(());
        }
        Ok(self.mailer.send(message, &mail.id.0.to_string()).await?)
    }

    fn may_have_mail(&self, user: &User) -> bool {
        let admitted = self
            .limiter
            .admit_mail(user.id, self.world.clock.monotonic())
            .is_ok();
        if !admitted {
            log::warn!(
                "account {} gets too many reset mails: one is not sent",
                user.id
            );
        }
        admitted
    }
}
