//! The data that a step reads and changes: the changes of its group so far, laid over the tree. No
//! change reaches the tree before the whole group does, and a step that fails leaves no change in
//! its group.

use std::collections::BTreeMap;
use std::ops::Bound;

use sled::{Batch, IVec};

use crate::store::Result;
use crate::store::sled::engine::damaged::Damaged;
use crate::store::sled::engine::keys::Key;
use crate::store::sled::engine::read::{RawEntry, Read};
use crate::store::sled::engine::record;
use crate::store::sled::engine::tree::Tree;

/// What a group does to a key.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Puts this value and replaces any other.
    Put(IVec),
    /// Removes the value, if there is one.
    Remove,
}

impl Change {
    fn value(&self) -> Option<&IVec> {
        match self {
            Change::Put(value) => Some(value),
            Change::Remove => None,
        }
    }
}

/// The size of a change in sled's log beyond its key and value: the heads of its record and of its
/// message, and its share of the page that is written anew.
pub(crate) const ENTRY_BYTES: u64 = 128;

/// The size of a change in the log, in bytes. A removed key is written too.
pub(crate) fn entry_bytes(key: &[u8], value: &[u8]) -> u64 {
    (key.len() + value.len()) as u64 + ENTRY_BYTES
}

/// The entries that the state of the writer adds to a group.
#[derive(Default)]
pub(crate) struct GroupEntries {
    /// Entries under keys that earlier groups may have written.
    pub(crate) changed: Vec<RawEntry>,
    /// Entries under keys that hold the number of this group, so that no earlier group can have
    /// written them: their former values need not be looked for.
    pub(crate) new: Vec<RawEntry>,
}

/// A group that is ready to be written.
#[derive(Default)]
pub(crate) struct CommitBatch {
    /// Its changes.
    pub(crate) batch: Batch,
    /// The keys that it changes.
    pub(crate) keys: Vec<Vec<u8>>,
    /// Its size in the log, in bytes.
    pub(crate) bytes: u64,
}

impl CommitBatch {
    fn add(&mut self, key: Vec<u8>, change: Change) {
        self.bytes += entry_bytes(&key, change.value().map_or(&[], |value| value));
        match change {
            Change::Put(value) => self.batch.insert(key.clone(), value),
            Change::Remove => self.batch.remove(key.clone()),
        }
        self.keys.push(key);
    }
}

/// The changes of a group of steps, while the steps run.
pub(crate) struct Transaction<'a> {
    tree: &'a Tree,
    /// What the group has changed so far.
    changes: BTreeMap<Vec<u8>, Change>,
    /// The keys that the current step has changed, with their entries in `changes` before that.
    undo: Vec<(Vec<u8>, Option<Change>)>,
    /// The size of the current step's changes in the log, in bytes.
    step_bytes: u64,
}

impl<'a> Transaction<'a> {
    /// A transaction over a tree, without changes.
    pub(crate) fn new(tree: &'a Tree) -> Transaction<'a> {
        Transaction {
            tree,
            changes: BTreeMap::new(),
            undo: Vec::new(),
            step_bytes: 0,
        }
    }

    /// Puts a record under its key and replaces any other.
    pub(crate) fn put<K: Key>(&mut self, key: &K, value: &K::Value) -> Result<()> {
        let bytes = key.bytes();
        let sealed = record::seal(&bytes, value)?;
        self.change(bytes, Change::Put(sealed));
        Ok(())
    }

    /// Removes the record under a key, if there is one.
    pub(crate) fn remove<K: Key>(&mut self, key: &K) {
        self.change(key.bytes(), Change::Remove);
    }

    /// Puts or removes a value in its stored form.
    pub(crate) fn change(&mut self, key: Vec<u8>, change: Change) {
        self.step_bytes += entry_bytes(&key, change.value().map_or(&[], |value| value));
        let before = self.changes.insert(key.clone(), change);
        self.undo.push((key, before));
    }

    /// Undoes the changes of the current step.
    pub(crate) fn roll_back(&mut self) {
        self.step_bytes = 0;
        for (key, before) in self.undo.drain(..).rev() {
            match before {
                Some(change) => self.changes.insert(key, change),
                None => self.changes.remove(&key),
            };
        }
    }

    /// The size of the current step's changes in the log, in bytes.
    pub(crate) fn step_bytes(&self) -> u64 {
        self.step_bytes
    }

    /// Ends the current step: its changes stay in the group.
    pub(crate) fn keep(&mut self) {
        self.step_bytes = 0;
        self.undo.clear();
    }

    /// Whether the group changes nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The whole group as one batch, with the entries of the group's state. `note` gets each key
    /// with its value before and after the group.
    pub(crate) fn finish(
        mut self,
        entries: GroupEntries,
        mut note: impl FnMut(&[u8], Option<&IVec>, Option<&IVec>),
    ) -> Result<CommitBatch> {
        let mut commit = CommitBatch::default();
        let changed = entries.changed.into_iter();
        self.changes
            .extend(changed.map(|(key, value)| (key, Change::Put(value))));
        for (key, change) in self.changes {
            let before = self.tree.raw(&key)?;
            note(&key, before.as_ref(), change.value());
            commit.add(key, change);
        }
        for (key, value) in entries.new {
            debug_assert_eq!(
                self.tree.raw(&key),
                Ok(None),
                "a new key was written before"
            );
            note(&key, None, Some(&value));
            commit.add(key, Change::Put(value));
        }
        Ok(commit)
    }
}

impl Read for Transaction<'_> {
    fn raw(&self, key: &[u8]) -> Result<Option<IVec>> {
        match self.changes.get(key) {
            Some(change) => Ok(change.value().cloned()),
            None => self.tree.raw(key),
        }
    }

    fn raw_range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<RawEntry>> {
        if from >= to {
            return Ok(Vec::new());
        }
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let changed: Vec<_> = self.changes.range::<[u8], _>(bounds).collect();
        // Each change can hide one entry of the tree, so this many are enough to choose from.
        let enough = limit.saturating_add(changed.len());
        let stored = self.tree.raw_range(from, to, enough)?;
        let mut merged: BTreeMap<Vec<u8>, IVec> = stored.into_iter().collect();
        for (key, change) in changed {
            match change.value() {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().take(limit).collect())
    }

    fn damaged(&self) -> &Damaged {
        self.tree.damaged()
    }
}
