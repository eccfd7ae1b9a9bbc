//! The data that a step reads and changes: the changes of its group so far, laid over the tree. No
//! change reaches the tree before the whole group does, and a step that fails leaves no change in
//! its group.

use std::collections::BTreeMap;
use std::ops::Bound;

use sled::{Batch, IVec};

use crate::store::sled::engine::tree::Tree;

use crate::store::sled::engine::damaged::Damaged;
use crate::store::sled::engine::keys::{self, Key};
use crate::store::sled::engine::record;
use crate::store::{Error, Result};

/// A key and its value as they are stored.
pub(crate) type RawEntry = (Vec<u8>, IVec);

/// Records that [`Read::visit`] reads at once.
const VISITED_AT_ONCE: usize = 256;

/// Typed reading, from the tree alone or through a transaction.
///
/// A damaged record is an error for whoever asks for it by its key ([`fetch`](Read::fetch)). No
/// list ends at one: lists leave it out ([`skip_damaged`](Read::skip_damaged)).
pub(crate) trait Read {
    /// The stored value under a key.
    fn raw(&self, key: &[u8]) -> Result<Option<IVec>>;
    /// Up to `limit` entries with keys in `from..to`, in order.
    fn raw_range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<RawEntry>>;
    /// The damaged records that were found.
    fn damaged(&self) -> &Damaged;

    /// The record under a key.
    fn fetch<K: Key>(&self, key: &K) -> Result<Option<K::Value>> {
        let bytes = key.bytes();
        self.raw(&bytes)?
            .map(|stored| record::open(&bytes, &stored))
            .transpose()
    }

    /// The record under a key; none if it is damaged. Only where a missing record lets nobody in,
    /// and nothing is stored twice without it.
    fn fetch_readable<K: Key>(&self, key: &K) -> Result<Option<K::Value>> {
        Ok(self.skip_damaged(self.fetch(key))?.flatten())
    }

    /// The result of reading; none if a record was damaged, which is noted: it is logged once, and
    /// counted.
    fn skip_damaged<T>(&self, read: Result<T>) -> Result<Option<T>> {
        match read {
            Err(Error::Corrupt(what)) => {
                let what = format!("a stored record is damaged and is left out: {what}");
                self.damaged().note(what);
                Ok(None)
            }
            read => read.map(Some),
        }
    }

    /// Up to `limit` keys of kind `K` in `from..to`, with their records, in order. Damaged records
    /// are left out, and do not count towards the limit.
    fn entries<K: Key>(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<(K, K::Value)>> {
        let (mut from, mut found) = (from.to_vec(), Vec::new());
        loop {
            let wanted = limit - found.len();
            let some = self.raw_range(&from, to, wanted)?;
            for (key, stored) in &some {
                found.extend(self.skip_damaged(typed(key, stored))?);
            }
            match some.last() {
                Some((last, _)) if some.len() == wanted && found.len() < limit => {
                    from = keys::after(last);
                }
                _ => return Ok(found),
            }
        }
    }

    /// Calls `visit` with every key of kind `K` and its stored record, in order, without reading
    /// many of them at once.
    fn visit<K: Key>(&self, mut visit: impl FnMut(K, &[u8]) -> Result<()>) -> Result<()> {
        let (mut from, to) = (keys::first::<K>(), keys::end::<K>());
        loop {
            let some = self.raw_range(&from, &to, VISITED_AT_ONCE)?;
            for (key, stored) in &some {
                if let Some(key) = self.skip_damaged(parse(key))? {
                    visit(key, stored)?;
                }
            }
            match some.last() {
                Some((last, _)) => from = keys::after(last),
                None => return Ok(()),
            }
        }
    }

    /// All keys of kind `K` that begin with `prefix`, which names the kind too, with their records.
    /// Damaged records are left out.
    fn under<K: Key>(&self, prefix: &[u8]) -> Result<Vec<(K, K::Value)>> {
        self.entries(prefix, &keys::after_prefix(prefix), usize::MAX)
    }

    /// Up to `limit` keys of kind `K` that begin with `prefix`, also those of damaged records.
    fn keys_under<K: Key>(&self, prefix: &[u8], limit: usize) -> Result<Vec<K>> {
        let entries = self.raw_range(prefix, &keys::after_prefix(prefix), limit)?;
        entries.iter().map(|(key, _)| parse(key)).collect()
    }

    /// All keys of kind `K` with their records. Damaged records are left out.
    fn all<K: Key>(&self) -> Result<Vec<(K, K::Value)>> {
        self.under(&keys::first::<K>())
    }
}

fn parse<K: Key>(key: &[u8]) -> Result<K> {
    K::parse(key).ok_or_else(|| record::corrupt(key, "not a key"))
}

fn typed<K: Key>(key: &[u8], stored: &[u8]) -> Result<(K, K::Value)> {
    Ok((parse(key)?, record::open(key, stored)?))
}

/// The store's error for an error of sled.
pub(crate) fn from_sled(error: &sled::Error) -> Error {
    match error {
        sled::Error::Corruption { .. } => Error::Corrupt(in_words(error)),
        other => Error::Stopped(in_words(other)),
    }
}

/// An error of sled in words for the owner of a store. sled's own ask for a report to its authors,
/// or print a backtrace; neither helps an owner.
pub(crate) fn in_words(error: &sled::Error) -> String {
    match error {
        sled::Error::Io(error) => error.to_string(),
        sled::Error::Corruption { at: Some(at), .. } => {
            format!("the database is damaged at {at:?}")
        }
        sled::Error::Corruption { at: None, .. } => "the database is damaged".to_owned(),
        sled::Error::ReportableBug(what) => what.clone(),
        other => other.to_string(),
    }
}

impl Read for Tree {
    fn raw(&self, key: &[u8]) -> Result<Option<IVec>> {
        self.get(key).map_err(|error| from_sled(&error))
    }

    fn raw_range(&self, from: &[u8], to: &[u8], limit: usize) -> Result<Vec<RawEntry>> {
        let entries = self.range(from..to).take(limit);
        let owned = entries.map(|entry| entry.map(|(key, stored)| (key.to_vec(), stored)));
        owned
            .collect::<std::result::Result<_, _>>()
            .map_err(|error| from_sled(&error))
    }

    fn damaged(&self) -> &Damaged {
        Tree::damaged(self)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_not_asked_to_report_to_the_authors_of_sled() {
        let bug = sled::Error::ReportableBug("the log has a gap".into());
        assert!(bug.to_string().contains("REPORT"));
        assert_eq!(from_sled(&bug), Error::Stopped("the log has a gap".into()));
        let damage = sled::Error::Corruption { at: None, bt: () };
        let expected = Error::Corrupt("the database is damaged".into());
        assert_eq!(from_sled(&damage), expected);
    }
}
