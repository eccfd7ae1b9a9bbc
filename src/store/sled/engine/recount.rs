//! Counts the records of a large database while it is used, a few at a time, and holds the count
//! against the one that the writer keeps. Also knows how many records of each kind there are, from
//! the moment at which all are counted.
//!
//! Everything before `reached` is counted. The writer applies a group and tells its changes to
//! what is counted already while it holds the lock, so that the count is that of one moment when it
//! comes to the end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use sled::IVec;

use crate::store::sled::engine::committed::{COMMITTED, Contents};
use crate::store::sled::engine::keys::{self, AFTER_ALL_KEYS, Key};
use crate::store::sled::engine::kind_counts::KindCounts;
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::registry::KeyKind;
use crate::store::sled::engine::stoppable_thread::StoppableThread;
use crate::store::sled::engine::tree::Tree;
use crate::store::{Error, Result};
use crate::sync::lock;

/// Records that are counted while the writer waits: some tenths of a millisecond.
const RECORDS_AT_ONCE: usize = 256;

/// What was counted so far.
#[derive(Default)]
pub(crate) struct Counted {
    contents: Contents,
    kinds: KindCounts,
    reached: Vec<u8>,
    /// Whether all records are counted. From then on only the kinds are kept up to date: the writer
    /// itself keeps the rest.
    is_complete: bool,
}

impl Counted {
    /// Told of each record that changes.
    pub(crate) fn change(&mut self, key: &[u8], before: Option<&IVec>, after: Option<&IVec>) {
        if self.is_complete {
            self.kinds.change(key, before, after);
        } else if key < self.reached.as_slice() {
            self.kinds.change(key, before, after);
            self.contents.change(key, before, after);
        }
    }
}

/// What the writer and the one who counts share.
pub(crate) struct Recount(Mutex<Counted>);

impl Recount {
    /// Starts with records that are counted already; none: they must be counted.
    pub(crate) fn new(kinds: Option<KindCounts>) -> Recount {
        let is_complete = kinds.is_some();
        Recount(Mutex::new(Counted {
            kinds: kinds.unwrap_or_default(),
            is_complete,
            ..Counted::default()
        }))
    }

    /// How many records of a kind there are; none while they are being counted.
    pub(crate) fn count_of(&self, kind: KeyKind) -> Option<u64> {
        let counted = self.pause();
        counted.is_complete.then(|| counted.kinds.of(kind))
    }

    /// How many bytes all records have; none while they are being counted.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let counted = self.pause();
        counted.is_complete.then(|| counted.kinds.bytes())
    }

    /// While this is held, nothing is counted.
    pub(crate) fn pause(&self) -> MutexGuard<'_, Counted> {
        lock(&self.0)
    }

    /// Counts some more. Returns whether there is more to count.
    fn advance(&self, tree: &Tree) -> Result<bool> {
        // The pages are read from the disk before the writer has to wait.
        let from = self.pause().reached.clone();
        let read = || tree.raw_range(&from, &AFTER_ALL_KEYS, RECORDS_AT_ONCE);
        read()?;
        let mut counted = self.pause();
        let some = read()?;
        let own = COMMITTED.bytes();
        for (key, stored) in some.iter().filter(|(key, _)| *key != own) {
            counted.contents.add(key, stored);
            counted.kinds.add(key, stored);
        }
        if let Some((last, _)) = some.last() {
            counted.reached = keys::after(last);
            return Ok(true);
        }
        let expected = tree.fetch(&COMMITTED)?.unwrap_or_default().contents;
        if counted.contents == expected {
            counted.is_complete = true;
            return Ok(false);
        }
        let (there, all) = (counted.contents.records, expected.records);
        Err(Error::Corrupt(format!(
            "{there} of {all} records are there"
        )))
    }
}

/// Starts the thread that counts. What it finds is put into `loss`.
pub(crate) fn start(
    recount: Arc<Recount>,
    tree: Tree,
    loss: Arc<OnceLock<String>>,
) -> Result<StoppableThread> {
    let work = move |stop: &AtomicBool| {
        if let Err(damage) = count(&recount, &tree, stop) {
            log::error!(
                "{damage}. Stop the server and put the newest backup back; docs/storage.md says \
                 how, under \"What damage does\""
            );
            // An earlier damage stays what is told.
            let _ = loss.set(damage);
        }
    };
    StoppableThread::start("doorward-recount", work)
        .map_err(|error| Error::Unusable(format!("cannot start a thread: {error}")))
}

fn count(recount: &Recount, tree: &Tree, stop: &AtomicBool) -> std::result::Result<(), String> {
    log::info!("the database is large: its records are counted in the background");
    while !stop.load(Ordering::Relaxed) {
        // sled panics over some damages.
        let advanced = catch_unwind(AssertUnwindSafe(|| recount.advance(tree)));
        match advanced {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => {
                log::info!("every record of the database is there");
                break;
            }
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err("the database is damaged; see the log".into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::engine::open::{self, OpenOptions, Opened};
    use crate::store::sled::engine::record;
    use crate::store::sled::engine::transaction::{Change, GroupEntries, Transaction};

    /// A new database, whose records are counted again from the first one on.
    fn opened() -> (tempfile::TempDir, Opened) {
        let directory = tempfile::tempdir().unwrap();
        let opened = open::open(directory.path(), &OpenOptions::default()).unwrap();
        *opened.ledger.recount().pause() = Counted::default();
        (directory, opened)
    }

    /// Changes records as the writer does.
    fn change(opened: &mut Opened, keys: &[&[u8]]) {
        let value = |key: &[u8]| Change::Put(record::seal(key, &7_u64).unwrap());
        let mut tx = Transaction::new(&opened.tree);
        for key in keys {
            tx.change(key.to_vec(), value(key));
        }
        opened
            .ledger
            .apply(&opened.tree, tx, GroupEntries::default())
            .unwrap();
    }

    #[test]
    fn records_that_change_meanwhile_are_counted_once() {
        let (_directory, mut opened) = opened();
        let recount = opened.ledger.recount();
        change(&mut opened, &[b"A1", b"Z1"]);
        assert_eq!(recount.advance(&opened.tree), Ok(true));
        change(&mut opened, &[b"A1", b"A2", b"Z2", b"ZZ"]);
        assert_eq!(recount.count_of(KeyKind::Block), None);
        while recount.advance(&opened.tree).unwrap() {}
        assert_eq!(recount.count_of(KeyKind::Block), Some(2));
        change(&mut opened, &[b"A3", b"ZZZ"]);
        assert_eq!(recount.count_of(KeyKind::Block), Some(3));
    }

    #[test]
    fn a_record_that_is_missing_is_reported() {
        let (_directory, mut opened) = opened();
        let recount = opened.ledger.recount();
        change(&mut opened, &[b"A1", b"Z1"]);
        opened.tree.remove(b"Z1").unwrap();
        assert_eq!(recount.advance(&opened.tree), Ok(true));
        let missing = recount.advance(&opened.tree).unwrap_err();
        assert!(missing.to_string().contains("3 of 4 records"), "{missing}");
    }
}
