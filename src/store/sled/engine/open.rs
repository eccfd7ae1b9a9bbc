//! Opens the database so that no crash or power cut, not even one during an open, can keep it from
//! opening again.

use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sled::Db;

use crate::store::sled::engine::commit_mark::{self, CommitMark, FoundMark, Mark, StoreId};
use crate::store::sled::engine::committed::{COMMITTED, Committed};
use crate::store::sled::engine::directory;
use crate::store::sled::engine::files;
use crate::store::sled::engine::keys::Key;
use crate::store::sled::engine::ledger::Ledger;
use crate::store::sled::engine::read::{Read, from_sled, in_words};
use crate::store::sled::engine::record;
use crate::store::sled::engine::salvage;
use crate::store::sled::engine::transaction::{GroupEntries, Transaction};
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::engine::verify::{
    self, DAMAGE, Damage, FORMAT, FORMAT_VERSION, Findings, STORE_ID,
};
use crate::store::{Error, Result};

/// How long to wait for the lock: after a kill the kernel may take a moment to release it.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(20);
const IN_USE: &str =
    "another process has it open; stop that one first, or change `storage.path` of this one";

/// How the database is opened.
pub(crate) struct OpenOptions {
    /// The size of sled's cache, counted in bytes on disk, not in memory.
    pub(crate) cache_bytes: u64,
    /// A log up to this size is read whole before it is opened.
    pub(crate) checked_bytes: u64,
    /// Go on with what is left, if something is damaged.
    pub(crate) open_damaged: bool,
    /// The id of the store, should it be new.
    pub(crate) new_id: StoreId,
}

/// An open database.
pub(crate) struct Opened {
    pub(crate) db: Db,
    pub(crate) tree: Tree,
    pub(crate) ledger: Ledger,
    /// What is damaged, if the database was opened in spite of it.
    pub(crate) damage: Option<String>,
    /// Whether every record was read.
    pub(crate) is_counted: bool,
}

/// Opens the database in `path`, making it if there is none.
///
/// Its files are checked first. If something is damaged, nothing is changed and the database is not
/// opened, unless that is allowed.
pub(crate) fn open(path: &Path, options: &OpenOptions) -> Result<Opened> {
    directory::make(path).map_err(|error| unusable(path, &error))?;
    let (mut findings, store) = prepare(path, options, LOCK_PATIENCE)?;
    let db = retry(path, LOCK_PATIENCE, || open_once(path, options.cache_bytes))?;
    sync_created(path).map_err(|error| unusable(path, &error))?;
    let tree = Tree::of(&db);
    let is_counted = findings.is_complete;
    let kinds = is_counted.then(|| std::mem::take(&mut findings.kinds));
    let (committed, damage) = complete(&tree, findings, store, options.open_damaged)?;
    let commit_mark = CommitMark::open(path, store).map_err(|error| unusable(path, &error))?;
    Ok(Opened {
        db,
        tree,
        ledger: Ledger::new(committed, commit_mark, kinds),
        damage,
        is_counted,
    })
}

/// Checks the files and makes them ready for sled, which must not see some that a crash has left.
/// Returns what was found and the id of the store.
///
/// The lock is held meanwhile: what another process is just writing is no leftover.
fn prepare(path: &Path, options: &OpenOptions, patience: Duration) -> Result<(Findings, StoreId)> {
    let failed = |error: io::Error| unusable(path, &error);
    let _lock = lock(path, patience)?;
    salvage::finish(path).map_err(failed)?;
    let mut findings = verify::examine(path, options.checked_bytes).map_err(failed)?;
    refuse_other_formats(&findings)?;
    if let Some(damage) = &findings.damage {
        let what = describe(damage, &findings);
        if !options.open_damaged {
            let why = format!(
                "{what}. Nothing has been changed. Without a backup, `storage.open_damaged = true` \
                 goes on with what can be read"
            );
            return Err(damaged(path, &why));
        }
        log::error!("{what}. Going on with what can be read");
        salvage::rebuild(path, &findings, options.new_id, &what)?;
        findings = verify::examine(path, options.checked_bytes).map_err(failed)?;
        if let Some(damage) = &findings.damage {
            return Err(damaged(path, &format!("it cannot be built anew: {damage}")));
        }
    }
    for file in &findings.replaceable {
        log::warn!(
            "removing {}, which is not whole and not needed",
            file.display()
        );
        fs::remove_file(file).map_err(failed)?;
    }
    let store = if let Some(FoundMark::Mark(mark)) = findings.mark {
        mark.store
    } else {
        let (store, sequence) = (options.new_id, 0);
        commit_mark::create(path, Mark { store, sequence }).map_err(failed)?;
        store
    };
    Ok((findings, store))
}

fn refuse_other_formats(findings: &Findings) -> Result<()> {
    match findings.format {
        Some(other) if other != FORMAT_VERSION => {
            let why = format!(
                "the data has format {other}; this version reads format {FORMAT_VERSION}. Start \
                 the version that wrote it, or put a backup of this version back"
            );
            Err(Error::Unusable(why))
        }
        None if findings.damage.is_none() && !findings.is_empty => {
            Err(Error::Damaged("its format number is missing".into()))
        }
        _ => Ok(()),
    }
}

/// What is damaged, and how much is left.
fn describe(damage: &Damage, findings: &Findings) -> String {
    let readable = findings.contents.records;
    match findings.expected {
        Some(expected) => format!(
            "{damage}; {readable} of {} records can be read",
            expected.records
        ),
        None => format!("{damage}; {readable} records can be read"),
    }
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::Damaged(format!("{}: {what}", path.display()))
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Unusable(format!("{}: {error}", path.display()))
}

/// Takes the lock that sled takes too; none if there is no database yet. Dropping the returned file
/// releases the lock.
fn lock(path: &Path, patience: Duration) -> Result<Option<File>> {
    let file = match File::open(path.join("db")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| unusable(path, &error))?,
    };
    retry(path, patience, || {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(())),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(unusable(path, &error)),
        }
    })?;
    Ok(Some(file))
}

/// Repeats an attempt while it returns none, because another process holds the lock, for as long as
/// `patience`.
fn retry<T>(
    path: &Path,
    mut patience: Duration,
    attempt: impl Fn() -> Result<Option<T>>,
) -> Result<T> {
    loop {
        match attempt()? {
            Some(done) => return Ok(done),
            None if patience.is_zero() => return Err(unusable(path, &IN_USE)),
            None => {
                patience = patience.saturating_sub(LOCK_PAUSE);
                pause();
            }
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

/// Opens the database; none if another process holds the lock.
fn open_once(path: &Path, cache_bytes: u64) -> Result<Option<Db>> {
    let config = sled::Config::new().path(path).cache_capacity(cache_bytes);
    // Opening damaged files can panic.
    let opened = catch_unwind(AssertUnwindSafe(|| config.open())).unwrap_or_else(|_| {
        Err(sled::Error::ReportableBug(
            "it cannot be opened; the lines before this one say where".into(),
        ))
    });
    match opened {
        Ok(db) => Ok(Some(db)),
        Err(error) if is_locked(&error) => Ok(None),
        Err(sled::Error::Io(error)) => Err(unusable(path, &error)),
        Err(error) => Err(damaged(path, &in_words(&error))),
    }
}

fn is_locked(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

/// Forces to the disk everything that opening has created: the files, their names, and the name of
/// the directory.
fn sync_created(path: &Path) -> io::Result<()> {
    files::sync_files(path)?;
    match path.canonicalize()?.parent() {
        Some(parent) => files::sync_directory(parent),
        None => Ok(()),
    }
}

/// Writes what the findings lack: all single values of a new store, the id and the count of one
/// that an earlier version made. Returns the last group, and the damage that is not settled.
fn complete(
    tree: &Tree,
    findings: Findings,
    store: StoreId,
    open_damaged: bool,
) -> Result<(Committed, Option<String>)> {
    let mut committed = Committed {
        sequence: findings.sequence.unwrap_or(0),
        contents: findings.contents,
    };
    if findings.expected.is_some() && tree.fetch(&COMMITTED)? != Some(committed) {
        let why = "sled has opened another state than was checked";
        return Err(Error::Damaged(why.into()));
    }
    let is_accepted = findings.unsettled.is_some() && !open_damaged;
    if findings.expected.is_some() && findings.store.is_some() && !is_accepted {
        // Nothing is written, so that a full disk can be opened.
        return Ok((committed, findings.unsettled));
    }
    let mut tx = Transaction::new(tree);
    if findings.is_empty {
        tx.put(&FORMAT, &FORMAT_VERSION)?;
    }
    if findings.store.is_none() {
        tx.put(&STORE_ID, &store.to_vec())?;
    }
    let unsettled = match findings.unsettled {
        Some(damage) if !open_damaged => {
            log::warn!("the loss is accepted: {damage}");
            tx.remove(&DAMAGE);
            None
        }
        unsettled => unsettled,
    };
    let contents = &mut committed.contents;
    let finished = tx.finish(GroupEntries::default(), |key, before, after| {
        contents.change(key, before, after);
    });
    let mut batch = finished?.batch;
    let key = COMMITTED.bytes();
    batch.insert(key.clone(), record::seal(&key, &committed)?);
    tree.apply_batch(batch).map_err(|error| from_sled(&error))?;
    Ok((committed, unsettled))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Default for OpenOptions {
        fn default() -> OpenOptions {
            OpenOptions {
                cache_bytes: 1 << 20,
                checked_bytes: u64::MAX,
                open_damaged: false,
                new_id: [7; 16],
            }
        }
    }

    #[test]
    fn what_another_process_is_just_writing_is_no_leftover() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        drop(open(path, &OpenOptions::default()).unwrap());
        let snapshot = path.join("snap.0000000000000001.generating");
        fs::write(&snapshot, "half of it").unwrap();
        // sled's threads may hold the file for a moment after its database is dropped.
        let other = lock(path, LOCK_PATIENCE).unwrap();
        let refused = prepare(path, &OpenOptions::default(), Duration::ZERO);
        assert_eq!(refused.err(), Some(unusable(path, &IN_USE)));
        assert!(snapshot.exists());
        drop(other);
        drop(open(path, &OpenOptions::default()).unwrap());
        assert!(!snapshot.exists());
    }
}
