//! Changes of an account together with its tokens, codes and invites: signup, a new password,
//! deletion. Each is one step.

use std::sync::Arc;

use async_trait::async_trait;

use crate::crypto;
use crate::model::{
    AuditAction, AuditContext, Digest, End, EndReason, EndedSecret, MailId, NewToken, NewUser,
    Principal, ResetCode, Timestamp, TokenId, User, UserEdit, UserId, UserPage, UserQuery,
};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::{ended, invites, resets, token_list, tokens, user_list, users};
use crate::store::sled::audit::log;
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::store::reading;
use crate::store::{AccountStore, Created, OnlyIf, Redeemed, Result, Updated};

/// Creates an account and its first session, and counts one use of its invite.
fn create(
    tx: &mut Transaction<'_>,
    new: NewUser,
    session: Option<&NewToken>,
    by: &AuditContext,
) -> Result<Created> {
    if users::owner_of(tx, &new.email)?.is_some() {
        return Ok(Created::EmailTaken);
    }
    if let Some(code) = &new.invite
        && !invites::use_up(tx, crypto::digest(code.as_bytes()), by.at)?
    {
        return Ok(Created::InviteNotFound);
    }
    let user = users::insert(tx, new, by.at)?;
    if let Some(session) = session {
        tokens::insert(tx, session.digest, &session.token)?;
    }
    log::append(tx, &by.done(AuditAction::SignUp).on(user.id))?;
    Ok(Created::Done(Box::new(user)))
}

/// Sets a password if the account is still in `epoch`. Ends all tokens of the account except
/// `keep`, and its reset code.
fn change_password(
    tx: &mut Transaction<'_>,
    id: UserId,
    epoch: u32,
    password_hash: String,
    keep: Option<Digest>,
    notice: Option<MailId>,
    by: &AuditContext,
) -> Result<Updated> {
    let user = users::active(tx, id)?.filter(|user| user.epoch == epoch);
    let Some(user) = user else {
        return Ok(Updated::Gone);
    };
    let code = End::by(by, EndReason::Withdrawn);
    let epoch = users::set_password(tx, user, password_hash, notice, &code)?;
    if let Some(digest) = keep {
        tokens::keep(tx, digest, Principal::User(id), epoch)?;
    }
    log::append(tx, &by.done(AuditAction::ChangePassword).on(id))?;
    Ok(Updated::Done)
}

/// Uses up a code and sets a new password.
fn redeem(
    tx: &mut Transaction<'_>,
    code: Digest,
    password_hash: String,
    notice: Option<MailId>,
    by: &AuditContext,
) -> Result<Redeemed> {
    let Some(id) = resets::find(tx, code, by.at)? else {
        return Ok(Redeemed::Refused);
    };
    let Some(user) = users::active(tx, id)? else {
        return Ok(Redeemed::Refused);
    };
    let code = End::by(by, EndReason::Used);
    users::set_password(tx, user, password_hash, notice, &code)?;
    log::append(tx, &by.done(AuditAction::RedeemReset).on(id))?;
    Ok(Redeemed::Done(id))
}

/// Ends all tokens of an account but one. False: there is no account, or it has no such token.
fn end_tokens(
    tx: &mut Transaction<'_>,
    id: UserId,
    except: Option<TokenId>,
    by: &AuditContext,
) -> Result<bool> {
    let holder = Principal::User(id);
    let keep = match except {
        Some(id) => match token_list::by_id(tx, id)?.filter(|(_, it)| it.holder == holder) {
            Some((digest, _)) => Some(digest),
            None => return Ok(false),
        },
        None => None,
    };
    let Some(epoch) = users::end_tokens(tx, id, by)? else {
        return Ok(false);
    };
    if let Some(digest) = keep {
        tokens::keep(tx, digest, holder, epoch)?;
    }
    Ok(true)
}

/// Removes an account with its codes, which ends its tokens. False: it does not exist.
fn delete(tx: &mut Transaction<'_>, id: UserId, by: &AuditContext) -> Result<bool> {
    let Some(user) = tx.fetch(&users::UserKey { id })? else {
        return Ok(false);
    };
    users::remove(tx, &user, &End::by(by, EndReason::AccountDeleted))?;
    log::append(tx, &by.done(AuditAction::DeleteUser).on(id))?;
    Ok(true)
}

#[async_trait]
impl AccountStore for SledStore {
    async fn find_user(&self, id: UserId) -> Result<Option<Arc<User>>> {
        self.user(id)
    }

    async fn find_user_by_email(&self, key: &str) -> Result<Option<Arc<User>>> {
        match users::by_email(&self.tree, key)? {
            Some(id) => self.user(id),
            None => Ok(None),
        }
    }

    async fn any_user(&self) -> Result<bool> {
        users::any(&self.tree)
    }

    async fn create_user(
        &self,
        user: NewUser,
        session: Option<NewToken>,
        by: AuditContext,
    ) -> Result<Created> {
        let step = move |tx: &mut Transaction<'_>| create(tx, user, session.as_ref(), &by);
        self.change(WriteClass::Change, step).await
    }

    async fn update_user(
        &self,
        id: UserId,
        edit: UserEdit,
        only_if: OnlyIf,
        notice: Option<MailId>,
        by: AuditContext,
    ) -> Result<Updated> {
        let step =
            move |tx: &mut Transaction<'_>| users::update(tx, id, edit, only_if, notice, &by);
        self.change(WriteClass::Change, step).await
    }

    async fn change_password(
        &self,
        id: UserId,
        epoch: u32,
        password_hash: String,
        keep: Option<Digest>,
        notice: Option<MailId>,
        by: AuditContext,
    ) -> Result<Updated> {
        let step = move |tx: &mut Transaction<'_>| {
            change_password(tx, id, epoch, password_hash, keep, notice, &by)
        };
        self.change(WriteClass::Change, step).await
    }

    async fn rehash_password(&self, id: UserId, old: String, new: String) -> Result<()> {
        let step = move |tx: &mut Transaction<'_>| users::rehash(tx, id, &old, new);
        self.change(WriteClass::Change, step).await
    }

    async fn list_users(&self, query: UserQuery) -> Result<UserPage> {
        let tree = self.tree.clone();
        reading(move || user_list::list(&tree, &query)).await
    }

    async fn end_tokens(
        &self,
        id: UserId,
        except: Option<TokenId>,
        by: AuditContext,
    ) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| end_tokens(tx, id, except, &by);
        self.change(WriteClass::Change, step).await
    }

    async fn delete_user(&self, id: UserId, by: AuditContext) -> Result<bool> {
        let holder = Principal::User(id);
        let end = End::by(&by, EndReason::AccountDeleted);
        let first = end.clone();
        let step = move |tx: &mut Transaction<'_>| {
            let is_there = delete(tx, id, &by)?;
            Ok((is_there, tokens::remove_some(tx, holder, &first)?))
        };
        let (is_there, mut more) = self.change(WriteClass::Reclaim, step).await?;
        while more {
            let end = end.clone();
            let step = move |tx: &mut Transaction<'_>| tokens::remove_some(tx, holder, &end);
            more = self.change(WriteClass::Reclaim, step).await?;
        }
        Ok(is_there)
    }

    async fn put_reset(
        &self,
        user: UserId,
        code: Digest,
        expires_at: Timestamp,
        by: AuditContext,
    ) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| {
            let is_active = users::active(tx, user)?.is_some();
            if is_active {
                resets::put(tx, user, code, expires_at, by.at)?;
                log::append(tx, &by.done(AuditAction::MakeReset).on(user))?;
            }
            Ok(is_active)
        };
        self.change(WriteClass::Change, step).await
    }

    async fn find_reset(&self, code: &Digest, now: Timestamp) -> Result<Option<UserId>> {
        resets::find(&self.tree, *code, now)
    }

    async fn find_code(&self, code: &Digest) -> Result<Option<ResetCode>> {
        self.tree
            .fetch_readable(&resets::ResetKey { digest: *code })
    }

    async fn find_ended(&self, secret: &Digest) -> Result<Option<EndedSecret>> {
        ended::find(&self.tree, *secret)
    }

    async fn redeem_reset(
        &self,
        code: Digest,
        password_hash: String,
        notice: Option<MailId>,
        by: AuditContext,
    ) -> Result<Redeemed> {
        let step = move |tx: &mut Transaction<'_>| redeem(tx, code, password_hash, notice, &by);
        self.change(WriteClass::Change, step).await
    }
}
