//! Keeps the newest moment that has certainly passed, so that the next start can judge its clock.
//! The moment is kept coarsely and joins groups that are written anyway: an idle appliance must not
//! write to its disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::model::Timestamp;
use crate::store::Result;
use crate::store::sled::engine::keys::{Key, MetaKey, meta};
use crate::store::sled::engine::read::{RawEntry, Read};
use crate::store::sled::engine::record::{self, postcard_records};
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;

postcard_records!(Timestamp);

/// The moment on the disk.
const NEWEST: MetaKey<Timestamp> = meta(MetaSlot::NewestMoment);
/// The moment is written only if the one on the disk differs by so many milliseconds.
const COARSE_MILLIS: u64 = 60_000;

/// The newest moment that was noted, in milliseconds, shared by the writer and those who note it.
#[derive(Clone, Default)]
pub(crate) struct NotedMoment(Arc<AtomicI64>);

impl NotedMoment {
    /// Notes a moment. It may be earlier than the last one, when the clock was put right.
    pub(crate) fn note(&self, moment: Timestamp) {
        self.0.store(moment.millis(), Ordering::Relaxed);
    }

    fn read(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// The writer's side: the noted moment and the one on the disk.
pub(crate) struct NewestMoment {
    pub(crate) noted: NotedMoment,
    stored: Timestamp,
}

impl NewestMoment {
    /// Loads the stored moment.
    pub(crate) fn load(tree: &Tree) -> Result<NewestMoment> {
        let stored = stored(tree)?.unwrap_or_default();
        let noted = NotedMoment::default();
        noted.note(stored);
        Ok(NewestMoment { noted, stored })
    }

    /// The entry to write with a group, if the moment on the disk is too old.
    pub(crate) fn entry(&mut self) -> Result<Option<RawEntry>> {
        let noted = self.noted.read();
        if noted.millis().abs_diff(self.stored.millis()) < COARSE_MILLIS {
            return Ok(None);
        }
        self.stored = noted;
        let key = NEWEST.bytes();
        let value = record::seal(&key, &noted)?;
        Ok(Some((key, value)))
    }

    /// Writes the moment, however little it differs.
    pub(crate) fn save(&self, tx: &mut Transaction<'_>) -> Result<()> {
        let noted = self.noted.read();
        if noted == self.stored {
            Ok(())
        } else {
            tx.put(&NEWEST, &noted)
        }
    }
}

/// The moment on the disk; none if none was ever kept, or if it is damaged.
pub(crate) fn stored(from: &impl Read) -> Result<Option<Timestamp>> {
    from.fetch_readable(&NEWEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_keeps_the_moment_at_most_once_a_minute_also_if_it_goes_back() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let tree = Tree::of(&db);
        let mut newest = NewestMoment::load(&tree).unwrap();
        let mut is_kept = |seconds: i64| {
            newest.noted.note(Timestamp::from_millis(seconds * 1000));
            let entry = newest.entry().unwrap();
            if let Some((key, value)) = entry {
                db.insert(key, value).unwrap();
            }
            stored(&tree).unwrap().map(Timestamp::seconds) == Some(seconds)
        };
        assert!(is_kept(1_000) && !is_kept(1_059) && is_kept(1_060));
        assert!(!is_kept(1_001) && is_kept(1_000));
    }
}
