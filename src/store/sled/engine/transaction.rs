//! What a step sees and changes: what its group has put so far, laid over what the tree holds. Nothing reaches the tree before
//! the whole group does, and a step that fails leaves no trace in its group.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use sled::{Batch, IVec, Tree};

use crate::store::sled::engine::keys::Key;
use crate::store::sled::engine::record;
use crate::store::sled::events::append::EventLog;
use crate::store::sled::events::live::{self, CommittedBlock};
use crate::store::{Error, Result};

/// A key and its value as they are stored.
pub(crate) type Raw = (Vec<u8>, IVec);

/// Typed reading, from the tree alone or from a step's view of it.
pub(crate) trait Read {
    /// What lies under a key.
    fn raw(&self, key: &[u8]) -> Result<Option<IVec>>;
    /// Up to `limit` entries with keys in `from..to`, in order.
    fn raw_range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Raw>>;

    /// The record under a key.
    fn fetch<K: Key>(&self, key: &K) -> Result<Option<K::Value>> {
        let bytes = key.bytes();
        self.raw(&bytes)?
            .map(|stored| record::open(&bytes, &stored))
            .transpose()
    }

    /// Up to `limit` keys of kind `K` in `from..to`, with their records, in order.
    fn entries<K: Key>(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(K, K::Value)>> {
        let entries = self.raw_range(from, to, limit)?;
        let typed = entries.into_iter().map(|(key, stored)| {
            let parsed = K::parse(&key).ok_or_else(|| record::corrupt(&key, "not a key"))?;
            Ok((parsed, record::open(&key, &stored)?))
        });
        typed.collect()
    }

    /// Everything of kind `K` whose key begins with `prefix`, which names the kind too.
    fn under<K: Key>(&self, prefix: &[u8]) -> Result<Vec<(K, K::Value)>> {
        self.entries(prefix, &after_prefix(prefix), usize::MAX)
    }
}

/// The first key behind all those that begin with `prefix`. No prefix here consists of 0xFF only: kinds are letters.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

/// An error of sled's in our words.
pub(crate) fn broken(error: &sled::Error) -> Error {
    match error {
        sled::Error::Corruption { .. } => Error::Corrupt(error.to_string()),
        other => Error::Stopped(other.to_string()),
    }
}

impl Read for Tree {
    fn raw(&self, key: &[u8]) -> Result<Option<IVec>> {
        self.get(key).map_err(|error| broken(&error))
    }

    fn raw_range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Raw>> {
        let entries = Tree::range(self, from..to).take(limit);
        let owned = entries.map(|entry| entry.map(|(key, stored)| (key.to_vec(), stored)));
        owned
            .collect::<Result<_, _>>()
            .map_err(|error| broken(&error))
    }
}

/// What a group does to a key.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Puts this in the place of whatever lies there.
    Put(IVec),
    /// Removes whatever lies there.
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

/// A group that is ready to be written.
pub(crate) struct CommitBatch {
    pub(crate) batch: Batch,
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) committed_blocks: Vec<Arc<CommittedBlock>>,
}

/// A group of steps in the making.
pub(crate) struct Transaction<'a> {
    tree: &'a Tree,
    /// What the group has done so far.
    changes: BTreeMap<Vec<u8>, Change>,
    /// What stood in `changes` before the step under way touched it.
    undo: Vec<(Vec<u8>, Option<Change>)>,
    /// The events of the group.
    pub(crate) events: &'a mut EventLog,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(tree: &'a Tree, events: &'a mut EventLog) -> Transaction<'a> {
        Transaction {
            tree,
            changes: BTreeMap::new(),
            undo: Vec::new(),
            events,
        }
    }

    /// Puts a record in the place of whatever lies under its key.
    pub(crate) fn put<K: Key>(&mut self, key: &K, value: &K::Value) -> Result<()> {
        let bytes = key.bytes();
        let sealed = record::seal(&bytes, value)?;
        self.change(bytes, Change::Put(sealed));
        Ok(())
    }

    /// Removes what lies under a key, if anything does.
    pub(crate) fn remove<K: Key>(&mut self, key: &K) {
        self.change(key.bytes(), Change::Remove);
    }

    /// Puts or removes what is sealed already.
    pub(crate) fn change(&mut self, key: Vec<u8>, change: Change) {
        let before = self.changes.insert(key.clone(), change);
        self.undo.push((key, before));
    }

    /// Takes back what the step under way has changed.
    pub(crate) fn roll_back(&mut self) {
        for (key, before) in self.undo.drain(..).rev() {
            match before {
                Some(change) => self.changes.insert(key, change),
                None => self.changes.remove(&key),
            };
        }
    }

    /// Whether the step under way has put or removed anything. Events are not seen here.
    pub(crate) fn step_has_changes(&self) -> bool {
        !self.undo.is_empty()
    }

    /// Ends a step: what it changed stays in the group.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Whether the group changes nothing.
    pub(crate) fn is_idle(&self) -> bool {
        self.changes.is_empty() && self.events.is_idle()
    }

    /// Places the group's events and hands everything over as one batch, with the keys that it changes; and, if somebody listens, the
    /// blocks of its events.
    pub(crate) fn finish(mut self, sequence: u64, has_listeners: bool) -> Result<CommitBatch> {
        let placed = self.events.place(sequence)?;
        let committed_blocks = if has_listeners {
            live::committed_blocks(&placed)
        } else {
            Vec::new()
        };
        self.changes.extend(
            placed
                .into_iter()
                .map(|(key, value)| (key, Change::Put(value))),
        );
        let mut batch = Batch::default();
        let mut keys = Vec::with_capacity(self.changes.len());
        for (key, change) in self.changes {
            match change {
                Change::Put(value) => batch.insert(key.clone(), value),
                Change::Remove => batch.remove(key.clone()),
            }
            keys.push(key);
        }
        Ok(CommitBatch {
            batch,
            keys,
            committed_blocks,
        })
    }
}

impl Read for Transaction<'_> {
    fn raw(&self, key: &[u8]) -> Result<Option<IVec>> {
        match self.changes.get(key) {
            Some(change) => Ok(change.value().cloned()),
            None => self.tree.raw(key),
        }
    }

    fn raw_range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<Raw>> {
        if from >= to {
            return Ok(Vec::new());
        }
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        let changed: Vec<_> = self.changes.range::<[u8], _>(bounds).collect();
        // Each change can hide one entry of the tree, so this many are enough to choose from.
        let stored = self
            .tree
            .raw_range(from, to, limit.saturating_add(changed.len()))?;
        let mut merged: BTreeMap<Vec<u8>, IVec> = stored.into_iter().collect();
        for (key, change) in changed {
            match change.value() {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().take(limit).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_behind_all_its_keys() {
        assert_eq!(after_prefix(b"T"), b"U");
        assert_eq!(after_prefix(&[b'T', 0xFF, 0xFF]), b"U");
        assert_eq!(after_prefix(&[b'T', 0, 0xFF]), [b'T', 1]);
    }
}
