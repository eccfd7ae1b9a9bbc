//! Makes a flush of sled reach the disk, with the only unsafe code of this project.
//!
//! sled 0.34.7 calls a log position *stable* after `sync_file_range(2)`, which writes pages back
//! but leaves out the device's cache and the file's metadata: a power cut loses data that was
//! stable, and sled may meanwhile have reused the segment that held the last good copy. This file
//! defines that symbol again, as `fdatasync(2)`. sled links against this definition, so that
//! *stable* means *on the disk*, and `Db::flush` holds its promise.
//!
//! The store counts these calls (`syncs`) and stops when a flush did not come through here: if a
//! linker ever chooses the other symbol, the store does not start and reports nothing as durable.

use std::ffi::{c_int, c_uint};
use std::fs::File;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::sync::atomic::{AtomicU64, Ordering};

static SYNCS: AtomicU64 = AtomicU64::new(0);

/// How often this process has forced the database to the disk.
pub(crate) fn syncs() -> u64 {
    SYNCS.load(Ordering::Relaxed)
}

/// `fdatasync` under the name that sled calls.
///
/// Returns 0, or -1 with `errno` set, as `sync_file_range` would; sled reports the latter as an I/O
/// error.
#[expect(
    unsafe_code,
    reason = "the cure for sled's missing fsync; see the top of this file"
)]
#[unsafe(no_mangle)]
extern "C" fn sync_file_range(fd: c_int, _offset: i64, _bytes: i64, _flags: c_uint) -> c_int {
    // SAFETY: sled passes the descriptor of its open database file and keeps it open during the
    // call; it is not closed here.
    let file = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
    // Through the C library, which sets `errno`: rustix does not, and sled would read the value
    // that another call left there.
    let synced = file.sync_data();
    SYNCS.fetch_add(1, Ordering::Relaxed);
    if synced.is_ok() { 0 } else { -1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::os::fd::AsRawFd;

    #[test]
    fn a_failed_sync_says_why() {
        let (pipe, _) = io::pipe().unwrap();
        let earlier = File::open("/there/is/no/such/file").unwrap_err();
        assert_eq!(sync_file_range(pipe.as_raw_fd(), 0, 0, 0), -1);
        // A pipe cannot be synced: EINVAL.
        assert_eq!(
            io::Error::last_os_error().kind(),
            io::ErrorKind::InvalidInput,
            "{earlier}"
        );
    }
}
