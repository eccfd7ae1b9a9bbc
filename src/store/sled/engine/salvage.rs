//! Building the database anew from what can still be read of it. sled is never let at damaged
//! files: it may panic over them, or overwrite what could have been saved.
//!
//! The new database is made whole beside the old one first. Then the files change places: the
//! damaged ones go to a directory of their own, `damaged-<n>`, where they stay until the owner
//! removes them. A crash in between is caught up with at the next start.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sled::{Batch, Tree};

use crate::store::sled::engine::commit_mark::{self, FoundMark, Mark, StoreId};
use crate::store::sled::engine::committed::{COMMITTED, Committed, Contents};
use crate::store::sled::engine::files;
use crate::store::sled::engine::keys::Key;
use crate::store::sled::engine::read::from_sled;
use crate::store::sled::engine::record::{self, Record};
use crate::store::sled::engine::verify::{self, DAMAGE, FORMAT, Findings, STORE_ID};
use crate::store::{Error, Result};

/// Where the new database is made.
pub(crate) const WORKPLACE: &str = "salvage";
/// How the names of the directories with the damaged files begin.
pub(crate) const DAMAGED: &str = "damaged-";
/// There once the new database is whole; it names the directory for the damaged files.
const READY: &str = "ready";
/// Records that are written at once.
const BATCH_RECORDS: usize = 1_000;
/// sled's cache, in bytes on disk.
const CACHE_BYTES: u64 = 8 << 20;
/// The number of the last group, should nothing say it any more: no store comes to have so many.
const BEYOND_ALL: u64 = 1 << 40;

/// Puts a database of everything that can be read in the place of the one in `directory`.
pub(crate) fn rebuild(
    directory: &Path,
    findings: &Findings,
    new_id: StoreId,
    damage: &str,
) -> Result<()> {
    let workplace = directory.join(WORKPLACE);
    let mark = last_known(findings, new_id);
    let built = build(directory, &workplace, mark, damage);
    if built.is_err() {
        // The first error is the one to be told.
        let _ = fs::remove_dir_all(&workplace);
    }
    built?;
    finish(directory).map_err(|error| unusable(&error))
}

fn unusable(error: &io::Error) -> Error {
    Error::Unusable(format!("it cannot be built anew: {error}"))
}

/// The id of the store and the number of its last group, as far as anything says them.
fn last_known(findings: &Findings, new_id: StoreId) -> Mark {
    let marked = match findings.mark {
        Some(FoundMark::Mark(mark)) => Some(mark),
        _ => None,
    };
    let store = findings.store.or(marked.map(|mark| mark.store));
    let sequence = findings.sequence.max(marked.map(|mark| mark.sequence));
    Mark {
        store: store.unwrap_or(new_id),
        sequence: sequence.unwrap_or(BEYOND_ALL),
    }
}

fn build(directory: &Path, workplace: &Path, mark: Mark, damage: &str) -> Result<()> {
    make_directory(workplace).map_err(|error| unusable(&error))?;
    let config = sled::Config::new()
        .path(workplace)
        .cache_capacity(CACHE_BYTES);
    let db = config.open().map_err(|error| from_sled(&error))?;
    copy(directory, &db, mark, damage)?;
    db.flush().map_err(|error| from_sled(&error))?;
    drop(db);
    commit_mark::create(workplace, mark).map_err(|error| unusable(&error))?;
    sync(directory, workplace).map_err(|error| unusable(&error))
}

fn make_directory(workplace: &Path) -> io::Result<()> {
    match fs::remove_dir_all(workplace) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(workplace)
}

fn copy(directory: &Path, to: &Tree, mark: Mark, damage: &str) -> Result<()> {
    let mut copy = Copy {
        to,
        batch: Batch::default(),
        waiting: 0,
        contents: Contents::default(),
    };
    let (own, mut outcome) = (verify::own_keys(), Ok(()));
    let read = verify::salvage(directory, &mut |key, stored| {
        if outcome.is_ok() && !own.iter().any(|it| it == key) {
            outcome = copy.put(key, stored);
        }
    });
    read.map_err(|error| unusable(&error))?;
    outcome?;
    copy.put_record(&FORMAT, &verify::FORMAT_VERSION)?;
    copy.put_record(&STORE_ID, &mark.store.to_vec())?;
    copy.put_record(&DAMAGE, &damage.to_owned())?;
    let committed = Committed {
        sequence: mark.sequence,
        contents: copy.contents,
    };
    copy.put_record(&COMMITTED, &committed)?;
    copy.write()
}

/// Records on their way into the new database.
struct Copy<'a> {
    to: &'a Tree,
    batch: Batch,
    waiting: usize,
    contents: Contents,
}

impl Copy<'_> {
    fn put(&mut self, key: &[u8], stored: &[u8]) -> Result<()> {
        self.contents.add(key, stored);
        self.batch.insert(key, stored);
        self.waiting += 1;
        if self.waiting < BATCH_RECORDS {
            return Ok(());
        }
        self.write()
    }

    fn put_record<K: Key>(&mut self, key: &K, value: &K::Value) -> Result<()>
    where
        K::Value: Record,
    {
        let bytes = key.bytes();
        let sealed = record::seal(&bytes, value)?;
        self.put(&bytes, &sealed)
    }

    fn write(&mut self) -> Result<()> {
        self.waiting = 0;
        let batch = std::mem::take(&mut self.batch);
        self.to
            .apply_batch(batch)
            .map_err(|error| from_sled(&error))
    }
}

/// Forces the new database to the disk, and says that it is whole.
fn sync(directory: &Path, workplace: &Path) -> io::Result<()> {
    files::sync_files(workplace)?;
    let free = |number: &u32| !directory.join(kept(*number)).exists();
    let number = (1..=u32::MAX).find(free).unwrap_or(u32::MAX);
    files::replace(workplace, READY, |mut file| {
        file.write_all(kept(number).as_bytes())
    })?;
    files::sync_directory(directory)
}

fn kept(number: u32) -> String {
    format!("{DAMAGED}{number}")
}

/// Puts a new database that is whole in the place of the damaged one; removes one that is not.
pub(crate) fn finish(directory: &Path) -> io::Result<()> {
    let workplace = directory.join(WORKPLACE);
    if !workplace.exists() {
        return Ok(());
    }
    if let Ok(kept) = fs::read_to_string(workplace.join(READY)) {
        let kept = directory.join(kept);
        if !kept.exists() {
            DirBuilder::new().mode(0o700).create(&kept)?;
        }
        change_places(directory, &workplace, &kept)?;
        log::warn!("the damaged files are kept in {}", kept.display());
    }
    fs::remove_dir_all(workplace)?;
    files::sync_directory(directory)
}

/// A file that is still in `workplace` has its damaged counterpart in `directory`, or nowhere. A
/// new database has no snapshot before it is opened once more: every snapshot is of the damaged
/// one.
fn change_places(directory: &Path, workplace: &Path, kept: &Path) -> io::Result<()> {
    for name in names(directory)? {
        let is_damaged = workplace.join(&name).exists() || name.starts_with("snap.");
        if is_damaged && name != READY {
            fs::rename(directory.join(&name), kept.join(&name))?;
        }
    }
    files::sync_directory(kept)?;
    for name in names(workplace)? {
        if name != READY {
            fs::rename(workplace.join(&name), directory.join(&name))?;
        }
    }
    files::sync_directory(directory)
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(directory)?;
    let name = |entry: io::Result<fs::DirEntry>| {
        let name: PathBuf = entry?.file_name().into();
        Ok(name.to_string_lossy().into_owned())
    };
    entries.map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::engine::keys::meta;
    use crate::store::sled::engine::open::{self, OpenOptions};
    use crate::store::sled::engine::read::Read;
    use crate::store::sled::engine::registry::MetaSlot;
    use crate::store::sled::engine::transaction::{GroupEntries, Transaction};

    const STARTS: crate::store::sled::engine::keys::MetaKey<u64> = meta(MetaSlot::Starts);

    /// A directory with a database that holds a record, and a new one ready beside it.
    fn ready() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let mut opened = open::open(path, &OpenOptions::default()).unwrap();
        let mut tx = Transaction::new(&opened.tree);
        tx.put(&STARTS, &7).unwrap();
        opened
            .ledger
            .apply(&opened.tree, tx, GroupEntries::default())
            .unwrap();
        drop(opened);
        let mark = Mark {
            store: [7; 16],
            sequence: 1,
        };
        build(path, &path.join(WORKPLACE), mark, "a bit was flipped").unwrap();
        directory
    }

    /// Opens the database, which must be the new one.
    fn is_changed(path: &Path) {
        let options = OpenOptions {
            open_damaged: true,
            ..OpenOptions::default()
        };
        let opened = open::open(path, &options).unwrap();
        assert_eq!(opened.damage.as_deref(), Some("a bit was flipped"));
        assert_eq!(opened.tree.fetch(&STARTS), Ok(Some(7)));
        assert!(path.join("damaged-1/db").exists() && !path.join(WORKPLACE).exists());
    }

    #[test]
    fn a_crash_while_the_files_change_places_is_caught_up_with() {
        for moved in [&[][..], &["db"], &["commits", "conf", "db"]] {
            let directory = ready();
            let path = directory.path();
            fs::create_dir(path.join("damaged-1")).unwrap();
            for name in moved {
                fs::rename(path.join(name), path.join("damaged-1").join(name)).unwrap();
            }
            is_changed(path);
        }
        let directory = ready();
        let path = directory.path();
        fs::create_dir(path.join("damaged-1")).unwrap();
        for name in ["db", "conf", "commits", "blobs"] {
            fs::rename(path.join(name), path.join("damaged-1").join(name)).unwrap();
        }
        fs::rename(path.join(WORKPLACE).join("db"), path.join("db")).unwrap();
        is_changed(path);
    }

    #[test]
    fn a_new_database_that_is_not_whole_is_removed() {
        let directory = ready();
        let path = directory.path();
        fs::remove_file(path.join(WORKPLACE).join(READY)).unwrap();
        let opened = open::open(path, &OpenOptions::default()).unwrap();
        assert_eq!(opened.damage, None);
        assert_eq!(opened.tree.fetch(&STARTS), Ok(Some(7)));
        assert!(!path.join(WORKPLACE).exists());
    }
}
