//! Accounts: the record under its id, the account of an address, the account of a number.

use crate::crypto;
use crate::model::{
    Digest, Email, Name, NewToken, NewUser, Principal, Timestamp, User, UserId, UserNumber, limits,
};
use crate::store::sled::accounts::invites;
use crate::store::sled::accounts::resets;
use crate::store::sled::accounts::tokens;
use crate::store::sled::engine::keys::{EmailKey, FormerKey, NumberKey, UserKey, held_by, meta};
use crate::store::sled::engine::transaction::{Read, View};
use crate::store::{Created, Outcome, Updated};

/// Where the number of the next account lies.
const NEXT_NUMBER: u8 = 2;

/// Makes an account and its first session; the invite it brings is used up.
pub(crate) fn create(
    view: &mut View<'_>,
    new: NewUser,
    session: &NewToken,
    now: Timestamp,
) -> Outcome<Created> {
    let email_key = EmailKey {
        key: new.email.key(),
    };
    if view.fetch(&email_key)?.is_some() {
        return Ok(Created::EmailTaken);
    }
    if let Some(code) = &new.invite
        && !invites::use_up(view, crypto::digest(code.as_bytes()), now)?
    {
        return Ok(Created::InviteNotFound);
    }
    let number = view.fetch(&meta::<u32>(NEXT_NUMBER))?.unwrap_or(0);
    view.put(&meta::<u32>(NEXT_NUMBER), &(number + 1))?;
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
    view.put(&email_key, &user.id)?;
    view.put(
        &NumberKey {
            number: user.number,
        },
        &user.id,
    )?;
    view.put(&UserKey { id: user.id }, &user)?;
    tokens::insert(view, session.digest, &session.token)?;
    Ok(Created::Done(Box::new(user)))
}

/// The account of an address.
pub(crate) fn by_email(from: &impl Read, key: &str) -> Outcome<Option<UserId>> {
    from.fetch(&EmailKey {
        key: key.to_owned(),
    })
}

/// The accounts that may act: not gone, not disabled.
fn active(view: &View<'_>, id: UserId) -> Outcome<Option<User>> {
    Ok(view.fetch(&UserKey { id })?.filter(|user| !user.disabled))
}

/// Changes name and address.
pub(crate) fn update(
    view: &mut View<'_>,
    id: UserId,
    name: Name,
    email: Email,
    now: Timestamp,
) -> Outcome<Updated> {
    let Some(mut user) = active(view, id)? else {
        return Ok(Updated::Gone);
    };
    let (old_key, new_key) = (user.email.key(), email.key());
    if by_email(view, &new_key)?.is_some_and(|owner| owner != id) {
        return Ok(Updated::EmailTaken);
    }
    if old_key != new_key {
        view.remove(&EmailKey { key: old_key });
        view.put(&EmailKey { key: new_key }, &id)?;
        // A code that went to the old address must not open the account any more.
        resets::forget_of(view, id)?;
    }
    (user.name, user.email, user.updated_at) = (name, email, now);
    view.put(&UserKey { id }, &user)?;
    Ok(Updated::Done)
}

/// Sets a password if the account is still in `epoch`; all its tokens but `keep` are dead from then on, and so is a reset
/// code that is under way.
pub(crate) fn change_password(
    view: &mut View<'_>,
    id: UserId,
    epoch: u32,
    password_hash: String,
    keep: Option<Digest>,
    now: Timestamp,
) -> Outcome<Updated> {
    let user = active(view, id)?.filter(|user| user.epoch == epoch);
    let Some(user) = user else {
        return Ok(Updated::Gone);
    };
    let epoch = set_password(view, user, password_hash, now)?;
    // A token that was just exchanged stands for those that came of it: whoever shows it is logged in with the last of them.
    let mut kept = keep;
    for _ in 0..=limits::RETIRED_PER_FAMILY {
        let Some(digest) = kept else { break };
        let key = crate::store::sled::engine::keys::TokenKey { digest };
        let token = view
            .fetch(&key)?
            .filter(|token| token.holder == Principal::User(id));
        let Some(token) = token else { break };
        kept = token.retired.map(|retired| retired.successor);
        view.put(&key, &crate::model::Token { epoch, ..token })?;
    }
    Ok(Updated::Done)
}

/// Sets a password, ends every token and every reset code, and says the new epoch.
pub(crate) fn set_password(
    view: &mut View<'_>,
    mut user: User,
    password_hash: String,
    now: Timestamp,
) -> Outcome<u32> {
    (user.password_hash, user.updated_at) = (password_hash, now);
    user.epoch += 1;
    resets::forget_of(view, user.id)?;
    view.put(&UserKey { id: user.id }, &user)?;
    Ok(user.epoch)
}

/// Puts a new hash of the same password in the place of `old`.
pub(crate) fn rehash(view: &mut View<'_>, id: UserId, old: &str, new: String) -> Outcome<()> {
    let key = UserKey { id };
    match view.fetch(&key)? {
        Some(user) if user.password_hash == old => view.put(
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
    view: &mut View<'_>,
    id: UserId,
    disabled: bool,
    now: Timestamp,
) -> Outcome<bool> {
    let key = UserKey { id };
    let Some(mut user) = view.fetch(&key)? else {
        return Ok(false);
    };
    if user.disabled != disabled {
        (user.disabled, user.updated_at) = (disabled, now);
        user.epoch += 1;
        resets::forget_of(view, id)?;
        view.put(&key, &user)?;
    }
    Ok(true)
}

/// Removes an account with its tokens and codes. Its number stays taken: events may still name it.
pub(crate) fn delete(view: &mut View<'_>, id: UserId) -> Outcome<bool> {
    let Some(user) = view.fetch(&UserKey { id })? else {
        return Ok(false);
    };
    let held =
        view.under::<crate::store::sled::engine::keys::HeldKey>(&held_by(Principal::User(id)))?;
    for (_, digest) in held {
        tokens::end_family(view, digest)?;
    }
    resets::forget_of(view, id)?;
    view.remove(&EmailKey {
        key: user.email.key(),
    });
    view.remove(&UserKey { id });
    // Its events can still be asked for, and be erased.
    view.put(&FormerKey { id }, &user.number)?;
    Ok(true)
}
