//! Reset codes for forgotten passwords. Asking for a mail is the same work for every address; the
//! sender finds out later whether the address has an account.

use super::limiter::Action;
use super::{Error, Services};
use crate::crypto;
use crate::model::{Client, DueMail, Email, MailKind, Password, Secret, Timestamp, User};
use crate::store::Redeemed;

/// The input of a redemption, not checked yet.
#[derive(Debug, Clone)]
pub struct Redemption {
    /// The code of the mail.
    pub code: Secret,
    /// The new password.
    pub password: Secret,
    /// The new password again.
    pub confirmation: Secret,
}

impl Services {
    /// Puts a reset mail into the outbox. The result does not show whether the address has an
    /// account, nor whether the client asked too often. An error is a fault of the server.
    pub async fn ask_reset(
        &self,
        address: &str,
        from: &Client,
        now: Timestamp,
    ) -> Result<(), Error> {
        let Ok(email) = Email::parse(address) else {
            return Ok(());
        };
        let monotonic = self.world.clock.monotonic();
        let network = self.limited_network(from.address);
        if self
            .limiter
            .admit(Action::AskReset, network, monotonic)
            .is_err()
        {
            log::warn!(
                "{} asks for too many reset mails: this mail is not sent",
                from.address
            );
            return Ok(());
        }
        let mail = DueMail::new(self.mail_id(), MailKind::Reset, email, now);
        if self.store.enqueue_mail(mail).await? {
            self.mail_is_due.notify_one();
        } else {
            log::warn!("the outbox is full: a reset mail is not sent");
        }
        Ok(())
    }

    /// Sets a new password with a code. A password that breaks a rule does not use up the code.
    pub async fn redeem_reset(
        &self,
        redemption: Redemption,
        from: &Client,
        now: Timestamp,
    ) -> Result<(), Error> {
        let network = self.limited_network(from.address);
        self.limiter
            .admit(Action::TryReset, network, self.world.clock.monotonic())?;
        let code = crypto::digest_of(&redemption.code);
        let Some(id) = self.store.find_reset(&code, now).await? else {
            return Err(Error::BadResetCode);
        };
        let Some(user) = self.store.find_user(id).await? else {
            return Err(Error::BadResetCode);
        };
        let password = self.judge(&redemption, &user)?;
        let hash = self
            .passwords
            .hash(password.secret(), self.world.random_bytes())
            .await?;
        match self
            .store
            .redeem_reset(code, hash, self.notice_id(), now)
            .await?
        {
            Redeemed::Done(user) => {
                // Earlier guesses at the old password must not keep its owner waiting.
                self.forgive(user, from);
                self.trust_address(user, from);
                log::info!("the password of account {user} was reset");
                self.mail_is_due.notify_one();
                Ok(())
            }
            Redeemed::Refused => Err(Error::BadResetCode),
        }
    }

    fn judge(&self, redemption: &Redemption, user: &User) -> Result<Password, Error> {
        let Redemption {
            password,
            confirmation,
            ..
        } = redemption;
        let mut wrong = Vec::new();
        if password.normalized() != confirmation.normalized() {
            wrong.push("Password confirmation doesn't match Password".to_owned());
        }
        match self.new_password(password, &user.email, &user.name) {
            Ok(password) if wrong.is_empty() => return Ok(password),
            Ok(_) => {}
            Err(invalid) => wrong.push(format!("Password {}", invalid.why)),
        }
        Err(Error::Unprocessable(wrong))
    }
}
