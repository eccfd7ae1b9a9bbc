//! sled's file `conf`. It holds nothing but the settings that the database was made with, which are
//! always the same here: `settings · CRC-32 (4, little-endian)`.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// What sled 0.34.7 writes with its default settings.
const SETTINGS: &[u8] = b"segment_size: 524288\nuse_compression: false\nversion: 0.34\n";

/// What is to be done about the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Conf {
    /// It is as it should be, or sled will make it.
    Fine,
    /// It is damaged. sled can make it anew, and nothing is lost.
    Replaceable,
    /// Another version of sled made the database.
    Foreign,
}

/// Reads the file of the database in `directory`.
pub(super) fn read(directory: &Path) -> io::Result<Conf> {
    let bytes = match fs::read(directory.join("conf")) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Conf::Fine),
        read => read?,
    };
    Ok(match bytes.split_last_chunk::<4>() {
        Some((body, checksum)) if crc32fast::hash(body).to_le_bytes() == *checksum => {
            if body == SETTINGS {
                Conf::Fine
            } else {
                Conf::Foreign
            }
        }
        _ => Conf::Replaceable,
    })
}
