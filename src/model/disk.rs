//! How much space the data take on the disk, and how much is written each day.

use serde::{Deserialize, Serialize};

/// How many days of figures are kept.
pub const DISK_DAYS: u32 = 30;

/// The figures of one UTC day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskDay {
    /// Events that were stored.
    pub events: u64,
    /// Bytes that were sent to the disk; none where the system does not report them.
    pub written_bytes: Option<u64>,
}

/// How much space the data take, and the figures of the last days.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DiskUse {
    /// The size of the database, in bytes.
    pub disk_bytes: u64,
    /// Free space on the file system of the database, in bytes.
    pub free_bytes: u64,
    /// Events that were ever stored, removed ones included.
    pub events_stored: u64,
    /// The days of the last `DISK_DAYS` that have figures, by their number since the epoch, the
    /// oldest first.
    pub days: Vec<(u32, DiskDay)>,
}
