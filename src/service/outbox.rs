//! The sender of mail. For a mail with a link it draws a code, builds the mail, stores the code's
//! digest, then sends; if anything fails after that, the next attempt draws a new code, which ends
//! the earlier one. A mail server that is down, slow or hostile delays only the mail.

use std::time::Duration;

use super::Services;
use super::mailer::{Delivery, Refusal};
use super::message::{self, Mail, Values};
use crate::crypto;
use crate::model::{AuditContext, DueMail, MailId, MailKind, Retry, Timestamp};

/// The longest pause between two reads of the outbox.
const PAUSE: Duration = Duration::from_mins(1);
/// The pause after the store failed to answer.
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(5);

type Fault = Box<dyn std::error::Error + Send + Sync>;

impl Services {
    /// The id of a new mail.
    pub(super) fn mail_id(&self) -> MailId {
        MailId::from_random(self.world.random_bytes())
    }

    /// The id of the mail that reports a change of an account; none if changes are not reported.
    pub(super) fn notice_id(&self) -> Option<MailId> {
        self.config().mail.notices.then(|| self.mail_id())
    }

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
        let mut delivery = Delivery::new(self.config());
        for mail in due {
            match self.send_mail(&mut delivery, &mail, now).await {
                Ok(()) => self.store.remove_mail(mail).await?,
                Err(refusal) if refusal.is_final => {
                    log::error!("mail {} is refused, it is dropped: {refusal}", mail.id.0);
                    self.give_up(mail, now).await?;
                }
                Err(fault) => {
                    let again = self.put_off(mail, now, &fault).await?;
                    next = [next, again].into_iter().flatten().min();
                }
            }
        }
        delivery.finish().await;
        Ok(next)
    }

    /// Postpones a mail that could not be sent, or gives it up. Returns when it is tried again.
    async fn put_off(
        &self,
        mail: DueMail,
        now: Timestamp,
        fault: &Refusal,
    ) -> Result<Option<Timestamp>, Fault> {
        match mail.retry(now) {
            Retry::At(next) => {
                log::warn!("cannot send a mail, will retry: {fault}");
                self.counts.mails.postponed.increment();
                self.store.postpone_mail(mail, next).await?;
                Ok(Some(next))
            }
            Retry::GiveUp => {
                let attempts = mail.attempts + 1;
                log::error!("cannot send a mail after {attempts} attempts, giving up: {fault}");
                self.give_up(mail, now).await?;
                Ok(None)
            }
        }
    }

    /// Removes a mail that will not be sent. A code that an attempt may have brought all the same
    /// ends with an invite; that of a reset ends soon by itself.
    async fn give_up(&self, mail: DueMail, now: Timestamp) -> Result<(), Fault> {
        self.counts.mails.given_up.increment();
        if let MailKind::Invite { .. } = mail.kind {
            let by = AuditContext::server(now);
            self.store.end_invite(mail.id.into(), by).await?;
        }
        Ok(self.store.remove_mail(mail).await?)
    }

    /// Sends one mail. `Ok` without a mail: no mail can be built for the address, the address got
    /// too many, or the mail is of no use any more.
    async fn send_mail(
        &self,
        delivery: &mut Delivery,
        mail: &DueMail,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let message = match mail.kind {
            MailKind::Reset => self.reset_message(mail, now).await?,
            MailKind::PasswordChanged | MailKind::EmailChanged => self.notice(mail, now)?,
            MailKind::Invite { expires_at, .. } => {
                self.invite_message(mail, expires_at, now).await?
            }
        };
        let Some(message) = message else {
            self.counts.mails.dropped.increment();
            return Ok(());
        };
        delivery.send(message, &mail.id.0.to_string()).await?;
        self.counts.mails.sent.increment();
        Ok(())
    }

    /// The mail with a reset code, whose digest is stored; none if the address has no active
    /// account.
    async fn reset_message(&self, mail: &DueMail, now: Timestamp) -> Result<Option<Mail>, Refusal> {
        let user = self.find_user_by_email(&mail.to).await?;
        let Some(user) = user.filter(|user| !user.disabled) else {
            return Ok(None);
        };
        let code = crypto::random_code(&self.world);
        // To the address of the account, never to the text of the request.
        let to = DueMail {
            to: user.email.clone(),
            ..mail.clone()
        };
        let Some(message) = self.message(&to, &Values::reset(&self.config(), &code), now) else {
            return Ok(None);
        };
        if !self.may_be_sent(&to)? {
            return Ok(None);
        }
        let expires_at = now.after(self.config().reset.lifetime);
        if !self
            .store
            .put_reset(
                user.id,
                crypto::digest_of(&code),
                expires_at,
                AuditContext::server(now),
            )
            .await?
        {
            return Ok(None);
        }
        // The account may have got another address since it was looked up. This read comes after
        // the code is stored: it shows an earlier change, and a later change removes the code.
        let current = self.store.find_user(user.id).await?;
        let is_same = current.is_some_and(|current| current.email == user.email);
        Ok(is_same.then_some(message))
    }

    /// The mail that reports a change.
    fn notice(&self, mail: &DueMail, now: Timestamp) -> Result<Option<Mail>, Refusal> {
        match self.message(mail, &Values::notice(mail.asked_at), now) {
            Some(message) if self.may_be_sent(mail)? => Ok(Some(message)),
            _ => Ok(None),
        }
    }

    /// The mail with the code of an invite, whose digest is stored; none if an earlier attempt
    /// arrived all the same, and its invite is used up, or if the invite was ended.
    async fn invite_message(
        &self,
        mail: &DueMail,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Mail>, Refusal> {
        let code = crypto::random_code(&self.world);
        let values = Values::invite(&self.config(), &code, expires_at);
        let Some(message) = self.message(mail, &values, now) else {
            return Ok(None);
        };
        let digest = crypto::digest_of(&code);
        let is_open = self.store.recode_invite(mail.clone(), digest, now).await?;
        Ok(is_open.then_some(message))
    }

    /// Builds a mail; none, and a line in the log, if the address cannot be mailed to.
    fn message(&self, mail: &DueMail, values: &Values, now: Timestamp) -> Option<Mail> {
        let unique = self.world.random_bytes();
        let message = message::build(&self.config(), mail, values, unique, now);
        message
            .inspect_err(|fault| {
                let id = mail.id.0;
                log::error!("mail {id} cannot be built, it is dropped: {fault}");
            })
            .ok()
    }

    /// Whether an address may have one more mail of this kind. The error says that it has to wait
    /// for a limit of all addresses.
    fn may_be_sent(&self, mail: &DueMail) -> Result<bool, Refusal> {
        let monotonic = self.world.clock.monotonic();
        let to = crypto::digest(mail.to.key().as_bytes());
        let is_first = mail.attempts == 0;
        if is_first && self.limiter.admit_mail(mail.kind, to, monotonic).is_err() {
            let id = mail.id.0;
            log::warn!(
                "an address gets too many mails of one kind (limits.reset_mails): mail {id} is not \
                 sent"
            );
            return Ok(false);
        }
        let admitted = self.limiter.admit_any_mail(mail.kind, monotonic);
        admitted.map_or_else(
            |_| Err("the limit for all mails of a kind is reached (limits.all_reset_mails)".into()),
            |()| Ok(true),
        )
    }
}
