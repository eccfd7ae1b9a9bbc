//! A message of sled's log (`logger.rs` of sled 0.34.7):
//! `CRC-32 (4) · kind (1) · length of body · number of segment · page · body`.

use crate::store::sled::engine::verify::bytes::Bytes;

/// The longest head of a message. No message begins closer to the end of a segment.
pub(super) const HEAD_BYTES: u8 = 32;
/// sled reads the beginning of a message into a buffer of this size.
const READ_BYTES: usize = 128;

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: its writer gave up.
    Canceled,
    /// Nothing: the rest of the segment is unused.
    Cap,
    /// How far the batch goes that begins here.
    Batch,
    /// That the page is free.
    Free,
    /// The whole of sled's counter.
    Counter,
    /// The whole of the list of trees.
    Trees,
    /// The whole of a node of a tree.
    Node,
    /// A change to a node.
    Link,
}

/// A message that is whole.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: Kind,
    /// Whether the body is in a file of its own, and this body its name.
    pub(super) is_blob: bool,
    pub(super) page: u64,
    pub(super) body: &'a [u8],
    /// What it takes in the log.
    pub(super) bytes: usize,
}

/// Why there is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// Something else is there.
    Damaged,
    /// The file ends in its body.
    CutOff,
}

/// The kind of this byte, and whether the body is in a file of its own.
pub(super) fn kind_of(byte: u8) -> Option<(Kind, bool)> {
    Some(match byte {
        1 => (Kind::Canceled, false),
        2 => (Kind::Cap, false),
        3 => (Kind::Batch, false),
        4 => (Kind::Free, false),
        5 => (Kind::Counter, false),
        6 => (Kind::Trees, false),
        7 => (Kind::Trees, true),
        8 => (Kind::Node, false),
        9 => (Kind::Node, true),
        10 => (Kind::Link, false),
        11 => (Kind::Link, true),
        _ => return None,
    })
}

/// The message at the beginning of `rest`, in a segment with this number that has room for `room`
/// bytes more. `rest` is shorter where the file ends.
pub(super) fn read(rest: &[u8], room: usize, segment: u64) -> Result<Message<'_>, Unreadable> {
    let mut head = [0; HEAD_BYTES as usize];
    head.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let mut fields = Bytes(&head);
    let parsed = parse_head(&mut fields).ok_or(Unreadable::Damaged)?;
    let (checksum, kind, length, number, page) = parsed;
    let head_bytes = head.len() - fields.0.len();
    if length > room.saturating_sub(head_bytes) {
        return Err(Unreadable::Damaged);
    }
    let (kind, is_blob) = kind_of(kind).ok_or(Unreadable::Damaged)?;
    let bytes = head_bytes + length;
    let Some(body) = rest.get(head_bytes..bytes) else {
        let is_in_buffer = length <= READ_BYTES - head_bytes;
        return Err(if is_in_buffer {
            Unreadable::Damaged
        } else {
            Unreadable::CutOff
        });
    };
    let checked_head = head.get(4..head_bytes).unwrap_or_default();
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(body);
    hasher.update(checked_head);
    if hasher.finalize() ^ u32::MAX != checksum || number != segment {
        return Err(Unreadable::Damaged);
    }
    Ok(Message {
        kind,
        is_blob,
        page,
        body,
        bytes,
    })
}

fn parse_head(fields: &mut Bytes<'_>) -> Option<(u32, u8, usize, u64, u64)> {
    Some((
        u32::from_le_bytes(fields.array()?),
        fields.byte()?,
        fields.count()?,
        fields.varint()?,
        fields.varint()?,
    ))
}
