//! Reading records: by key, in lists, and past damaged ones.

use sled::IVec;

use crate::store::sled::engine::damaged::Damaged;
use crate::store::sled::engine::keys::{self, Key};
use crate::store::sled::engine::record;
use crate::store::sled::engine::tree::Tree;
use crate::store::{Error, Result};

/// A key and its value as they are stored.
pub(crate) type RawEntry = (Vec<u8>, IVec);

/// Entries that [`Read::visit_entries`] reads at once.
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

    /// Calls `visit` with every key of kind `K`, in order, and with its record; none if that is
    /// damaged.
    fn visit<K: Key>(&self, mut visit: impl FnMut(K, Option<K::Value>)) -> Result<()> {
        self.visit_entries(|key, (bytes, stored)| {
            let record = self.skip_damaged(record::open(bytes, stored))?;
            visit(key, record);
            Ok(())
        })
    }

    /// Calls `visit` with every key of kind `K`, in order, also those of damaged records.
    fn visit_keys<K: Key>(&self, mut visit: impl FnMut(K)) -> Result<()> {
        self.visit_entries(|key, _| {
            visit(key);
            Ok(())
        })
    }

    /// Calls `visit` with every entry of kind `K`, in order, without reading many of them at once.
    fn visit_entries<K: Key>(
        &self,
        mut visit: impl FnMut(K, &RawEntry) -> Result<()>,
    ) -> Result<()> {
        let (mut from, to) = (keys::first::<K>(), keys::end::<K>());
        loop {
            let some = self.raw_range(&from, &to, VISITED_AT_ONCE)?;
            for entry in &some {
                if let Some(key) = self.skip_damaged(parse(&entry.0))? {
                    visit(key, entry)?;
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

/// Up to `limit` entries with keys in `from..to`, from the last one back.
pub(crate) fn raw_range_back(
    tree: &Tree,
    from: &[u8],
    to: &[u8],
    limit: usize,
) -> Result<Vec<RawEntry>> {
    let entries = tree.range(from..to).rev().take(limit);
    let owned = entries.map(|entry| entry.map(|(key, stored)| (key.to_vec(), stored)));
    owned
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| from_sled(&error))
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
