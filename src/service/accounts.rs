//! Accounts: signup, changes, deletion.

use std::sync::Arc;

use super::limiter::Action;
use super::tokens::{Bearer, Issued};
use super::{Error, Services, message};
use crate::model::{
    Actor, AuditAction, AuditContext, Caller, Email, Invalid, Name, NewUser, Password,
    PasswordRules, Principal, Secret, User, UserEdit, UserId, limits,
};
use crate::store::{Created, OnlyIf, Updated};

/// The input of a signup, not checked yet.
#[derive(Debug, Clone)]
pub struct Signup {
    /// The name to show.
    pub name: String,
    /// The address.
    pub email: String,
    /// The password.
    pub password: Secret,
    /// The code of the invite; an empty one counts as none.
    pub invite: Option<String>,
}

impl Services {
    /// Creates an account and its first session. The same step counts the use of the invite: a
    /// signup that fails uses none.
    pub async fn sign_up(&self, signup: Signup, caller: &Caller) -> Result<Issued, Error> {
        let signed_up = self.try_to_sign_up(signup, caller).await;
        signed_up.inspect_err(|error| self.note_failure(error, AuditAction::SignUp, None, caller))
    }

    async fn try_to_sign_up(&self, signup: Signup, caller: &Caller) -> Result<Issued, Error> {
        let config = self.config();
        let rules = &config.accounts;
        if !rules.signup {
            return Err(Error::SignupClosed);
        }
        let name = Name::parse(&signup.name)?;
        let email = Email::parse(&signup.email)?;
        message::mailbox(&email)?;
        let password = self.new_password(&signup.password, &email, &name)?;
        let invite = signup.invite.filter(|code| !code.is_empty());
        match &invite {
            None if rules.invite_required => return Err(Error::InviteNotFound),
            Some(code) if code.chars().count() > limits::INVITE_CHARS => {
                return Err(Error::InviteNotFound);
            }
            _ => {}
        }
        let network = self.limited_network(caller.client.address);
        self.limiter
            .admit(Action::SignUp, network, self.world.clock.monotonic())?;
        let salt = self.world.random_bytes();
        let password_hash = self.passwords.hash(password.secret(), salt).await?;
        let id = UserId::from_random(self.world.random_bytes());
        let session = self.first_session(id, caller);
        let user = NewUser {
            id,
            email,
            name,
            password_hash,
            invite,
        };
        let by = caller.acting(Actor::Holder(Principal::User(id)));
        match self
            .store
            .create_user(user, Some(session.as_new()), by)
            .await?
        {
            Created::Done(_) => {
                self.trust_address(id, &caller.client);
                Ok(session)
            }
            Created::EmailTaken => Err(Error::EmailTaken),
            Created::InviteNotFound => Err(Error::InviteNotFound),
        }
    }

    /// Changes name and address of an account. An address that stays may be one of an earlier
    /// version, to which no mail can be sent.
    pub async fn update_user(
        &self,
        user: &User,
        name: Name,
        email: Email,
        by: AuditContext,
    ) -> Result<(), Error> {
        if email.key() != user.email.key() {
            message::mailbox(&email)?;
        }
        let notice = self.notice_id();
        let edit = UserEdit {
            name: Some(name),
            email: Some(email),
            disabled: None,
        };
        match self
            .store
            .update_user(user.id, edit, OnlyIf::Active, notice, by)
            .await?
        {
            Updated::Done => {
                self.mail_is_due.notify_one();
                Ok(())
            }
            Updated::EmailTaken => Err(Error::EmailTaken),
            Updated::Gone | Updated::Outdated => Err(Error::BadToken),
        }
    }

    /// Deletes an account, which ends its tokens and frees its address.
    pub async fn delete_user(&self, user: &User, by: AuditContext) -> Result<(), Error> {
        let deleted = self.store.delete_user(user.id, by).await?;
        if deleted {
            Ok(())
        } else {
            Err(Error::BadToken)
        }
    }

    /// Sets a new password if `current` is right, and ends every token of the account except the
    /// one in use.
    pub async fn change_password(
        &self,
        bearer: &Bearer,
        user: &Arc<User>,
        current: &Secret,
        new: &Secret,
        caller: &Caller,
    ) -> Result<(), Error> {
        let new = self.new_password(new, &user.email, &user.name)?;
        self.confirm(bearer.token.family, user, current, caller)
            .await?;
        let hash = self
            .passwords
            .hash(new.secret(), self.world.random_bytes())
            .await?;
        let (keep, by) = (Some(bearer.digest), caller.acting(bearer.actor()));
        match self
            .store
            .change_password(user.id, user.epoch, hash, keep, self.notice_id(), by)
            .await?
        {
            Updated::Done => {
                self.mail_is_due.notify_one();
                Ok(())
            }
            Updated::Gone | Updated::EmailTaken | Updated::Outdated => Err(Error::BadToken),
        }
    }

    /// Checks a new password of the account with this address and name.
    pub(super) fn new_password(
        &self,
        secret: &Secret,
        email: &Email,
        name: &Name,
    ) -> Result<Password, Invalid> {
        let config = self.config();
        let accounts = &config.accounts;
        let rules = PasswordRules {
            min_chars: accounts.password_min_length,
            refuse_common: accounts.refuse_common_passwords,
        };
        Password::parse(secret, rules)?.unlike(email, name)
    }

    /// Whether signing up needs an invite.
    pub fn needs_invite(&self) -> bool {
        self.config().accounts.invite_required
    }
}
