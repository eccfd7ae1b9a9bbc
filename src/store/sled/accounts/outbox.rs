//! Mail that is due, in the order in which it is; one entry an address.

use crate::model::{DueMail, Timestamp, limits};
use crate::store::Result;
use crate::store::sled::engine::keys::{Key, MailKey, MailToKey, meta};
use crate::store::sled::engine::transaction::{Read, Transaction, after_prefix};

/// Where the number of mails that wait lies.
const WAITING: u8 = 3;
/// Mails of one look into the outbox.
const LOOK_MAILS: usize = 16;

/// Puts a mail in, in place of one that waits for the same address. False: too many wait. If that one was tried in vain, the
/// new one waits as long, and goes on counting: asking again neither hurries a mail server that is down nor is a further mail.
pub(crate) fn enqueue(tx: &mut Transaction<'_>, mut mail: DueMail) -> Result<bool> {
    if let Some(tried) = waiting_for(tx, &mail.email_key)?.filter(|it| it.attempts > 0) {
        (mail.due_at, mail.attempts) = (tried.due_at, tried.attempts);
    }
    take_out(tx, &mail.email_key)?;
    if waiting(tx)? >= limits::OUTBOX_ENTRIES as u64 {
        return Ok(false);
    }
    put_in(tx, &mail)?;
    Ok(true)
}

fn waiting_for(tx: &Transaction<'_>, address: &str) -> Result<Option<DueMail>> {
    let key = MailToKey {
        key: address.to_owned(),
    };
    match tx.fetch(&key)? {
        Some((due_at, id)) => tx.fetch(&MailKey { due_at, id }),
        None => Ok(None),
    }
}

fn waiting(tx: &Transaction<'_>) -> Result<u64> {
    Ok(tx.fetch(&meta::<u64>(WAITING))?.unwrap_or(0))
}

/// The mails that are due, and when the next one is.
pub(crate) fn due(from: &impl Read, now: Timestamp) -> Result<(Vec<DueMail>, Option<Timestamp>)> {
    let all = after_prefix(&[MailKey::KIND]);
    let first = from.entries::<MailKey>(&[MailKey::KIND], &all, LOOK_MAILS)?;
    let (due, later): (Vec<_>, Vec<_>) = first.into_iter().partition(|(key, _)| key.due_at <= now);
    let next = match later.first() {
        Some((key, _)) => Some(key.due_at),
        None if due.len() == LOOK_MAILS => Some(now),
        None => None,
    };
    Ok((due.into_iter().map(|(_, mail)| mail).collect(), next))
}

/// Takes a mail out if it is still the one that waits for its address.
pub(crate) fn remove(tx: &mut Transaction<'_>, mail: &DueMail) -> Result<()> {
    let waiting = tx.fetch(&MailToKey {
        key: mail.email_key.clone(),
    })?;
    if waiting.is_some_and(|(_, id)| id == mail.id) {
        take_out(tx, &mail.email_key)?;
    }
    Ok(())
}

/// Puts a mail off, unless it was taken out or replaced meanwhile.
pub(crate) fn postpone(tx: &mut Transaction<'_>, mail: DueMail, due_at: Timestamp) -> Result<()> {
    let waiting = tx.fetch(&MailToKey {
        key: mail.email_key.clone(),
    })?;
    if waiting.is_some_and(|(_, id)| id == mail.id) {
        take_out(tx, &mail.email_key)?;
        let attempts = mail.attempts + 1;
        put_in(
            tx,
            &DueMail {
                due_at,
                attempts,
                ..mail
            },
        )?;
    }
    Ok(())
}

fn put_in(tx: &mut Transaction<'_>, mail: &DueMail) -> Result<()> {
    let place = (mail.due_at, mail.id);
    tx.put(&meta::<u64>(WAITING), &(waiting(tx)? + 1))?;
    tx.put(
        &MailToKey {
            key: mail.email_key.clone(),
        },
        &place,
    )?;
    tx.put(
        &MailKey {
            due_at: mail.due_at,
            id: mail.id,
        },
        mail,
    )
}

fn take_out(tx: &mut Transaction<'_>, address: &str) -> Result<()> {
    let key = MailToKey {
        key: address.to_owned(),
    };
    if let Some((due_at, id)) = tx.fetch(&key)? {
        tx.put(&meta::<u64>(WAITING), &waiting(tx)?.saturating_sub(1))?;
        tx.remove(&MailKey { due_at, id });
        tx.remove(&key);
    }
    Ok(())
}
