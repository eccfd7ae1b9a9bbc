//! The outbox: mail in the order in which it is due; at most one entry for each address and kind.

use async_trait::async_trait;

use crate::model::{
    AuditAction, AuditContext, AuditEntry, DueMail, Email, End, EndReason, MailId, MailKind,
    Timestamp, limits,
};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::made_invites;
use crate::store::sled::audit;
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::keys::{self, Key, MetaKey, key, meta};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::{postcard_records, second_postcard_records};
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::store::reading;
use crate::store::{OutboxStore, Result};

key! {
    /// A mail in the outbox.
    MailKey { due_at: Timestamp, id: MailId } Mail => DueMail
}
key! {
    /// When the mail of a kind that waits for an address is due, and its id: [`MailKey`] in two
    /// fields. `to` is the mark of the kind and the key of the address.
    MailToKey { to: String } MailTo => (Timestamp, MailId)
}

postcard_records!((Timestamp, MailId));

second_postcard_records!(DueMail: reset_alone);

/// Version 1 had resets only, for the key of an address.
fn reset_alone(body: &[u8]) -> Result<DueMail, postcard::Error> {
    let (id, to, asked_at, due_at, attempts): (_, Email, _, _, _) = postcard::from_bytes(body)?;
    Ok(DueMail {
        id,
        to,
        asked_at,
        due_at,
        attempts,
        kind: MailKind::Reset,
    })
}

/// How many mails wait.
pub(crate) const WAITING: MetaKey<u64> = meta(MetaSlot::WaitingMails);
/// Mails that one read returns at most.
const DUE_MAILS: usize = 16;

/// Adds a mail and replaces one of its kind that waits for the same address. False: too many wait.
/// If the old mail has failed attempts, the new one takes over its due time and its attempts:
/// asking again neither hurries a mail server that is down nor counts as a further mail.
pub(crate) fn enqueue(tx: &mut Transaction<'_>, mut mail: DueMail) -> Result<bool> {
    if let Some(tried) = waiting_like(tx, &mail)?.filter(|it| it.attempts > 0) {
        (mail.due_at, mail.attempts) = (tried.due_at, tried.attempts);
    }
    take_out(tx, &mail)?;
    if waiting(tx)? >= limits::OUTBOX_ENTRIES as u64 {
        return Ok(false);
    }
    put_in(tx, &mail)?;
    Ok(true)
}

/// Adds the mail that reports a change, in the step of that change. A full outbox does not refuse
/// the change: the mail is dropped.
pub(crate) fn notify(
    tx: &mut Transaction<'_>,
    id: Option<MailId>,
    kind: MailKind,
    to: Email,
    now: Timestamp,
) -> Result<()> {
    let Some(id) = id else {
        return Ok(());
    };
    if !enqueue(tx, DueMail::new(id, kind, to, now))? {
        log::warn!("the outbox is full: a mail that reports a change of an account is not sent");
    }
    Ok(())
}

/// The mail of the same kind that waits for the same address.
fn waiting_like(tx: &Transaction<'_>, mail: &DueMail) -> Result<Option<DueMail>> {
    match tx.fetch_readable(&to(mail))? {
        Some((due_at, id)) => tx.fetch_readable(&MailKey { due_at, id }),
        None => Ok(None),
    }
}

fn waiting(tx: &Transaction<'_>) -> Result<u64> {
    if let Some(waiting) = tx.fetch_readable(&WAITING)? {
        return Ok(waiting);
    }
    // No mail was ever due, or the number is lost or damaged.
    let mut waiting = 0;
    tx.visit_keys(|_: MailKey| waiting += 1)?;
    Ok(waiting)
}

/// The mails that are due, and when the next one is due. A mail that is due later than any wait
/// allows was put in while the clock was ahead: it is due now.
fn due(from: &impl Read, now: Timestamp) -> Result<(Vec<DueMail>, Option<Timestamp>)> {
    let (start, end) = (keys::first::<MailKey>(), keys::end::<MailKey>());
    let latest = now.after(limits::MAIL_LONGEST_WAIT);
    let misplaced = keys::from_moment::<MailKey>(latest.successor().unwrap_or(latest));
    let first = from.entries::<MailKey>(&start, &misplaced, DUE_MAILS)?;
    let (mut due, later): (Vec<_>, Vec<_>) =
        first.into_iter().partition(|(key, _)| key.due_at <= now);
    due.extend(from.entries::<MailKey>(&misplaced, &end, DUE_MAILS - due.len())?);
    let next = match later.first() {
        _ if due.len() == DUE_MAILS => Some(now),
        Some((key, _)) => Some(key.due_at),
        None => None,
    };
    Ok((due.into_iter().map(|(_, mail)| mail).collect(), next))
}

/// Whether a mail still waits: it is the one of its address, or the record that says so is damaged.
pub(crate) fn still_waits(tx: &Transaction<'_>, mail: &DueMail) -> Result<bool> {
    let (due_at, id) = (mail.due_at, mail.id);
    let is_there = tx.raw(&MailKey { due_at, id }.bytes())?.is_some();
    let waiting = tx.fetch_readable(&to(mail))?;
    Ok(is_there && waiting.is_none_or(|(_, waiting)| waiting == id))
}

/// Removes a mail, unless it was replaced meanwhile.
pub(crate) fn remove(tx: &mut Transaction<'_>, mail: &DueMail) -> Result<()> {
    if still_waits(tx, mail)? {
        tx.remove(&to(mail));
    }
    remove_entry(tx, mail.due_at, mail.id)
}

/// Postpones a mail and counts the attempt, unless it was removed or replaced meanwhile.
fn postpone(tx: &mut Transaction<'_>, mut mail: DueMail, due_at: Timestamp) -> Result<()> {
    let still_waits = still_waits(tx, &mail)?;
    remove(tx, &mail)?;
    if still_waits {
        (mail.due_at, mail.attempts) = (due_at, mail.attempts + 1);
        put_in(tx, &mail)?;
    }
    Ok(())
}

/// Mails that wait, behind a place.
pub(crate) fn list(
    from: &impl Read,
    after: Option<(Timestamp, MailId)>,
    limit: usize,
) -> Result<Vec<DueMail>> {
    let start = match after {
        Some((due_at, id)) => keys::after(&MailKey { due_at, id }.bytes()),
        None => keys::first::<MailKey>(),
    };
    let found = from.entries::<MailKey>(&start, &keys::end::<MailKey>(), limit)?;
    Ok(found.into_iter().map(|(_, mail)| mail).collect())
}

/// The mail with this id. There are few enough to look at all of them.
pub(crate) fn by_id(from: &impl Read, id: MailId) -> Result<Option<DueMail>> {
    let all = list(from, None, limits::OUTBOX_ENTRIES)?;
    Ok(all.into_iter().find(|mail| mail.id == id))
}

/// The entry of the audit log for what is done to a mail.
fn entry(by: &AuditContext, action: AuditAction, mail: &DueMail) -> AuditEntry {
    let kind = mail.kind.as_str();
    by.done(action)
        .about(format!("{kind} to {}", mail.to.shown()))
}

/// Makes a mail due now, without counting an attempt. False: no such mail waits.
fn retry(tx: &mut Transaction<'_>, id: MailId, by: &AuditContext) -> Result<bool> {
    let Some(mut mail) = by_id(tx, id)? else {
        return Ok(false);
    };
    remove(tx, &mail)?;
    mail.due_at = by.at;
    put_in(tx, &mail)?;
    audit::log::append(tx, &entry(by, AuditAction::RetryMail, &mail))?;
    Ok(true)
}

/// Drops a mail, and ends the invite that it brings. False: no such mail waits.
fn discard(tx: &mut Transaction<'_>, id: MailId, by: &AuditContext) -> Result<bool> {
    let Some(mail) = by_id(tx, id)? else {
        return Ok(false);
    };
    remove(tx, &mail)?;
    if let Some((code, invite)) = made_invites::by_id(tx, mail.id.into())? {
        made_invites::remove(tx, code, &invite, &End::by(by, EndReason::Ended))?;
    }
    audit::log::append(tx, &entry(by, AuditAction::DropMail, &mail))?;
    Ok(true)
}

fn put_in(tx: &mut Transaction<'_>, mail: &DueMail) -> Result<()> {
    let (due_at, id) = (mail.due_at, mail.id);
    tx.put(&WAITING, &(waiting(tx)? + 1))?;
    tx.put(&to(mail), &(due_at, id))?;
    tx.put(&MailKey { due_at, id }, mail)
}

fn take_out(tx: &mut Transaction<'_>, mail: &DueMail) -> Result<()> {
    let key = to(mail);
    if let Some((due_at, id)) = tx.fetch_readable(&key)? {
        remove_entry(tx, due_at, id)?;
        tx.remove(&key);
    }
    Ok(())
}

/// Removes the entry of a mail, if it is there: whatever its address says, it is not sent again.
fn remove_entry(tx: &mut Transaction<'_>, due_at: Timestamp, id: MailId) -> Result<()> {
    let key = MailKey { due_at, id };
    if tx.raw(&key.bytes())?.is_some() {
        tx.put(&WAITING, &waiting(tx)?.saturating_sub(1))?;
        tx.remove(&key);
    }
    Ok(())
}

/// The key by which a mail is the only one of its kind and address. Resets have no mark, because
/// stores of earlier versions have no other kind; no address begins with a control character.
fn to(mail: &DueMail) -> MailToKey {
    let mark = match mail.kind {
        MailKind::Reset => "",
        MailKind::PasswordChanged => "\u{1}",
        MailKind::EmailChanged => "\u{2}",
        MailKind::Invite { .. } => "\u{3}",
    };
    let to = format!("{mark}{}", mail.to.key());
    MailToKey { to }
}

#[async_trait]
impl OutboxStore for SledStore {
    async fn enqueue_mail(&self, mail: DueMail) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| enqueue(tx, mail);
        self.change(WriteClass::Change, step).await
    }

    async fn due_mails(&self, now: Timestamp) -> Result<(Vec<DueMail>, Option<Timestamp>)> {
        due(&self.tree, now)
    }

    async fn list_mails(
        &self,
        after: Option<(Timestamp, MailId)>,
        limit: usize,
    ) -> Result<Vec<DueMail>> {
        let tree = self.tree.clone();
        reading(move || list(&tree, after, limit)).await
    }

    async fn retry_mail(&self, id: MailId, by: AuditContext) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| retry(tx, id, &by);
        self.change(WriteClass::Reclaim, step).await
    }

    async fn drop_mail(&self, id: MailId, by: AuditContext) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| discard(tx, id, &by);
        self.change(WriteClass::Reclaim, step).await
    }

    async fn remove_mail(&self, mail: DueMail) -> Result<()> {
        let step = move |tx: &mut Transaction<'_>| remove(tx, &mail);
        self.change(WriteClass::Reclaim, step).await
    }

    async fn postpone_mail(&self, mail: DueMail, due_at: Timestamp) -> Result<()> {
        let step = move |tx: &mut Transaction<'_>| postpone(tx, mail, due_at);
        self.change(WriteClass::Reclaim, step).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::engine::open::{self, OpenOptions};

    #[test]
    fn a_full_outbox_refuses_requests_and_no_change() {
        let directory = tempfile::tempdir().unwrap();
        let tree = open::open(directory.path(), &OpenOptions::default())
            .unwrap()
            .tree;
        let mut tx = Transaction::new(&tree);
        let full = limits::OUTBOX_ENTRIES as u64;
        let to = || Email::parse("ana@example.org").unwrap();
        let now = Timestamp::from_millis(1);
        let mail = |byte, kind| DueMail::new(MailId::from_random([byte; 16]), kind, to(), now);
        let notify = |tx: &mut Transaction<'_>, byte| {
            let id = Some(MailId::from_random([byte; 16]));
            super::notify(tx, id, MailKind::PasswordChanged, to(), now)
        };
        tx.put(&WAITING, &(full - 1)).unwrap();
        assert_eq!(notify(&mut tx, 1), Ok(()));
        assert_eq!(waiting(&tx), Ok(full));
        assert_eq!(enqueue(&mut tx, mail(2, MailKind::Reset)), Ok(false));
        assert_eq!(
            super::notify(
                &mut tx,
                Some(MailId::from_random([3; 16])),
                MailKind::EmailChanged,
                to(),
                now
            ),
            Ok(())
        );
        // Another of the same kind takes the place of the first.
        assert_eq!(notify(&mut tx, 4), Ok(()));
        assert_eq!(waiting(&tx), Ok(full));
        let (due, _) = due(&tx, now).unwrap();
        assert_eq!(due, [mail(4, MailKind::PasswordChanged)]);
    }
}
