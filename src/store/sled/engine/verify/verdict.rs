//! Whether what is in the files is all that was acknowledged.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::Result;
use crate::store::sled::engine::commit_mark::{self, FoundMark, StoreId};
use crate::store::sled::engine::committed::{COMMITTED, Committed, Contents};
use crate::store::sled::engine::keys::{Key, MetaKey, meta};
use crate::store::sled::engine::kind_counts::KindCounts;
use crate::store::sled::engine::record;
use crate::store::sled::engine::registry::{KeyKind, MetaSlot};
use crate::store::sled::engine::verify::damage::Damage;
use crate::store::sled::engine::verify::database::{Absent, Database};
use crate::store::sled::engine::verify::read_ahead;

/// The on-disk format version. Any other value is rejected.
pub(crate) const FORMAT_VERSION: u32 = 1;
pub(crate) const FORMAT: MetaKey<u32> = meta(MetaSlot::Format);
/// The id of the store, 16 bytes.
pub(crate) const STORE_ID: MetaKey<Vec<u8>> = meta(MetaSlot::StoreId);
/// What was found damaged when the store was opened in spite of it.
pub(crate) const DAMAGE: MetaKey<String> = meta(MetaSlot::Damage);

/// The keys of the values that say what the database should be.
pub(crate) fn own_keys() -> [Vec<u8>; 4] {
    [
        FORMAT.bytes(),
        COMMITTED.bytes(),
        STORE_ID.bytes(),
        DAMAGE.bytes(),
    ]
}

/// What was found in the files.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The on-disk format version; none if there are no records.
    pub(crate) format: Option<u32>,
    /// The id of the store; none if there is no store yet, or an earlier version made it.
    pub(crate) store: Option<StoreId>,
    /// The number of the last group.
    pub(crate) sequence: Option<u64>,
    /// All records: as they were counted here, or else as the last group left them.
    pub(crate) contents: Contents,
    /// How many records of each kind there are, if every record was read.
    pub(crate) kinds: KindCounts,
    /// What the last group left; none if an earlier version wrote it.
    pub(crate) expected: Option<Contents>,
    /// What the mark beside the database says.
    pub(crate) mark: Option<FoundMark>,
    /// An earlier damage that is not settled yet.
    pub(crate) unsettled: Option<String>,
    /// Whether there are no records.
    pub(crate) is_empty: bool,
    /// Whether every record was read.
    pub(crate) is_complete: bool,
    /// Files to be removed before sled opens the others. Nothing is lost with them.
    pub(crate) replaceable: Vec<PathBuf>,
    /// What is wrong; everything else is what is left.
    pub(crate) damage: Option<Damage>,
}

/// Reads the database in `directory`: all of it if the log is no larger than `most_bytes`, else
/// what is needed to know that the log goes on to its end.
pub(crate) fn examine(directory: &Path, most_bytes: u64) -> io::Result<Findings> {
    let mark = commit_mark::read(directory)?;
    let _ahead = read_ahead::start(&directory.join("db"), most_bytes);
    let mut findings = match Database::read(directory)? {
        Ok(database) => read(&database, most_bytes),
        Err(Absent::Empty(replaceable)) => Findings {
            is_empty: true,
            is_complete: true,
            replaceable,
            ..Findings::default()
        },
        Err(Absent::Damaged(damage)) => Findings {
            damage: Some(damage),
            ..Findings::default()
        },
    };
    findings.mark = Some(mark);
    findings.damage = findings.damage.take().or_else(|| judge(&findings, mark));
    Ok(findings)
}

fn read(database: &Database, most_bytes: u64) -> Findings {
    let mut findings = Findings {
        replaceable: database.replaceable.clone(),
        ..Findings::default()
    };
    let mut single = SingleValues::default();
    let must_be_complete = database.lacks_snapshot || database.log.bytes <= most_bytes;
    findings.damage = if must_be_complete {
        findings.count(database, &mut single)
    } else {
        single.find(database).err()
    };
    findings.take(single);
    if !findings.is_complete && findings.expected.is_none() && findings.damage.is_none() {
        // An earlier version wrote it: it is counted once.
        let mut again = SingleValues::default();
        findings.damage = findings.count(database, &mut again);
    }
    if !findings.is_complete {
        findings.contents = findings.expected.unwrap_or_default();
    } else if findings.damage.is_none() && findings.is_short() {
        let missing = || Damage::of("db", "records are missing".into());
        findings.damage = Some(database.passed_over.clone().unwrap_or_else(missing));
    }
    findings
}

impl Findings {
    /// Reads every record.
    fn count(&mut self, database: &Database, single: &mut SingleValues) -> Option<Damage> {
        let (mut contents, mut kinds) = (Contents::default(), KindCounts::default());
        let damage = database.tree().visit(&mut |key, stored| {
            if !single.take(key, stored) {
                contents.add(key, stored);
                kinds.add(key, stored);
            }
        });
        self.contents = contents;
        self.kinds = kinds;
        self.is_complete = true;
        self.is_empty = contents.records == 0;
        damage
    }

    fn take(&mut self, single: SingleValues) {
        self.damage = self.damage.take().or(single.damage);
        self.format = single.format;
        self.store = single.store;
        self.sequence = single.last.map(|(number, _)| number);
        self.expected = single.last.and_then(|(_, contents)| contents);
        self.unsettled = single.unsettled;
    }

    fn is_short(&self) -> bool {
        self.expected
            .is_some_and(|expected| expected != self.contents)
    }
}

/// Holds what is in the database against the mark beside it.
fn judge(findings: &Findings, mark: FoundMark) -> Option<Damage> {
    let lost = |what: String| Some(Damage::of("db", what));
    let mark_is = |what: &str| Some(Damage::of(commit_mark::FILE, what.into()));
    let mark = match (mark, findings.store) {
        (FoundMark::Damaged, _) => return mark_is("neither of its numbers is whole"),
        (FoundMark::Nothing, None) => return None,
        (FoundMark::Nothing, Some(_)) => return mark_is("it is missing"),
        (FoundMark::Mark(mark), _) => mark,
    };
    let sequence = findings.sequence.unwrap_or(0);
    match findings.store {
        Some(store) if store != mark.store => lost("it is another store's".into()),
        None if mark.sequence == 0 => None,
        None if findings.is_empty => lost("it is empty".into()),
        _ if sequence < mark.sequence => lost(format!(
            "it ends with change {sequence}, and change {} was acknowledged",
            mark.sequence
        )),
        None => lost("its id is missing".into()),
        Some(_) => None,
    }
}

/// The single values that say what the database should be.
#[derive(Default)]
struct SingleValues {
    format: Option<u32>,
    store: Option<StoreId>,
    /// The number of the last group and, unless an earlier version wrote it, what it left.
    last: Option<(u64, Option<Contents>)>,
    unsettled: Option<String>,
    /// What is wrong with one of them.
    damage: Option<Damage>,
}

impl SingleValues {
    /// Looks them up one by one.
    fn find(&mut self, database: &Database) -> Result<(), Damage> {
        for key in own_keys() {
            if let Some(stored) = database.tree().find(&key)? {
                self.take(&key, &stored);
            }
        }
        Ok(())
    }

    /// Takes a record if it is one of them. True: it is the one that counts all others.
    fn take(&mut self, key: &[u8], stored: &[u8]) -> bool {
        if key.first() != Some(&KeyKind::Meta.byte()) {
            return false;
        }
        let is_last = key == COMMITTED.bytes();
        let taken = if is_last {
            last_group(key, stored).map(|last| self.last = Some(last))
        } else if key == FORMAT.bytes() {
            record::open(key, stored).map(|format| self.format = Some(format))
        } else if key == STORE_ID.bytes() {
            record::open::<Vec<u8>>(key, stored).map(|id| self.store = id.try_into().ok())
        } else if key == DAMAGE.bytes() {
            record::open(key, stored).map(|damage| self.unsettled = Some(damage))
        } else {
            Ok(())
        };
        if let Err(error) = taken {
            self.damage = Some(Damage::of("db", error.to_string()));
        }
        is_last
    }
}

/// The number of the last group and what it left, which version 1 did not say.
fn last_group(key: &[u8], stored: &[u8]) -> Result<(u64, Option<Contents>)> {
    let Committed { sequence, contents } = record::open(key, stored)?;
    let has_contents = record::version_of(stored) != Some(1);
    Ok((sequence, has_contents.then_some(contents)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::engine::open::{self, OpenOptions};
    use crate::store::sled::engine::transaction::{Change, GroupEntries, Transaction};

    #[test]
    fn a_large_log_is_read_only_on_the_way_to_its_last_group() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let mut opened = open::open(path, &OpenOptions::default()).unwrap();
        for group in 0..500_u32 {
            let key = [b"A".as_slice(), &group.to_be_bytes()].concat();
            let mut tx = Transaction::new(&opened.tree);
            let value = record::seal(&key, &vec![7_u8; 200]).unwrap();
            tx.change(key, Change::Put(value));
            opened
                .ledger
                .apply(&opened.tree, tx, GroupEntries::default())
                .unwrap();
        }
        drop(opened);
        let found = examine(path, 0).unwrap();
        assert_eq!((found.sequence, found.store), (Some(500), Some([7; 16])));
        assert_eq!((found.is_complete, found.damage), (false, None));
        let counted = examine(path, u64::MAX).unwrap();
        assert_eq!((counted.is_complete, counted.damage), (true, None));
        assert_eq!(counted.contents, found.contents);
    }

    #[test]
    #[ignore = "a measurement: DOORWARD_STORE is the directory of a large store"]
    #[expect(clippy::disallowed_methods, reason = "it measures")]
    fn how_fast_a_store_is_read() {
        let directory = std::env::var("DOORWARD_STORE").unwrap();
        let directory = Path::new(&directory);
        for _ in 0..5 {
            let started = std::time::Instant::now();
            let findings = examine(directory, u64::MAX).unwrap();
            let seconds = started.elapsed().as_secs_f64();
            let bytes = directory.join("db").metadata().unwrap().len();
            let mib = f64::from(u32::try_from(bytes >> 20).unwrap());
            let records = findings.contents.records;
            let rate = mib / seconds;
            println!("{mib:.0} MiB, {records} records: {seconds:.3} s, {rate:.0} MiB/s");
            assert_eq!(findings.damage, None);
        }
    }
}
