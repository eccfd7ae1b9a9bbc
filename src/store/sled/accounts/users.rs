//! Accounts: the record under its id, the account of an address, the account of a number.

use crate::crypto;
use crate::model::{
    Digest, Email, Name, NewToken, NewUser, Principal, Timestamp, User, UserId, UserNumber, limits,
};
use crate::store::sled::accounts::invites;
use crate::store::sled::accounts::resets;
use crate::store::sled::accounts::tokens;
use crate::store::sled::engine::keys::{EmailKey, FormerKey, NumberKey, UserKey, held_by, meta};
use crate::store::sled::engine::transaction::{Read, Transaction};
use crate::store::{Created, Result, Updated};

/// Where the number of the next account lies.
const NEXT_NUMBER: u8 = 2;

/// Makes an account and its first session; the invite it brings is used up.
pub(crate) fn create(
    tx: &mut Transaction<'_>,
    new: NewUser,
    session: &NewToken,
    now: Timestamp,
) -> Result<Created> {
    let email_key = EmailKey {
        key: new.email.key(),
    };
    if tx.fetch(&email_key)?.is_some() {
        return Ok(Created::EmailTaken);
    }
    if let Some(code) = &new.invite
        && !invites::use_up(tx, crypto::digest(code.as_bytes()), now)?
    {
        return Ok(Created::InviteNotFound);
    }
    let number = tx.fetch(&meta::<u32>(NEXT_NUMBER))?.unwrap_or(0);
    tx.put(&meta::<u32>(NEXT_NUMBER), &(number + 1))?;
    let user = User {
        id: new.id,
        number: UserNumber(number),
        email: new.email,
        name: new.name,
        password_hash: new.password_hash,
        disabled: false,
        epoch: 0,
        created_at: now,
        updated_at: now,
        invite: new.invite,
    };
    tx.put(&email_key, &user.id)?;
    tx.put(
        &NumberKey {
            number: user.number,
        },
        &user.id,
    )?;
    tx.put(&UserKey { id: user.id }, &user)?;
    tokens::insert(tx, session.digest, &session.token)?;
    Ok(Created::Done(Box::new(user)))
}

/// The account of an address.
pub(crate) fn by_email(from: &impl Read, key: &str) -> Result<Option<UserId>> {
    from.fetch(&EmailKey {
        key: key.to_owned(),
    })
}

/// The accounts that may act: not gone, not disabled.
fn active(tx: &Transaction<'_>, id: UserId) -> Result<Option<User>> {
    Ok(tx.fetch(&UserKey { id })?.filter(|user| !user.disabled))
}

/// Changes name and address.
pub(crate) fn update(
    tx: &mut Transaction<'_>,
    id: UserId,
    name: Name,
    email: Email,
    now: Timestamp,
) -> Result<Updated> {
    let Some(mut user) = active(tx, id)? else {
        return Ok(Updated::Gone);
    };
    let (old_key, new_key) = (user.email.key(), email.key());
    if by_email(tx, &new_key)?.is_some_and(|owner| owner != id) {
        return Ok(Updated::EmailTaken);
    }
    if old_key != new_key {
        tx.remove(&EmailKey { key: old_key });
        tx.put(&EmailKey { key: new_key }, &id)?;
        // A code that went to the old address must not open the account any more.
        resets::forget_of(tx, id)?;
    }
    (user.name, user.email, user.updated_at) = (name, email, now);
    tx.put(&UserKey { id }, &user)?;
    Ok(Updated::Done)
}

/// Sets a password if the account is still in `epoch`; all its tokens but `keep` are dead from then on, and so is a reset
/// code that is under way.
pub(crate) fn change_password(
    tx: &mut Transaction<'_>,
    id: UserId,
    epoch: u32,
    password_hash: String,
    keep: Option<Digest>,
    now: Timestamp,
) -> Result<Updated> {
    let user = active(tx, id)?.filter(|user| user.epoch == epoch);
    let Some(user) = user else {
        return Ok(Updated::Gone);
    };
    let epoch = set_password(tx, user, password_hash, now)?;
    // A token that was just exchanged stands for those that came of it: whoever shows it is logged in with the last of them.
    let mut kept = keep;
    for _ in 0..=limits::RETIRED_PER_FAMILY {
        let Some(digest) = kept else { break };
        let key = crate::store::sled::engine::keys::TokenKey { digest };
        let token = tx
            .fetch(&key)?
            .filter(|token| token.holder == Principal::User(id));
        let Some(token) = token else { break };
        kept = token.retired.map(|retired| retired.successor);
        tx.put(&key, &crate::model::Token { epoch, ..token })?;
    }
    Ok(Updated::Done)
}

/// Sets a password, ends every token and every reset code, and says the new epoch.
pub(crate) fn set_password(
    tx: &mut Transaction<'_>,
    mut user: User,
    password_hash: String,
    now: Timestamp,
) -> Result<u32> {
    (user.password_hash, user.updated_at) = (password_hash, now);
    user.epoch += 1;
    resets::forget_of(tx, user.id)?;
    tx.put(&UserKey { id: user.id }, &user)?;
    Ok(user.epoch)
}

/// Puts a new hash of the same password in the place of `old`.
pub(crate) fn rehash(tx: &mut Transaction<'_>, id: UserId, old: &str, new: String) -> Result<()> {
    let key = UserKey { id };
    match tx.fetch(&key)? {
        Some(user) if user.password_hash == old => tx.put(
            &key,
            &User {
                password_hash: new,
                ..user
            },
        ),
        _ => Ok(()),
    }
}

/// Disables an account, which ends its tokens, or enables it.
pub(crate) fn set_disabled(
    tx: &mut Transaction<'_>,
    id: UserId,
    disabled: bool,
    now: Timestamp,
) -> Result<bool> {
    let key = UserKey { id };
    let Some(mut user) = tx.fetch(&key)? else {
        return Ok(false);
    };
    if user.disabled != disabled {
        (user.disabled, user.updated_at) = (disabled, now);
        user.epoch += 1;
        resets::forget_of(tx, id)?;
        tx.put(&key, &user)?;
    }
    Ok(true)
}

/// Removes an account with its tokens and codes. Its number stays taken: events may still name it.
pub(crate) fn delete(tx: &mut Transaction<'_>, id: UserId) -> Result<bool> {
    let Some(user) = tx.fetch(&UserKey { id })? else {
        return Ok(false);
    };
    let held =
        tx.under::<crate::store::sled::engine::keys::HeldKey>(&held_by(Principal::User(id)))?;
    for (_, digest) in held {
        tokens::end_family(tx, digest)?;
    }
    resets::forget_of(tx, id)?;
    tx.remove(&EmailKey {
        key: user.email.key(),
    });
    tx.remove(&UserKey { id });
    // Its events can still be asked for, and be erased.
    tx.put(&FormerKey { id }, &user.number)?;
    Ok(true)
}
