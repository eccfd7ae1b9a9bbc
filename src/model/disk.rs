//! What the data take of the disk, and how much of it is written.

use serde::{Deserialize, Serialize};

/// Days whose figures are kept.
pub const DISK_DAYS: u32 = 30;

/// One UTC day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskDay {
    /// Events that were stored.
    pub events: u64,
    /// Bytes that were sent to the disk; none where the system does not say.
    pub written_bytes: Option<u64>,
}

/// What the data take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// Bytes of the database.
    pub disk_bytes: u64,
    /// Bytes that are free where it lies.
    pub free_bytes: u64,
    /// Events that were ever stored.
    pub events_stored: u64,
    /// The last days on which anything happened, by their number since the epoch, the oldest first.
    pub days: Vec<(u32, DiskDay)>,
}
