//! Accounts: the record under its id, the account of an address, the account of a user number.

use std::sync::Arc;

use crate::model::{
    AuditAction, AuditContext, Email, End, EndReason, MailId, MailKind, NewUser, Timestamp, User,
    UserEdit, UserId, UserNumber,
};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::{names, outbox, resets};
use crate::store::sled::audit::log;
use crate::store::sled::engine::keys::{self, MetaKey, key, meta};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::{OnlyIf, Result, Updated};

key! {
    /// An account.
    UserKey { id: UserId } User => User
}
key! {
    /// The account of an address, by [`Email::key`].
    EmailKey { key: String } Email => UserId
}
key! {
    /// The account of a user number.
    NumberKey { number: UserNumber } UserNumber => UserId
}
key! {
    /// The number of an account that was deleted: its events may still be stored.
    FormerKey { id: UserId } FormerUser => UserNumber
}

postcard_records!(User, UserId, UserNumber);

/// Whether there is any account.
pub(crate) fn any(from: &impl Read) -> Result<bool> {
    let first = from.keys_under::<UserKey>(&keys::first::<UserKey>(), 1)?;
    Ok(!first.is_empty())
}

/// The number of the next account.
const NEXT_NUMBER: MetaKey<u32> = meta(MetaSlot::NextUserNumber);
/// Numbers that are left out when it is lost: more than accounts can be lost with it.
const LEFT_OUT: u32 = 1 << 24;

impl SledStore {
    /// The account with this id, through the cache.
    pub(crate) fn user(&self, id: UserId) -> Result<Option<Arc<User>>> {
        let read = || self.tree.fetch(&UserKey { id });
        self.caches.users.read_through(&id, read)
    }
}

/// The account that stands under the key of an address.
pub(crate) fn by_email(from: &impl Read, key: &str) -> Result<Option<UserId>> {
    from.fetch(&EmailKey {
        key: key.to_owned(),
    })
}

/// The account of an address.
pub(crate) fn owner_of(from: &impl Read, email: &Email) -> Result<Option<UserId>> {
    for key in email.keys() {
        if let Some(owner) = by_email(from, &key)? {
            return Ok(Some(owner));
        }
    }
    Ok(None)
}

/// Frees the address of an account: removes its keys, but none of another account.
fn free_address(tx: &mut Transaction<'_>, user: UserId, email: &Email) {
    for key in email.keys() {
        let key = EmailKey { key };
        let is_others = matches!(tx.fetch(&key), Ok(Some(owner)) if owner != user);
        if !is_others {
            tx.remove(&key);
        }
    }
}

/// The account with this id, if it is active: neither gone nor disabled.
pub(crate) fn active(from: &impl Read, id: UserId) -> Result<Option<User>> {
    Ok(from.fetch(&UserKey { id })?.filter(|user| !user.disabled))
}

/// The number of an account, also of one that was deleted.
pub(crate) fn number_of(from: &impl Read, id: UserId) -> Result<Option<UserNumber>> {
    match from.fetch(&UserKey { id })? {
        Some(user) => Ok(Some(user.number)),
        None => from.fetch(&FormerKey { id }),
    }
}

/// The account of a number, also of one that was deleted; none if the record is damaged.
pub(crate) fn id_of(from: &impl Read, number: UserNumber) -> Result<Option<UserId>> {
    from.fetch_readable(&NumberKey { number })
}

/// The number of the next account. Where it was lost with damaged files, numbers are left out, so
/// that events do not become those of another account.
fn next_number(from: &impl Read) -> Result<u32> {
    if let Some(number) = from.fetch(&NEXT_NUMBER)? {
        return Ok(number);
    }
    let mut last = None;
    from.visit_keys(|key: NumberKey| last = last.max(Some(key.number.0)))?;
    for (_, number) in from.all::<FormerKey>()? {
        last = last.max(Some(number.0));
    }
    Ok(last.map_or(0, |last| last.saturating_add(LEFT_OUT)))
}

/// Adds an account with the next number. The caller has checked that its address is free.
pub(crate) fn insert(tx: &mut Transaction<'_>, new: NewUser, now: Timestamp) -> Result<User> {
    let number = next_number(tx)?;
    tx.put(&NEXT_NUMBER, &(number + 1))?;
    let number = UserNumber(number);
    let user = User {
        id: new.id,
        number,
        email: new.email,
        name: new.name,
        password_hash: new.password_hash,
        disabled: false,
        epoch: 0,
        created_at: now,
        updated_at: now,
        invite: new.invite,
    };
    let key = user.email.key();
    tx.put(&EmailKey { key }, &user.id)?;
    tx.put(&NumberKey { number }, &user.id)?;
    names::add(tx, &user)?;
    tx.put(&UserKey { id: user.id }, &user)?;
    Ok(user)
}

/// Changes an account. A different address removes the reset code, and is reported to the old
/// address by the mail `notice`; disabling it ends its tokens and the code.
pub(crate) fn update(
    tx: &mut Transaction<'_>,
    id: UserId,
    edit: UserEdit,
    only_if: OnlyIf,
    notice: Option<MailId>,
    by: &AuditContext,
) -> Result<Updated> {
    let Some(mut user) = tx.fetch(&UserKey { id })? else {
        return Ok(Updated::Gone);
    };
    match only_if {
        OnlyIf::Active if user.disabled => return Ok(Updated::Gone),
        OnlyIf::Version(version) if user.version() != version => return Ok(Updated::Outdated),
        OnlyIf::Active | OnlyIf::Version(_) | OnlyIf::There => {}
    }
    let mut changed = Vec::new();
    if let Some(name) = edit.name {
        names::remove(tx, &user);
        changed.extend((user.name != name).then_some("name"));
        user.name = name;
        names::add(tx, &user)?;
    }
    if let Some(email) = edit.email {
        if owner_of(tx, &email)?.is_some_and(|owner| owner != id) {
            return Ok(Updated::EmailTaken);
        }
        changed.extend((user.email != email).then_some("email"));
        move_address(tx, &mut user, email, notice, by)?;
    }
    if !changed.is_empty() {
        let entry = by.done(AuditAction::UpdateUser).on(id);
        log::append(tx, &entry.about(changed.join(", ")))?;
    }
    if let Some(disabled) = edit.disabled.filter(|disabled| *disabled != user.disabled) {
        disable(tx, &mut user, disabled, by)?;
    }
    user.updated_at = by.at;
    tx.put(&UserKey { id }, &user)?;
    Ok(Updated::Done)
}

/// Gives an account another address. A code that was mailed to the old address must not open the
/// account any more.
fn move_address(
    tx: &mut Transaction<'_>,
    user: &mut User,
    email: Email,
    notice: Option<MailId>,
    by: &AuditContext,
) -> Result<()> {
    let (id, key) = (user.id, email.key());
    let old = std::mem::replace(&mut user.email, email);
    if old.key() != key {
        free_address(tx, id, &old);
        tx.put(&EmailKey { key }, &id)?;
        resets::remove_of(tx, id, &End::by(by, EndReason::Withdrawn))?;
        outbox::notify(tx, notice, MailKind::EmailChanged, old, by.at)?;
    }
    Ok(())
}

/// Disables an account, which ends its tokens, or enables it. The caller stores it.
fn disable(
    tx: &mut Transaction<'_>,
    user: &mut User,
    disabled: bool,
    by: &AuditContext,
) -> Result<()> {
    user.disabled = disabled;
    user.epoch += 1;
    resets::remove_of(tx, user.id, &End::by(by, EndReason::Withdrawn))?;
    let action = if disabled {
        AuditAction::DisableUser
    } else {
        AuditAction::EnableUser
    };
    log::append(tx, &by.done(action).on(user.id))
}

/// Ends all tokens of an account. Returns its new epoch; none: it is gone.
pub(crate) fn end_tokens(
    tx: &mut Transaction<'_>,
    id: UserId,
    by: &AuditContext,
) -> Result<Option<u32>> {
    let Some(mut user) = tx.fetch(&UserKey { id })? else {
        return Ok(None);
    };
    user.epoch += 1;
    tx.put(&UserKey { id }, &user)?;
    log::append(tx, &by.done(AuditAction::EndTokens).on(id))?;
    Ok(Some(user.epoch))
}

/// Sets a password, ends every token and every reset code of the account, and returns its new
/// epoch. `code` says how its reset code ends. The mail `notice` reports the new password to the
/// account's address.
pub(crate) fn set_password(
    tx: &mut Transaction<'_>,
    mut user: User,
    password_hash: String,
    notice: Option<MailId>,
    code: &End,
) -> Result<u32> {
    let now = code.at;
    (user.password_hash, user.updated_at) = (password_hash, now);
    user.epoch += 1;
    resets::remove_of(tx, user.id, code)?;
    tx.put(&UserKey { id: user.id }, &user)?;
    outbox::notify(tx, notice, MailKind::PasswordChanged, user.email, now)?;
    Ok(user.epoch)
}

/// Replaces the hash `old` by a new hash of the same password, if the account still has `old`.
pub(crate) fn rehash(tx: &mut Transaction<'_>, id: UserId, old: &str, new: String) -> Result<()> {
    let key = UserKey { id };
    match tx.fetch(&key)? {
        Some(user) if user.password_hash == old => {
            let password_hash = new;
            tx.put(
                &key,
                &User {
                    password_hash,
                    ..user
                },
            )
        }
        _ => Ok(()),
    }
}

/// Removes an account. Its number stays reserved: events may still refer to it.
pub(crate) fn remove(tx: &mut Transaction<'_>, user: &User, end: &End) -> Result<()> {
    let id = user.id;
    // A code that cannot be read any more opens nothing without the account.
    let removed = resets::remove_of(tx, id, end);
    tx.skip_damaged(removed)?;
    free_address(tx, id, &user.email);
    names::remove(tx, user);
    tx.remove(&UserKey { id });
    // Queries and erasures can still find its events by this number.
    tx.put(&FormerKey { id }, &user.number)
}

/// Forgets the number of a deleted account that has no events any more.
pub(crate) fn forget_former(tx: &mut Transaction<'_>, id: UserId) -> Result<()> {
    let key = FormerKey { id };
    if let Some(number) = tx.fetch(&key)?
        && tx.fetch(&UserKey { id })?.is_none()
    {
        tx.remove(&NumberKey { number });
        tx.remove(&key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::engine::open::{self, OpenOptions};

    #[test]
    fn a_lost_number_is_not_given_to_another_account() {
        let directory = tempfile::tempdir().unwrap();
        let tree = open::open(directory.path(), &OpenOptions::default())
            .unwrap()
            .tree;
        let mut tx = Transaction::new(&tree);
        assert_eq!(next_number(&tx), Ok(0));
        let id = UserId::from_random([1; 16]);
        let number = UserNumber(3);
        tx.put(&NumberKey { number }, &id).unwrap();
        tx.put(&FormerKey { id }, &UserNumber(9)).unwrap();
        assert_eq!(next_number(&tx), Ok(9 + LEFT_OUT));
        tx.put(&NEXT_NUMBER, &12).unwrap();
        assert_eq!(next_number(&tx), Ok(12));
    }
}
