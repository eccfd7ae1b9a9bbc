//! What the administrator does to accounts and tokens.

use std::sync::Arc;
use std::time::Duration;

use super::{Administrator, Error, Services, message};
use crate::crypto;
use crate::model::{
    AuditContext, DueMail, Email, Invalid, MailId, Name, NewUser, Principal, Secret, Timestamp,
    Token, TokenId, TokenPage, TokenQuery, TokenStatus, User, UserEdit, UserId, UserPage,
    UserQuery, limits,
};
use crate::store::{Created, OnlyIf, Updated};

/// How the tokens of an account are used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenUse {
    /// Its live tokens.
    pub live: usize,
    /// The latest use of any token that is stored, or of the log-in that brought it; none without
    /// tokens.
    pub last_used_at: Option<Timestamp>,
}

impl Services {
    /// A page of accounts.
    pub async fn list_users(&self, query: UserQuery) -> Result<UserPage, Error> {
        Ok(self.store.list_users(query).await?)
    }

    /// The account with this id. Error: `UnknownId`.
    pub async fn user(&self, id: UserId) -> Result<Arc<User>, Error> {
        self.store.find_user(id).await?.ok_or(Error::UnknownId)
    }

    /// How the tokens of an account are used.
    pub async fn token_use(&self, id: UserId, now: Timestamp) -> Result<TokenUse, Error> {
        let mut found = TokenUse::default();
        let mut query = TokenQuery {
            holder: Some(Principal::User(id)),
            kind: None,
            after: None,
            limit: limits::PAGE_ROWS_MOST,
        };
        // An account has a bounded number of tokens.
        loop {
            let page = self.store.list_tokens(query.clone()).await?;
            for (token, epoch) in &page.tokens {
                let is_live = token.status(*epoch, now, false) == TokenStatus::Live;
                found.live += usize::from(is_live);
                found.last_used_at = found.last_used_at.max(Some(token.last_used_at));
            }
            if page.next.is_none() {
                return Ok(found);
            }
            query.after = page.next;
        }
    }

    /// Creates an account without a session. Without a password it can be used after a reset.
    pub async fn add_user(
        &self,
        name: Name,
        email: Email,
        password: Option<&Secret>,
        by: AuditContext,
    ) -> Result<Arc<User>, Error> {
        message::mailbox(&email)?;
        let password = match password {
            Some(password) => self.new_password(password, &email, &name)?.secret().clone(),
            // Nobody knows it.
            None => crypto::random_code(&self.world),
        };
        let salt = self.world.random_bytes();
        let new = NewUser {
            id: UserId::from_random(self.world.random_bytes()),
            email,
            name,
            password_hash: self.passwords.hash(&password, salt).await?,
            invite: None,
        };
        match self.store.create_user(new, None, by).await? {
            Created::Done(user) => Ok(Arc::from(user)),
            Created::EmailTaken => Err(Error::EmailTaken),
            Created::InviteNotFound => Err(Error::InviteNotFound),
        }
    }

    /// Changes an account, if it still is of `version`. `notify`: another address is reported to
    /// the old one, as after a change by the owner.
    pub async fn edit_user(
        &self,
        id: UserId,
        edit: UserEdit,
        version: Option<u64>,
        notify: bool,
        by: AuditContext,
    ) -> Result<Arc<User>, Error> {
        let user = self.user(id).await?;
        if let Some(email) = edit
            .email
            .as_ref()
            .filter(|it| it.key() != user.email.key())
        {
            message::mailbox(email)?;
        }
        let only_if = version.map_or(OnlyIf::There, OnlyIf::Version);
        let notice = self.notice_id().filter(|_| notify);
        match self
            .store
            .update_user(id, edit, only_if, notice, by)
            .await?
        {
            Updated::Done => {
                self.mail_is_due.notify_one();
                self.user(id).await
            }
            Updated::EmailTaken => Err(Error::EmailTaken),
            Updated::Outdated => Err(Error::Outdated),
            Updated::Gone => Err(Error::UnknownId),
        }
    }

    /// Deletes an account, if it still is of `version`.
    pub async fn remove_user(
        &self,
        id: UserId,
        version: Option<u64>,
        by: AuditContext,
    ) -> Result<(), Error> {
        let user = self.user(id).await?;
        if version.is_some_and(|version| version != user.version()) {
            return Err(Error::Outdated);
        }
        if self.store.delete_user(id, by).await? {
            Ok(())
        } else {
            Err(Error::UnknownId)
        }
    }

    /// Sets the password of an account, which ends its tokens. `notify`: the owner gets the same
    /// mail as after an own change.
    pub async fn set_user_password(
        &self,
        id: UserId,
        password: &Secret,
        notify: bool,
        by: AuditContext,
    ) -> Result<(), Error> {
        let user = self.user(id).await?;
        let password = self.new_password(password, &user.email, &user.name)?;
        let salt = self.world.random_bytes();
        let hash = self.passwords.hash(password.secret(), salt).await?;
        let notice = self.notice_id().filter(|_| notify);
        let changed = self
            .store
            .change_password(id, user.epoch, hash, None, notice, by);
        match changed.await? {
            Updated::Done => {
                self.mail_is_due.notify_one();
                Ok(())
            }
            Updated::EmailTaken | Updated::Outdated | Updated::Gone => {
                let why = "the account is disabled, or was changed meanwhile".to_owned();
                Err(Error::Conflict(why))
            }
        }
    }

    /// A link with a reset code for the owner of an account, to hand over by hand. It takes the
    /// place of an earlier code. Returns when it expires, too.
    pub async fn reset_link(
        &self,
        id: UserId,
        lifetime: Option<Duration>,
        by: AuditContext,
    ) -> Result<(Secret, Timestamp), Error> {
        let config = self.config();
        let lifetime = lifetime.unwrap_or(config.reset.lifetime);
        if !limits::RESET_LIFETIME.contains(&lifetime) {
            let why = "must be from 60 to 604800";
            return Err(Invalid::new("lifetime_seconds", why).into());
        }
        self.user(id).await?;
        let code = crypto::random_code(&self.world);
        let expires_at = by.at.after(lifetime);
        let digest = crypto::digest_of(&code);
        if !self.store.put_reset(id, digest, expires_at, by).await? {
            return Err(Error::Conflict("the account is disabled".to_owned()));
        }
        let link = config.reset.reset_link.replace("{token}", code.reveal());
        Ok((Secret::new(link), expires_at))
    }

    /// Ends all tokens of an account, but one. Error: `UnknownId` if the account does not exist, or
    /// does not have the token.
    pub async fn end_user_tokens(
        &self,
        id: UserId,
        except: Option<TokenId>,
        by: AuditContext,
    ) -> Result<(), Error> {
        if self.store.end_tokens(id, except, by).await? {
            Ok(())
        } else {
            Err(Error::UnknownId)
        }
    }

    /// Up to `limit` mails that wait, behind the one with this due time and id.
    pub async fn list_mails(
        &self,
        after: Option<(Timestamp, MailId)>,
        limit: usize,
    ) -> Result<Vec<DueMail>, Error> {
        Ok(self.store.list_mails(after, limit).await?)
    }

    /// Tries a mail that waits at once.
    pub async fn retry_mail(&self, id: MailId, by: AuditContext) -> Result<(), Error> {
        if !self.store.retry_mail(id, by).await? {
            return Err(Error::UnknownId);
        }
        self.mail_is_due.notify_one();
        Ok(())
    }

    /// Drops a mail that waits. An invite that an earlier attempt may have brought ends with it.
    pub async fn drop_mail(&self, id: MailId, by: AuditContext) -> Result<(), Error> {
        let is_dropped = self.store.drop_mail(id, by).await?;
        is_dropped.then_some(()).ok_or(Error::UnknownId)
    }

    /// A page of tokens.
    pub async fn list_tokens(&self, query: TokenQuery) -> Result<TokenPage, Error> {
        let mut page = self.store.list_tokens(query).await?;
        for (token, epoch) in &mut page.tokens {
            if let Some((_, current)) = self.login_in_force(token.holder).await? {
                *epoch = Some(current);
            }
        }
        Ok(page)
    }

    /// The token with this public id, with its status. Error: `UnknownId`.
    pub async fn token(&self, id: TokenId, now: Timestamp) -> Result<(Token, TokenStatus), Error> {
        let found = self.store.find_token_by_id(id).await?;
        let (token, mut epoch) = found.ok_or(Error::UnknownId)?;
        if let Some((_, current)) = self.login_in_force(token.holder).await? {
            epoch = Some(current);
        }
        let status = token.status(epoch, now, false);
        Ok((token, status))
    }

    /// Ends the token with this public id. The token in use is ended only on purpose.
    pub async fn end_token(
        &self,
        administrator: &Administrator,
        id: TokenId,
        own: bool,
        by: AuditContext,
    ) -> Result<(), Error> {
        if !own && administrator.token() == Some(id) {
            let why = "this is the token of the request itself: add own=true to end it, and log in \
                       again afterwards";
            return Err(Error::Conflict(why.to_owned()));
        }
        match self.store.end_token_by_id(id, by).await? {
            Some(_) => Ok(()),
            None => Err(Error::UnknownId),
        }
    }
}
