//! The records of the audit log: an entry under its moment and its number, under each account
//! that it concerns, and under its request; the count of all of them; the removal of the oldest.

use serde::{Deserialize, Serialize};

use crate::crypto;
use crate::model::{AuditEntry, AuditPlace, AuditRetention, Digest, Timestamp, UserId};
use crate::store::sled::engine::keys::{self, Key, MetaKey, key, meta};
use crate::store::sled::engine::read::{RawEntry, Read};
use crate::store::sled::engine::record::{self, postcard_records};
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::{Change, Transaction, entry_bytes};
use crate::store::{Result, Swept};

key! {
    /// An entry.
    AuditKey { at: Timestamp, number: u64 } Audit => AuditEntry
}
key! {
    /// An entry that concerns an account.
    AuditOfKey { user: UserId, at: Timestamp, number: u64 } AuditOf => ()
}

key! {
    /// An entry that a request caused, by the beginning of the digest of the request's id.
    AuditInKey { request: u64, at: Timestamp, number: u64 } AuditIn => ()
}

/// The count of all entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct AuditTotals {
    /// The number of the next entry.
    next: u64,
    /// How many entries there are.
    pub(crate) entries: u64,
    /// Their size in the database's log, in bytes, with their keys.
    pub(crate) bytes: u64,
}

postcard_records!(AuditEntry, AuditTotals);

const TOTALS: MetaKey<AuditTotals> = meta(MetaSlot::AuditTotals);

/// Entries that one step removes: it must not delay the steps behind it.
const STEP_ENTRIES: usize = 256;

impl AuditKey {
    pub(crate) fn place(&self) -> AuditPlace {
        AuditPlace {
            at: self.at,
            number: self.number,
        }
    }

    pub(crate) fn of(place: AuditPlace) -> AuditKey {
        AuditKey {
            at: place.at,
            number: place.number,
        }
    }
}

/// The count of all entries. Where it was lost with damaged files, they are counted again.
pub(crate) fn totals(from: &impl Read) -> Result<AuditTotals> {
    if let Some(totals) = from.fetch_readable(&TOTALS)? {
        return Ok(totals);
    }
    let mut totals = AuditTotals::default();
    from.visit_entries(|key: AuditKey, (bytes, stored)| {
        totals.next = totals.next.max(key.number.saturating_add(1));
        totals.entries += 1;
        totals.bytes += entry_bytes(bytes, stored);
        Ok(())
    })?;
    from.visit_entries(|_: AuditOfKey, (bytes, stored)| {
        totals.bytes += entry_bytes(bytes, stored);
        Ok(())
    })?;
    from.visit_entries(|_: AuditInKey, (bytes, stored)| {
        totals.bytes += entry_bytes(bytes, stored);
        Ok(())
    })?;
    Ok(totals)
}

/// Adds an entry, in the step of the change that it tells of.
pub(crate) fn append(tx: &mut Transaction<'_>, entry: &AuditEntry) -> Result<()> {
    let mut totals = totals(tx)?;
    let (at, number) = (entry.at, totals.next);
    totals.next += 1;
    totals.entries += 1;
    let key = AuditKey { at, number }.bytes();
    let sealed = record::seal(&key, entry)?;
    totals.bytes += entry_bytes(&key, &sealed);
    tx.change(key, Change::Put(sealed));
    for key in lists_of(entry, at, number) {
        let sealed = record::seal(&key, &())?;
        totals.bytes += entry_bytes(&key, &sealed);
        tx.change(key, Change::Put(sealed));
    }
    tx.put(&TOTALS, &totals)
}

/// The keys of an entry in the lists that it belongs to: of accounts, and of its request.
fn lists_of(entry: &AuditEntry, at: Timestamp, number: u64) -> Vec<Vec<u8>> {
    let of = entry
        .users()
        .map(|user| AuditOfKey { user, at, number }.bytes());
    let request = entry.request.as_deref().map(request_number);
    let within = request.map(|request| {
        AuditInKey {
            request,
            at,
            number,
        }
        .bytes()
    });
    of.chain(within).collect()
}

/// The number of a request in keys: ids of proxies may be long.
pub(crate) fn request_number(id: &str) -> u64 {
    let Digest(bytes) = crypto::digest(id.as_bytes());
    bytes
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Removes some of the entries that are older than `keep` allows at `now`, and, whatever their age,
/// some of the oldest while all together take too much. Without `now`, age does not matter.
pub(crate) fn sweep(
    tx: &mut Transaction<'_>,
    now: Option<Timestamp>,
    keep: AuditRetention,
) -> Result<Swept> {
    let mut totals = totals(tx)?;
    let too_old = now.map(|now| now.before(keep.age));
    let oldest = keys::first::<AuditKey>();
    let some = tx.raw_range(&oldest, &keys::end::<AuditKey>(), STEP_ENTRIES)?;
    let mut removed = 0;
    for entry in &some {
        let is_old = AuditKey::parse(&entry.0).is_some_and(|key| Some(key.at) < too_old);
        if !is_old && totals.bytes <= keep.max_bytes {
            break;
        }
        let freed = remove(tx, entry)?;
        totals.bytes = totals.bytes.saturating_sub(freed);
        totals.entries = totals.entries.saturating_sub(1);
        removed += 1;
    }
    if removed > 0 {
        tx.put(&TOTALS, &totals)?;
    }
    Ok(Swept {
        removed,
        more: removed == STEP_ENTRIES,
    })
}

/// Removes an entry, also a damaged one; returns how much it took in the log. The accounts that a
/// damaged entry concerns are not known: their lists leave out what is gone.
fn remove(tx: &mut Transaction<'_>, (key, stored): &RawEntry) -> Result<u64> {
    let mut freed = entry_bytes(key, stored);
    if let Some(AuditKey { at, number }) = AuditKey::parse(key) {
        let entry = tx.skip_damaged(record::open::<AuditEntry>(key, stored))?;
        for key in entry.iter().flat_map(|it| lists_of(it, at, number)) {
            if let Some(stored) = tx.raw(&key)? {
                freed += entry_bytes(&key, &stored);
                tx.change(key, Change::Remove);
            }
        }
    }
    tx.change(key.clone(), Change::Remove);
    Ok(freed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{AuditAction, AuditContext, UserId};
    use crate::store::sled::engine::tree::Tree;

    fn entry(at: i64) -> AuditEntry {
        let context = AuditContext::server(Timestamp::from_millis(at));
        let user = UserId::from_random([7; 16]);
        context.done(AuditAction::UpdateUser).on(user)
    }

    fn keep(age: u64, max_bytes: u64) -> AuditRetention {
        AuditRetention {
            age: Duration::from_millis(age),
            max_bytes,
        }
    }

    #[test]
    fn the_oldest_go_by_age_and_by_size_with_their_places_in_lists_and_the_count_follows() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let tree = Tree::of(&db);
        let mut tx = Transaction::new(&tree);
        for at in [10, 30, 20] {
            append(&mut tx, &entry(at)).unwrap();
        }
        let all = totals(&tx).unwrap();
        assert_eq!((all.next, all.entries), (3, 3));
        tx.remove(&TOTALS);
        assert_eq!(totals(&tx), Ok(all), "counted again");

        let swept = sweep(
            &mut tx,
            Some(Timestamp::from_millis(40)),
            keep(20, u64::MAX),
        );
        assert_eq!(swept.unwrap().removed, 1);
        let kept: Vec<i64> = tx
            .all::<AuditKey>()
            .unwrap()
            .iter()
            .map(|it| it.0.at.millis())
            .collect();
        assert_eq!(kept, [20, 30]);
        // Without a trusted clock, only the size counts.
        assert_eq!(sweep(&mut tx, None, keep(0, u64::MAX)).unwrap().removed, 0);
        let half = totals(&tx).unwrap().bytes / 2;
        assert_eq!(sweep(&mut tx, None, keep(0, half)).unwrap().removed, 1);
        assert_eq!(totals(&tx).unwrap().bytes, half);
        assert_eq!(tx.all::<AuditOfKey>().unwrap().len(), 1);
        assert_eq!(sweep(&mut tx, None, keep(0, 0)).unwrap().removed, 1);
        let none = totals(&tx).unwrap();
        assert_eq!((none.entries, none.bytes, none.next), (0, 0, 3));
        assert!(tx.all::<AuditOfKey>().unwrap().is_empty());
    }
}
