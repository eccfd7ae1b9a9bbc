//! A file beside the database that says which group was acknowledged last. The database itself
//! cannot tell that it was emptied, cut off or replaced by an older copy: this can.
//!
//! It holds the store's id and the number of a group, in two slots that are written in turn, so
//! that one of them is whole at any moment. A number is written after its group is on the disk, and
//! not forced there: it is a lower bound, exact after a kill, and some seconds old after a power
//! cut.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::sled::engine::files;

/// The name of the file.
pub(crate) const FILE: &str = "commits";
/// The distance of the slots: each is in a page and a sector of its own.
const SLOT_BYTES: u64 = 4096;
/// `id (16) · number (8, little-endian) · CRC-32 of both (4, little-endian)`
const MARK_BYTES: usize = 28;

/// Tells one store from another.
pub(crate) type StoreId = [u8; 16];

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) store: StoreId,
    /// The number of the last group that was acknowledged, or of an earlier one. 0: of none.
    pub(crate) sequence: u64,
}

/// What is found where the file should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FoundMark {
    Nothing,
    Damaged,
    Mark(Mark),
}

impl Mark {
    fn to_bytes(self) -> [u8; MARK_BYTES] {
        let mut bytes = [0; MARK_BYTES];
        let (body, checksum) = bytes.split_at_mut(MARK_BYTES - 4);
        let (id, number) = body.split_at_mut(16);
        id.copy_from_slice(&self.store);
        number.copy_from_slice(&self.sequence.to_le_bytes());
        checksum.copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Mark> {
        let (store, rest) = bytes.split_first_chunk::<16>()?;
        let (number, checksum) = rest.split_first_chunk::<8>()?;
        let body = bytes.get(..MARK_BYTES - 4)?;
        let is_whole = checksum == crc32fast::hash(body).to_le_bytes();
        is_whole.then_some(Mark {
            store: *store,
            sequence: u64::from_le_bytes(*number),
        })
    }
}

/// Reads the file of the database in `directory`.
pub(crate) fn read(directory: &Path) -> io::Result<FoundMark> {
    let file = match File::open(directory.join(FILE)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(FoundMark::Nothing),
        opened => opened?,
    };
    let mut newest: Option<Mark> = None;
    for slot in 0..2 {
        let mut bytes = [0; MARK_BYTES];
        match file.read_exact_at(&mut bytes, slot * SLOT_BYTES) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => continue,
            read => read?,
        }
        let mark = Mark::from_bytes(&bytes);
        newest = mark
            .into_iter()
            .chain(newest)
            .max_by_key(|mark| mark.sequence);
    }
    Ok(newest.map_or(FoundMark::Damaged, FoundMark::Mark))
}

/// Makes the file anew, all of it or nothing.
pub(crate) fn create(directory: &Path, mark: Mark) -> io::Result<()> {
    files::replace(directory, FILE, |file| {
        (0..2).try_for_each(|slot| file.write_all_at(&mark.to_bytes(), slot * SLOT_BYTES))
    })
}

/// The open file, for the writer.
pub(crate) struct CommitMark {
    file: File,
    path: PathBuf,
    store: StoreId,
    /// Whether a number was forced to the disk since the start.
    is_synced: AtomicBool,
    has_failed: AtomicBool,
}

impl CommitMark {
    /// Opens the file of the database in `directory`.
    pub(crate) fn open(directory: &Path, store: StoreId) -> io::Result<CommitMark> {
        let path = directory.join(FILE);
        Ok(CommitMark {
            file: File::options().write(true).open(&path)?,
            path,
            store,
            is_synced: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        })
    }

    /// Notes that a group is on the disk. The first is forced to the disk, so that the file is
    /// never without a number once something was acknowledged.
    pub(crate) fn note(&self, sequence: u64) {
        let mark = Mark {
            store: self.store,
            sequence,
        };
        let at = sequence % 2 * SLOT_BYTES;
        self.tried(self.file.write_all_at(&mark.to_bytes(), at));
        if !self.is_synced.swap(true, Ordering::Relaxed) {
            self.sync();
        }
    }

    /// Forces what was noted to the disk.
    pub(crate) fn sync(&self) {
        self.tried(self.file.sync_data());
    }

    /// An earlier number is a lower bound too: a failure is said once, and stops nothing.
    fn tried(&self, outcome: io::Result<()>) {
        if let Err(error) = outcome
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            log::error!("{} is not kept up to date: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = [7; 16];

    fn mark(sequence: u64) -> FoundMark {
        FoundMark::Mark(Mark {
            store: STORE,
            sequence,
        })
    }

    #[test]
    fn the_newest_number_is_read_and_a_damaged_one_leaves_the_one_before() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        assert_eq!(read(path).unwrap(), FoundMark::Nothing);
        let first = Mark {
            store: STORE,
            sequence: 0,
        };
        create(path, first).unwrap();
        assert_eq!(read(path).unwrap(), mark(0));
        let marks = CommitMark::open(path, STORE).unwrap();
        for sequence in 1..=5 {
            marks.note(sequence);
            assert_eq!(read(path).unwrap(), mark(sequence));
        }
        marks.file.write_all_at(b"x", SLOT_BYTES).unwrap();
        assert_eq!(read(path).unwrap(), mark(4));
        marks.file.set_len(0).unwrap();
        assert_eq!(read(path).unwrap(), FoundMark::Damaged);
    }
}
