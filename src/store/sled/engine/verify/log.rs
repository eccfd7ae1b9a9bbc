//! sled's log (the file `db`): segments of 512 KiB, each a head and messages. A position in the log
//! is a *log sequence number*, `lsn`; a segment that is used again has a new one, so that the order
//! of the segments in the file is not that of the log (`segment.rs` of sled 0.34.7).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::store::sled::engine::verify::bytes::Bytes;
use crate::store::sled::engine::verify::damage::Damage;
use crate::store::sled::engine::verify::message::{self, Kind, Message};

/// sled's default, which is used.
pub(super) const SEGMENT_BYTES: i64 = 512 << 10;
/// `CRC-32 of the rest (4) · lsn (8) · how far the log was on the disk when it was begun (8)`
pub(super) const SEGMENT_HEAD_BYTES: i64 = 20;
type SegmentHeadBytes = [u8; 20];
/// sled stores both numbers with these bits flipped, so that a segment of zeros is none.
const FLIPPED: i64 = i64::MAX;

/// Where a message lies that a page needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pointer {
    pub(super) lsn: i64,
    /// In the file.
    pub(super) offset: u64,
    /// What it takes there.
    pub(super) bytes: u32,
    /// The name of the file in `blobs` that has the body.
    pub(super) blob: Option<i64>,
}

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHead {
    pub(super) lsn: i64,
    /// The log up to here was on the disk.
    pub(super) stable: i64,
}

/// The open file.
pub(super) struct Log {
    directory: PathBuf,
    file: File,
    pub(super) bytes: u64,
}

/// The first position of the segment that a position is in.
pub(super) fn segment_of(lsn: i64) -> i64 {
    lsn.div_euclid(SEGMENT_BYTES) * SEGMENT_BYTES
}

/// The number that the messages of a segment have.
pub(super) fn number_of(lsn: i64) -> u64 {
    u64::try_from(lsn / SEGMENT_BYTES).unwrap_or(u64::MAX)
}

impl Log {
    /// Opens the log in `directory`; none if there is none.
    pub(super) fn open(directory: &Path) -> io::Result<Option<Log>> {
        let file = match File::open(directory.join("db")) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let bytes = file.metadata()?.len();
        Ok(Some(Log {
            directory: directory.to_owned(),
            file,
            bytes,
        }))
    }

    /// Whether nothing was ever written to it, or all of it is zeros.
    pub(super) fn is_blank(&self) -> io::Result<bool> {
        Ok(self.segments(i64::MIN)?.in_order.is_empty())
    }

    /// The heads of the segments from `least` on.
    pub(super) fn segments(&self, least: i64) -> io::Result<Segments> {
        let mut found = Segments::default();
        let size = SEGMENT_BYTES.unsigned_abs();
        let mut offset = 0;
        while offset + SEGMENT_HEAD_BYTES.unsigned_abs() <= self.bytes {
            let mut bytes = SegmentHeadBytes::default();
            self.file.read_exact_at(&mut bytes, offset)?;
            match head(&bytes) {
                Some(head) if head.lsn >= least => found.add(offset, head),
                Some(_) => {}
                None if bytes == SegmentHeadBytes::default() => {}
                None => found.damaged = found.damaged.or(Some(offset)),
            }
            offset += size;
        }
        Ok(found)
    }

    /// The segment at `offset`, as much of it as is in the file.
    pub(super) fn segment(&self, offset: u64) -> io::Result<Vec<u8>> {
        let size = SEGMENT_BYTES.unsigned_abs();
        let there = self.bytes.saturating_sub(offset).min(size);
        let mut bytes = vec![0; usize::try_from(there).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// What a page needs: the kind and the body of the message at `pointer`.
    pub(super) fn read(&self, page: u64, pointer: &Pointer) -> Result<(Kind, Vec<u8>), Damage> {
        if let Some(blob) = pointer.blob {
            return self.read_blob(blob);
        }
        let at = pointer.offset;
        let damaged = |what| Damage::at("db", at, what);
        let mut bytes = vec![0; usize::try_from(pointer.bytes).unwrap_or(0)];
        let read = self.file.read_exact_at(&mut bytes, at);
        read.map_err(|error| damaged(format!("it cannot be read: {error}")))?;
        match message::read(&bytes, bytes.len(), number_of(pointer.lsn)) {
            Ok(found) if found.page == page && !found.is_blob => {
                let (kind, body) = (found.kind, found.bytes - found.body.len());
                bytes.drain(..body);
                Ok((kind, bytes))
            }
            Ok(_) => Err(damaged("another page is there".into())),
            Err(_) => Err(damaged("the checksum is wrong".into())),
        }
    }

    /// The body of a message that is in a file of its own: `CRC-32 of the rest (4) · kind · body`.
    pub(super) fn read_blob(&self, blob: i64) -> Result<(Kind, Vec<u8>), Damage> {
        let name = format!("blobs/{blob}");
        let damaged = |what: String| Damage::of(&name, what);
        let mut bytes = std::fs::read(self.directory.join(&name))
            .map_err(|error| damaged(format!("it cannot be read: {error}")))?;
        let mut fields = Bytes(&bytes);
        let checksum = fields.array().map(u32::from_le_bytes);
        let is_whole = checksum == Some(crc32fast::hash(fields.0));
        match fields.byte().and_then(message::kind_of) {
            Some((kind, true)) if is_whole => {
                bytes.drain(..5);
                Ok((kind, bytes))
            }
            _ => Err(damaged("the checksum is wrong".into())),
        }
    }

    /// Whether such a file is there.
    pub(super) fn has_blob(&self, blob: i64) -> bool {
        let path = self.directory.join(format!("blobs/{blob}"));
        path.exists()
    }
}

/// The segments of a log.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// Where the segment with each position lies in the file.
    pub(super) in_order: BTreeMap<i64, u64>,
    /// The log was on the disk at least up to here.
    pub(super) stable: Option<i64>,
    /// A segment whose head is neither whole nor empty.
    pub(super) damaged: Option<u64>,
    /// Two segments have the same position.
    pub(super) twice: Option<u64>,
}

impl Segments {
    fn add(&mut self, offset: u64, head: SegmentHead) {
        self.stable = self.stable.max(Some(head.stable));
        if self.in_order.insert(head.lsn, offset).is_some() {
            self.twice = self.twice.or(Some(offset));
        }
    }
}

fn head(bytes: &[u8]) -> Option<SegmentHead> {
    let mut fields = Bytes(bytes);
    let checksum = u32::from_le_bytes(fields.array()?) ^ u32::MAX;
    let is_whole = checksum == crc32fast::hash(fields.0);
    let (lsn, stable) = (fields.lsn()? ^ FLIPPED, fields.lsn()? ^ FLIPPED);
    let is_aligned = lsn >= 0 && lsn % SEGMENT_BYTES == 0;
    (is_whole && is_aligned).then_some(SegmentHead { lsn, stable })
}

/// A segment that is walked through.
pub(super) struct Segment {
    pub(super) offset: u64,
    bytes: Vec<u8>,
}

impl Segment {
    /// Reads the segment at `offset`.
    pub(super) fn read(log: &Log, offset: u64) -> io::Result<Segment> {
        let bytes = log.segment(offset)?;
        Ok(Segment { offset, bytes })
    }

    /// The message at `lsn`, which is in this segment.
    pub(super) fn message(&self, lsn: i64) -> Result<Message<'_>, message::Unreadable> {
        let within = lsn.rem_euclid(SEGMENT_BYTES);
        let room = usize::try_from(SEGMENT_BYTES - within).unwrap_or(0);
        let from = usize::try_from(within).unwrap_or(usize::MAX);
        let rest = self.bytes.get(from..).unwrap_or_default();
        message::read(rest, room, number_of(lsn))
    }

    /// Where `lsn`, which is in this segment, lies in the file.
    pub(super) fn offset_of(&self, lsn: i64) -> u64 {
        self.offset + lsn.rem_euclid(SEGMENT_BYTES).unsigned_abs()
    }
}
