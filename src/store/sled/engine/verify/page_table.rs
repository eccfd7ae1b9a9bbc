//! sled's page table: where the pieces of each page lie (`snapshot.rs` of sled 0.34.7). It is kept
//! in a snapshot, `snap.<lsn>`, that sled writes when it opens the database, and brought up to date
//! with the messages of the log behind it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::sled::engine::verify::bytes::Bytes;
use crate::store::sled::engine::verify::damage::Damage;
use crate::store::sled::engine::verify::log::Pointer;
use crate::store::sled::engine::verify::message::Kind;

/// More pages than this are taken for damage: sled numbers them without gaps, and a page takes some
/// hundred bytes at least.
const MOST_PAGES: u64 = 1 << 32;

/// A page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Page {
    /// Never heard of.
    #[default]
    Unknown,
    Free,
    /// Its last whole state, and the changes since.
    Present(Vec<Pointer>),
}

/// All pages, by their numbers.
#[derive(Debug, Default)]
pub(super) struct PageTable {
    pub(super) pages: Vec<Page>,
}

/// A page table as it was when the log had come this far.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub(super) table: PageTable,
    /// The first position of the log that is not in it.
    pub(super) lsn: Option<i64>,
}

impl PageTable {
    /// The pieces of a page; none if it is free or unknown.
    pub(super) fn pieces(&self, page: u64) -> &[Pointer] {
        let index = usize::try_from(page).unwrap_or(usize::MAX);
        match self.pages.get(index) {
            Some(Page::Present(pieces)) => pieces,
            _ => &[],
        }
    }

    /// Takes a message of the log in. False: no log has such a message.
    pub(super) fn apply(&mut self, page: u64, kind: Kind, pointer: Pointer) -> bool {
        if page >= MOST_PAGES {
            return false;
        }
        let index = usize::try_from(page).unwrap_or(usize::MAX);
        if kind == Kind::Link {
            // A change to a page that is not known was overtaken by a later state of it.
            if let Some(Page::Present(pieces)) = self.pages.get_mut(index)
                && pieces.last().is_some_and(|last| last.lsn < pointer.lsn)
            {
                pieces.push(pointer);
            }
            return true;
        }
        if index >= self.pages.len() {
            self.pages.resize(index + 1, Page::Unknown);
        }
        if let Some(slot) = self.pages.get_mut(index) {
            *slot = match kind {
                Kind::Free => Page::Free,
                _ => Page::Present(vec![pointer]),
            };
        }
        true
    }
}

/// The files of snapshots, the newest last, also unfinished ones.
pub(super) fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b"snap.") {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a snapshot: `lsn (8) · active segment (varint) · pages · length (8) · CRC-32 (4)`.
pub(super) fn read(file: &Path) -> io::Result<Result<Snapshot, Damage>> {
    let bytes = fs::read(file)?;
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let damaged = || Damage::of(&name, "the checksum is wrong".into());
    Ok(parse(&bytes).ok_or_else(damaged))
}

fn parse(bytes: &[u8]) -> Option<Snapshot> {
    let (body, checksum) = bytes.split_last_chunk::<4>()?;
    let (body, _length) = body.split_last_chunk::<8>()?;
    if body.is_empty() || crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let mut fields = Bytes(body);
    let lsn = match fields.lsn()? {
        0 => None,
        negative @ ..0 => Some(negative),
        shifted => Some(shifted - 1),
    };
    let _active_segment = fields.varint()?;
    let mut pages = Vec::new();
    while !fields.is_empty() {
        pages.push(page(&mut fields)?);
    }
    let table = PageTable { pages };
    Some(Snapshot { table, lsn })
}

fn page(fields: &mut Bytes<'_>) -> Option<Page> {
    match fields.byte()? {
        0 => {
            let _lsn = fields.lsn()?;
            let _place = place(fields)?;
            Some(Page::Free)
        }
        pieces => {
            let pieces = (0..pieces).map(|_| {
                let lsn = fields.lsn()?;
                let (offset, blob) = place(fields)?;
                let bytes = u32::try_from(fields.varint()?).ok()?;
                Some(Pointer {
                    lsn,
                    offset,
                    bytes,
                    blob,
                })
            });
            pieces.collect::<Option<_>>().map(Page::Present)
        }
    }
}

fn place(fields: &mut Bytes<'_>) -> Option<(u64, Option<i64>)> {
    match fields.byte()? {
        0 => Some((fields.varint()?, None)),
        1 => Some((fields.varint()?, Some(fields.lsn()?))),
        _ => None,
    }
}
