//! Keeps the proof of every group: its record in the database, its number beside the database, and
//! what a recount under way must know of it.

use std::sync::Arc;

use crate::store::Result;
use crate::store::sled::engine::commit_mark::CommitMark;
use crate::store::sled::engine::committed::{COMMITTED, Committed};
use crate::store::sled::engine::keys::Key;
use crate::store::sled::engine::kind_counts::KindCounts;
use crate::store::sled::engine::read::from_sled;
use crate::store::sled::engine::record;
use crate::store::sled::engine::recount::Recount;
use crate::store::sled::engine::transaction::{CommitBatch, GroupEntries, Transaction};
use crate::store::sled::engine::tree::Tree;

/// What is known of the last group.
pub(crate) struct Ledger {
    committed: Committed,
    mark: CommitMark,
    recount: Arc<Recount>,
}

/// What a group has written.
pub(crate) struct Applied {
    /// The keys that it changed.
    pub(crate) keys: Vec<Vec<u8>>,
    /// Its size in the log, in bytes.
    pub(crate) bytes: u64,
}

impl Ledger {
    /// The ledger of a database whose last group is `committed`, and whose records are counted
    /// already, or are still to be counted.
    pub(crate) fn new(committed: Committed, mark: CommitMark, kinds: Option<KindCounts>) -> Ledger {
        Ledger {
            committed,
            mark,
            recount: Arc::new(Recount::new(kinds)),
        }
    }

    /// The number of the last group.
    pub(crate) fn sequence(&self) -> u64 {
        self.committed.sequence
    }

    /// The count that is kept exact while the database changes.
    pub(crate) fn recount(&self) -> Arc<Recount> {
        Arc::clone(&self.recount)
    }

    /// Writes a group and its record as one batch. It is not forced to the disk yet. After an error
    /// nothing more can be written.
    pub(crate) fn apply(
        &mut self,
        tree: &Tree,
        tx: Transaction<'_>,
        entries: GroupEntries,
    ) -> Result<Applied> {
        let Committed { sequence, contents } = &mut self.committed;
        *sequence += 1;
        let mut counted = self.recount.pause();
        let finished = tx.finish(entries, |key, before, after| {
            contents.change(key, before, after);
            counted.change(key, before, after);
        });
        let CommitBatch {
            mut batch,
            keys,
            bytes,
        } = finished?;
        let key = COMMITTED.bytes();
        batch.insert(key.clone(), record::seal(&key, &self.committed)?);
        tree.apply_batch(batch).map_err(|error| from_sled(&error))?;
        Ok(Applied { keys, bytes })
    }

    /// Notes that the last group is on the disk.
    pub(crate) fn note_durable(&self) {
        self.mark.note(self.committed.sequence);
    }

    /// Forces the last number to the disk.
    pub(crate) fn sync(&self) {
        self.mark.sync();
    }
}
