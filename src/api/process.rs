//! What the system knows of this process. A figure that cannot be read is left out.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The process at one moment.
pub(super) struct Process {
    /// Memory that is in use, in bytes.
    pub(super) resident_bytes: Option<u64>,
    /// The part of it that no file backs: what the process itself holds.
    pub(super) anonymous_bytes: Option<u64>,
    /// Descriptors that are open.
    pub(super) open_fds: Option<u64>,
    /// Time on the processors, of all threads together.
    pub(super) processor_time: Option<Duration>,
}

impl Process {
    /// Reads all figures.
    pub(super) fn read() -> Process {
        let status = fs::read_to_string("/proc/self/status").ok();
        let time = clock_gettime(ClockId::ProcessCPUTime);
        Process {
            resident_bytes: status.as_deref().and_then(|it| bytes(it, "VmRSS:")),
            anonymous_bytes: status.as_deref().and_then(|it| bytes(it, "RssAnon:")),
            // The descriptor that reads the directory does not count.
            open_fds: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|fds| (fds.count() as u64).saturating_sub(1)),
            processor_time: Duration::try_from(time).ok(),
        }
    }
}

/// A line of `/proc/self/status` (proc(5)), which is in KiB.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|it| it.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_knows_this_process() {
        let process = Process::read();
        assert!(process.resident_bytes > process.anonymous_bytes);
        assert!(process.anonymous_bytes.unwrap() > 1 << 16);
        assert!(process.open_fds.unwrap() >= 3);
        assert!(process.processor_time.unwrap() > Duration::ZERO);
        assert_eq!(
            bytes("VmHWM:\t 9 kB\nVmRSS:\t   20 kB\n", "VmRSS:"),
            Some(20_480)
        );
    }
}
