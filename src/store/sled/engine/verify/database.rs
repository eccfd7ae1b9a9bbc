//! The files of a database, put together as sled will recover them.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::sled::engine::verify::conf::{self, Conf};
use crate::store::sled::engine::verify::damage::Damage;
use crate::store::sled::engine::verify::log::Log;
use crate::store::sled::engine::verify::page_table::{self, PageTable, Snapshot};
use crate::store::sled::engine::verify::recovery;
use crate::store::sled::engine::verify::tree::Tree;

/// The database as sled will recover it.
pub(super) struct Database {
    pub(super) log: Log,
    table: PageTable,
    /// Damage that sled does not speak of. It may have hit nothing that is needed.
    pub(super) passed_over: Option<Damage>,
    /// Files that sled must not see, and that nothing is lost with.
    pub(super) replaceable: Vec<PathBuf>,
    /// Whether the newest snapshot was damaged and the log is read without it.
    pub(super) lacks_snapshot: bool,
}

/// Why there is no database to be read.
pub(super) enum Absent {
    /// Nothing was ever written.
    Empty(Vec<PathBuf>),
    Damaged(Damage),
}

impl Database {
    pub(super) fn read(directory: &Path) -> io::Result<Result<Database, Absent>> {
        let mut replaceable = Vec::new();
        match conf::read(directory)? {
            Conf::Fine => {}
            Conf::Replaceable => replaceable.push(directory.join("conf")),
            Conf::Foreign => {
                let why = "another version of the database has written it".into();
                return Ok(Err(Absent::Damaged(Damage::of("conf", why))));
            }
        }
        let newest = NewestSnapshot::read(directory, &mut replaceable)?;
        let log = match Log::open(directory)? {
            Some(log) if newest.is_there || !log.is_blank()? => log,
            None if newest.is_there => {
                let why = "it is missing".into();
                return Ok(Err(Absent::Damaged(Damage::of("db", why))));
            }
            _ => return Ok(Err(Absent::Empty(replaceable))),
        };
        let recovered = recovery::recover(&log, newest.snapshot)?;
        Ok(recovered
            .map_err(Absent::Damaged)
            .map(|recovered| Database {
                log,
                table: recovered.table,
                passed_over: recovered.passed_over,
                replaceable,
                lacks_snapshot: newest.was_damaged,
            }))
    }

    pub(super) fn tree(&self) -> Tree<'_> {
        Tree::new(&self.log, &self.table)
    }
}

/// The newest snapshot that is whole. Without any, the log is read from its beginning.
#[derive(Default)]
struct NewestSnapshot {
    snapshot: Snapshot,
    /// Whether there is one, damaged or not.
    is_there: bool,
    /// Whether a newer one was damaged.
    was_damaged: bool,
}

impl NewestSnapshot {
    /// Finds it; files that sled must not see are added to `replaceable`.
    fn read(directory: &Path, replaceable: &mut Vec<PathBuf>) -> io::Result<NewestSnapshot> {
        let mut newest = NewestSnapshot::default();
        let mut files = page_table::files(directory)?;
        while let Some(file) = files.pop() {
            // A crash while sled writes a snapshot leaves such a file; the one before is still
            // there.
            if file.extension().is_none_or(|it| it != "generating") {
                newest.is_there = true;
                if let Ok(read) = page_table::read(&file)? {
                    newest.snapshot = read;
                    break;
                }
                newest.was_damaged = true;
            }
            replaceable.push(file);
        }
        Ok(newest)
    }
}

/// Tells every record of the database in `directory` that can be read.
pub(crate) fn salvage(directory: &Path, visit: &mut dyn FnMut(&[u8], &[u8])) -> io::Result<()> {
    if let Ok(database) = Database::read(directory)? {
        // The damage is known.
        let _ = database.tree().visit(visit);
    }
    Ok(())
}
