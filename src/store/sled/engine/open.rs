//! Opens the database so that no crash or power cut, not even one during an open, can keep it from
//! opening again.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sled::{Db, Tree};

use crate::store::sled::engine::keys::{Key, MetaKey, meta};
use crate::store::sled::engine::record;
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::{Read, from_sled};
use crate::store::sled::engine::writer::SEQUENCE;
use crate::store::{Error, Result};

/// The on-disk format version. Any other value is rejected.
const FORMAT: u32 = 1;
const FORMAT_KEY: MetaKey<u32> = meta(MetaSlot::Format);
/// How long to wait for the lock: after a kill the kernel may take a moment to release it.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(20);
const IN_USE: &str = "another process has it open";

/// An open database and the number of its last group.
pub(crate) struct Opened {
    pub(crate) db: Db,
    pub(crate) tree: Tree,
    pub(crate) sequence: u64,
}

/// Opens the database in `path`, and creates it if there is none. `cache_bytes` is counted in bytes
/// on disk, not in memory.
pub(crate) fn open(path: &Path, cache_bytes: u64) -> Result<Opened> {
    make_directory(path).map_err(|error| unusable(path, &error))?;
    remove_unfinished_snapshots(path, LOCK_PATIENCE)?;
    let db = open_patiently(path, cache_bytes)?;
    sync_files(path).map_err(|error| unusable(path, &error))?;
    let tree = Tree::clone(&db);
    let sequence = check(&tree)?;
    Ok(Opened { db, tree, sequence })
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Unusable(format!("{}: {error}", path.display()))
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Removes the file that a crash leaves while sled writes a snapshot: sled would read it as the
/// newest snapshot, and report corruption at every start. sled removes the old snapshot only after
/// the new one has its final name, so the unfinished file is never needed.
///
/// Holds the lock meanwhile: a file that another process is still writing must stay.
fn remove_unfinished_snapshots(path: &Path, wait_policy: Duration) -> Result<()> {
    let failed = |error: io::Error| unusable(path, &error);
    if unfinished_snapshots(path).map_err(failed)?.is_empty() {
        return Ok(());
    }
    let _lock = lock(path, wait_policy)?;
    for file in unfinished_snapshots(path).map_err(failed)? {
        log::warn!(
            "removing {}, a snapshot that an earlier start left unfinished",
            file.display()
        );
        fs::remove_file(file).map_err(failed)?;
    }
    Ok(())
}

fn unfinished_snapshots(path: &Path) -> io::Result<Vec<PathBuf>> {
    let files: Vec<PathBuf> = fs::read_dir(path)?
        .map(|entry| entry.map(|it| it.path()))
        .collect::<io::Result<_>>()?;
    let is_unfinished = |file: &PathBuf| file.extension().is_some_and(|it| it == "generating");
    Ok(files.into_iter().filter(is_unfinished).collect())
}

/// Takes the lock that sled takes too; none if there is no database yet. Dropping the returned file
/// releases the lock.
fn lock(path: &Path, mut wait_policy: Duration) -> Result<Option<File>> {
    let file = match File::open(path.join("db")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| unusable(path, &error))?,
    };
    while let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
        if error != Errno::WOULDBLOCK {
            return Err(unusable(path, &error));
        }
        if wait_policy.is_zero() {
            return Err(unusable(path, &IN_USE));
        }
        wait_policy = wait_policy.saturating_sub(LOCK_PAUSE);
        pause();
    }
    Ok(Some(file))
}

fn open_patiently(path: &Path, cache_bytes: u64) -> Result<Db> {
    let mut wait_policy = LOCK_PATIENCE;
    loop {
        match open_once(path, cache_bytes) {
            Err(error) if is_locked(&error) && !wait_policy.is_zero() => {
                wait_policy = wait_policy.saturating_sub(LOCK_PAUSE);
                pause();
            }
            Err(error) if is_locked(&error) => {
                return Err(unusable(path, &IN_USE));
            }
            opened => return opened.map_err(|error| unusable(path, &error)),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "waiting for the kernel to release the lock of a process that was killed"
)]
fn pause() {
    std::thread::sleep(LOCK_PAUSE);
}

fn open_once(path: &Path, cache_bytes: u64) -> sled::Result<Db> {
    let config = sled::Config::new().path(path).cache_capacity(cache_bytes);
    // Opening damaged files can panic.
    catch_unwind(AssertUnwindSafe(|| config.open())).unwrap_or_else(|_| {
        Err(sled::Error::ReportableBug(
            "the files are too damaged to open".into(),
        ))
    })
}

fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

/// Forces to the disk everything that opening has created: the files, their names, and the name of
/// the directory. sled does not do this.
fn sync_files(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        if file.is_file() {
            File::open(file)?.sync_all()?;
        }
    }
    File::open(path)?.sync_all()?;
    match path.canonicalize()?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Checks the format of the database, which a new one gets here, and reads the number of its last
/// group.
fn check(tree: &Tree) -> Result<u64> {
    match tree.fetch(&FORMAT_KEY)? {
        Some(FORMAT) => {}
        Some(other) => {
            let why = format!("the data has format {other}; this version reads format {FORMAT}");
            return Err(Error::Unusable(why));
        }
        None if tree.is_empty() => {
            let key = FORMAT_KEY.bytes();
            let sealed = record::seal(&key, &FORMAT)?;
            tree.insert(key, sealed)
                .map_err(|error| from_sled(&error))?;
        }
        None => {
            return Err(Error::Unusable(
                "the data is damaged: its format number is missing".into(),
            ));
        }
    }
    Ok(tree.fetch(&SEQUENCE)?.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_directory_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        // The umask of the test process can only remove permissions.
        let path = directory.path().join("data");
        drop(open(&path, 1 << 20).unwrap());
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn what_another_process_is_just_writing_is_no_leftover() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        drop(open(path, 1 << 20).unwrap());
        let snapshot = path.join("snap.0000000000000001.generating");
        fs::write(&snapshot, "half of it").unwrap();
        let other = lock(path, Duration::ZERO).unwrap();
        let refused = remove_unfinished_snapshots(path, Duration::ZERO);
        assert_eq!(refused, Err(unusable(path, &IN_USE)));
        assert!(snapshot.exists());
        drop(other);
        drop(open(path, 1 << 20).unwrap());
        assert!(!snapshot.exists());
    }
}
