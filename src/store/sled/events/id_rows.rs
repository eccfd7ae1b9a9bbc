//! How the ids of stored events lie in the database: packed into rows. A row for each id would take
//! ten times the space of the id. Nothing looks an id up here: the rows are read at the start, and
//! removed when their day is over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{EventId, UserNumber};
use crate::store::sled::engine::keys::{self, Field, Key, key, prefix};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::{self, postcard_records};
use crate::store::sled::engine::transaction::{Change, ENTRY_BYTES, GroupEntries, Transaction};
use crate::store::sled::events::format::columns::Reporter;
use crate::store::sled::events::known_ids::SentIds;
use crate::store::{Result, Swept};

key! {
    /// Ids of a day: the group that began the row, and the row's place in it.
    IdRowKey { day: u32, sequence: u64, index: u32 } EventIds => IdRow
}

key! {
    /// A single id, as earlier versions stored it: its day, its reporter, and the id.
    EventIdKey { day: u32, kind: u8, number: u32, id: EventId } EventId => ()
}

/// Ids by their reporters, in the order of arrival.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct IdRow(Vec<(Reporter, Vec<EventId>)>);

postcard_records!(IdRow);

/// The most ids in a row: it stays below 2 KB even if each is of another reporter.
const ROW_IDS: usize = 80;
/// A row with fewer ids stays open, and the next group of its day writes it anew with more: ids
/// that arrive one by one need no rows of their own.
const OPEN_IDS: usize = 16;
/// Bytes of an id in its row.
const ID_BYTES: u64 = 17;
/// Bytes of a reporter with the number of ids, at most.
const REPORTER_BYTES: u64 = 7;
/// Bytes of a row in the log beyond its ids, with the key, for the ids of one reporter.
const ROW_BYTES: u64 = 17 + 6 + REPORTER_BYTES + ENTRY_BYTES;

/// The largest number of records that one sweep removes.
const SWEEP_RECORDS: usize = 512;

/// The size in the log, in bytes, of ids that one reporter sent, at most: an open row is written
/// anew with them.
pub(crate) fn log_bytes(ids: usize) -> u64 {
    let rows = (ids + OPEN_IDS) / ROW_IDS + 1;
    let open_row = OPEN_IDS as u64 * (ID_BYTES + REPORTER_BYTES);
    ids as u64 * ID_BYTES + rows as u64 * ROW_BYTES + open_row
}

/// A row that is being filled.
struct Filling {
    key: IdRowKey,
    row: IdRow,
    ids: usize,
}

impl Filling {
    fn push(&mut self, reporter: Reporter, id: EventId) {
        match self.row.0.last_mut().filter(|last| last.0 == reporter) {
            Some((_, ids)) => ids.push(id),
            None => self.row.0.push((reporter, vec![id])),
        }
        self.ids += 1;
    }
}

/// Packs the ids of a group into rows.
#[derive(Default)]
pub(crate) struct IdPacker {
    /// The ids of the current group, by day.
    waiting: BTreeMap<u32, Vec<SentIds>>,
    /// The last row that was written, if it has room for more.
    open: Option<Filling>,
}

impl IdPacker {
    /// Adds ids to the current group.
    pub(crate) fn add(&mut self, sent: SentIds) {
        self.waiting.entry(sent.day).or_default().push(sent);
    }

    /// Whether the current group has no ids.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds the rows of the group with this sequence number to its entries.
    pub(crate) fn pack(&mut self, sequence: u64, entries: &mut GroupEntries) -> Result<()> {
        let mut indexes = 0..;
        for (day, sent) in std::mem::take(&mut self.waiting) {
            let mut begin = || Filling {
                key: IdRowKey {
                    day,
                    sequence,
                    index: indexes.next().unwrap_or(u32::MAX),
                },
                row: IdRow::default(),
                ids: 0,
            };
            let open = self.open.take().filter(|open| open.key.day == day);
            let mut filling = open.unwrap_or_else(&mut begin);
            let ids = sent
                .iter()
                .flat_map(|it| it.ids.iter().map(|id| (it.reporter, *id)));
            for (reporter, id) in ids {
                if filling.ids == ROW_IDS {
                    let full = std::mem::replace(&mut filling, begin());
                    put(&full, sequence, entries)?;
                }
                filling.push(reporter, id);
            }
            put(&filling, sequence, entries)?;
            self.open = Some(filling).filter(|last| last.ids < OPEN_IDS);
        }
        Ok(())
    }

    /// Writes no more into a row of a day before `day`.
    pub(crate) fn forget_before(&mut self, day: u32) {
        self.open.take_if(|open| open.key.day < day);
    }
}

fn put(filling: &Filling, sequence: u64, entries: &mut GroupEntries) -> Result<()> {
    let key = filling.key.bytes();
    let entry = (key.clone(), record::seal(&key, &filling.row)?);
    if filling.key.sequence == sequence {
        entries.new.push(entry);
    } else {
        entries.changed.push(entry);
    }
    Ok(())
}

/// Calls `see` with all ids that are stored. The ids of a damaged row are left out: their events
/// would be stored again.
pub(crate) fn for_each(from: &impl Read, mut see: impl FnMut(SentIds)) -> Result<()> {
    from.visit_keys(|key: EventIdKey| key.sent().into_iter().for_each(&mut see))?;
    from.visit(|IdRowKey { day, .. }, row| {
        for (reporter, ids) in row.into_iter().flat_map(|IdRow(reporters)| reporters) {
            see(SentIds { day, reporter, ids });
        }
    })
}

impl EventIdKey {
    fn sent(self) -> Option<SentIds> {
        let user = Reporter::User(UserNumber(self.number));
        let reporters = [Reporter::Admin, Reporter::Hub, user];
        let reporter = reporters.get(usize::from(self.kind)).copied();
        reporter.map(|reporter| SentIds {
            day: self.day,
            reporter,
            ids: vec![self.id],
        })
    }
}

/// Removes some of the rows of the days before `day`.
pub(crate) fn sweep(tx: &mut Transaction<'_>, day: u32) -> Result<Swept> {
    let mut old = keys_before::<EventIdKey>(tx, day, SWEEP_RECORDS)?;
    old.extend(keys_before::<IdRowKey>(tx, day, SWEEP_RECORDS - old.len())?);
    let removed = old.len();
    for key in old {
        tx.change(key, Change::Remove);
    }
    Ok(Swept {
        removed,
        more: removed == SWEEP_RECORDS,
    })
}

/// Up to `limit` keys of a kind whose first field is a day before `day`.
fn keys_before<K: Key>(tx: &Transaction<'_>, day: u32, limit: usize) -> Result<Vec<Vec<u8>>> {
    let (start, end) = (keys::first::<K>(), prefix::<K>(|to| day.write(to)));
    let old = tx.raw_range(&start, &end, limit)?;
    Ok(old.into_iter().map(|(key, _)| key).collect())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::store::sled::engine::transaction::CommitBatch;
    use crate::store::sled::engine::tree::Tree;

    fn database() -> Tree {
        let db = sled::Config::new().temporary(true).open().unwrap();
        Tree::of(&db)
    }

    fn sent(day: u32, reporter: Reporter, ids: std::ops::Range<u128>) -> SentIds {
        let ids = ids.map(|id| EventId(Uuid::from_u128(id))).collect();
        SentIds { day, reporter, ids }
    }

    /// Packs a group, puts it into the database, and checks what its steps were charged.
    fn commit(tree: &Tree, packer: &mut IdPacker, sequence: u64, group: Vec<SentIds>) {
        let charged: u64 = group.iter().map(|it| log_bytes(it.ids.len())).sum();
        for sent in group {
            packer.add(sent);
        }
        let mut entries = GroupEntries::default();
        packer.pack(sequence, &mut entries).unwrap();
        assert!(packer.is_empty());
        let tx = Transaction::new(tree);
        let finished = tx.finish(entries, |_, _, value| assert!(value.unwrap().len() < 2_000));
        let CommitBatch { batch, bytes, .. } = finished.unwrap();
        assert!(bytes <= charged, "{bytes} > {charged}");
        tree.apply_batch(batch).unwrap();
    }

    fn stored(tree: &Tree) -> BTreeMap<u32, Vec<(Reporter, EventId)>> {
        let mut stored: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        for_each(tree, |it| {
            let ids = it.ids.iter().map(|id| (it.reporter, *id));
            stored.entry(it.day).or_default().extend(ids);
        })
        .unwrap();
        stored
    }

    #[test]
    fn ids_that_arrive_one_by_one_share_rows_and_many_fill_rows() {
        let db = database();
        let mut ids = IdPacker::default();
        let user = |number| Reporter::User(UserNumber(number));
        for one in 0..32 {
            let reporter = user(u32::MAX - u32::try_from(one).unwrap());
            commit(&db, &mut ids, one, vec![sent(7, reporter, 0..1)]);
        }
        assert_eq!(db.len(), 2);
        let group = vec![
            sent(7, Reporter::Admin, 0..66),
            sent(8, Reporter::Hub, 0..100),
            sent(7, user(300), 5..20),
        ];
        commit(&db, &mut ids, 40, group);
        assert_eq!(db.len(), 2 + 2 + 2);
        let scattered = (0..200).map(|n| sent(8, user(n << 22), 0..1));
        commit(&db, &mut ids, 41, scattered.collect());
        let stored = stored(&db);
        assert_eq!(stored[&7].len(), 32 + 66 + 15);
        assert_eq!(stored[&8].len(), 100 + 200);
        assert!(stored[&8].contains(&(user(7 << 22), EventId(Uuid::nil()))));
    }

    #[test]
    fn a_row_of_a_forgotten_day_is_not_written_again() {
        let db = database();
        let mut ids = IdPacker::default();
        commit(&db, &mut ids, 1, vec![sent(7, Reporter::Hub, 0..3)]);
        ids.forget_before(7);
        commit(&db, &mut ids, 2, vec![sent(7, Reporter::Hub, 3..4)]);
        assert_eq!(stored(&db)[&7].len(), 4);
        let mut tx = Transaction::new(&db);
        assert_eq!(sweep(&mut tx, 8).unwrap().removed, 1);
        let finished = tx.finish(GroupEntries::default(), |_, _, _| ()).unwrap();
        db.apply_batch(finished.batch).unwrap();
        ids.forget_before(8);
        commit(&db, &mut ids, 3, vec![sent(7, Reporter::Hub, 9..10)]);
        assert_eq!(stored(&db)[&7].len(), 1);
    }

    #[test]
    fn the_ids_of_a_damaged_row_are_left_out_and_no_others() {
        let db = database();
        let mut ids = IdPacker::default();
        commit(&db, &mut ids, 1, vec![sent(7, Reporter::Hub, 0..100)]);
        let (key, value) = db.first().unwrap().unwrap();
        let mut bent = value.to_vec();
        *bent.last_mut().unwrap() ^= 1;
        db.insert(key, bent).unwrap();
        let left = (80..100).map(|id| (Reporter::Hub, EventId(Uuid::from_u128(id))));
        assert_eq!(stored(&db)[&7], left.collect::<Vec<_>>());
    }
}
