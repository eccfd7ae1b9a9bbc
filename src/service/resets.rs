//! Reset codes for forgotten passwords. Asking for a mail is the same work for every address; the
//! sender finds out later whether the address has an account.

use super::limiter::Action;
use super::{Error, Services};
use crate::crypto;
use crate::model::{
    Actor, AuditAction, AuditOutcome, Caller, DueMail, Email, MailKind, Password, Principal,
    Secret, User,
};
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
    pub async fn ask_reset(&self, address: &str, caller: &Caller) -> Result<(), Error> {
        let Ok(email) = Email::parse(address) else {
            return Ok(());
        };
        let action = AuditAction::AskReset;
        let monotonic = self.world.clock.monotonic();
        let network = self.limited_network(caller.client.address);
        if self
            .limiter
            .admit(Action::AskReset, network, monotonic)
            .is_err()
        {
            log::warn!(
                "{} asks for too many reset mails: this mail is not sent",
                caller.client.address
            );
            self.note_entry(action, AuditOutcome::TooMany, None, caller);
            return Ok(());
        }
        self.note_entry(action, AuditOutcome::Success, None, caller);
        let mail = DueMail::new(self.mail_id(), MailKind::Reset, email, caller.at);
        if self.store.enqueue_mail(mail).await? {
            self.mail_is_due.notify_one();
        } else {
            log::warn!("the outbox is full: a reset mail is not sent");
        }
        Ok(())
    }

    /// Sets a new password with a code. A password that breaks a rule does not use up the code.
    pub async fn redeem_reset(&self, redemption: Redemption, caller: &Caller) -> Result<(), Error> {
        let redeemed = self.try_to_redeem(redemption, caller).await;
        let action = AuditAction::RedeemReset;
        redeemed.inspect_err(|error| self.note_failure(error, action, None, caller))
    }

    async fn try_to_redeem(&self, redemption: Redemption, caller: &Caller) -> Result<(), Error> {
        let network = self.limited_network(caller.client.address);
        self.limiter
            .admit(Action::TryReset, network, self.world.clock.monotonic())?;
        let code = crypto::digest_of(&redemption.code);
        let Some(id) = self.store.find_reset(&code, caller.at).await? else {
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
        let by = caller.acting(Actor::Holder(Principal::User(id)));
        match self
            .store
            .redeem_reset(code, hash, self.notice_id(), by)
            .await?
        {
            Redeemed::Done(user) => {
                // Earlier guesses at the old password must not keep its owner waiting.
                self.forgive(user, &caller.client);
                self.trust_address(user, &caller.client);
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
