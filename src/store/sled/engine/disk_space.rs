//! Decides from the free space of the disk which writes are accepted. After a full disk sled must
//! be opened again, and opening needs space too, so writes stop while some space is left: events
//! first, then accounts and tokens, and last the writes that free space.

use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bytes that a step without events brings: a few records and their indexes.
pub(crate) const STEP_BYTES: u64 = 1024;
/// Bytes that the files grow by for each byte of the log: segments are freed only when half of them
/// is dead.
const AMPLIFICATION: u64 = 2;
const MIB: u64 = 1 << 20;

/// The purpose of a step, which decides how much of the disk must stay free after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum WriteClass {
    /// Writes that free space, and small ones that must succeed on a nearly full disk.
    Reclaim,
    /// Accounts, tokens and codes.
    Change,
    /// Events.
    Events,
}

impl WriteClass {
    fn free_bytes(self) -> u64 {
        match self {
            WriteClass::Reclaim => 2 * MIB,
            WriteClass::Change => 6 * MIB,
            WriteClass::Events => 16 * MIB,
        }
    }

    /// Whether steps of this class are accepted, given whether they were before. Accepting them
    /// again needs an eighth more free space, so that a disk at the limit does not fill the log
    /// with changes.
    fn is_open(self, free: u64, was_open: bool) -> bool {
        let mark = self.free_bytes();
        free >= if was_open { mark } else { mark + mark / 8 }
    }
}

/// What is known of a step before it runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriteCost {
    /// Its purpose, which decides how much must stay free.
    pub(crate) class: WriteClass,
    /// About how many bytes it brings: it decides which steps form a group. The disk space is
    /// checked against what the step really writes, once it has run.
    pub(crate) bytes: u64,
}

/// Which writes are refused for lack of space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum DiskPressure {
    /// Nothing.
    #[default]
    Nothing,
    /// Events.
    Events,
    /// Every change except those that free space.
    Changes,
}

impl DiskPressure {
    fn at(free: u64, before: DiskPressure) -> DiskPressure {
        if !WriteClass::Change.is_open(free, before < DiskPressure::Changes) {
            DiskPressure::Changes
        } else if !WriteClass::Events.is_open(free, before < DiskPressure::Events) {
            DiskPressure::Events
        } else {
            DiskPressure::Nothing
        }
    }

    fn refuses(self, class: WriteClass) -> bool {
        match class {
            WriteClass::Reclaim => false,
            WriteClass::Change => self >= DiskPressure::Changes,
            WriteClass::Events => self >= DiskPressure::Events,
        }
    }
}

/// Returns how many bytes are free on a disk at the time of the call.
pub(crate) type FreeBytes = Box<dyn Fn() -> u64 + Send>;

/// The free bytes on the disk of this directory.
pub(crate) fn free_bytes_of(path: &Path) -> FreeBytes {
    let path = path.to_owned();
    Box::new(move || {
        // If the free space is unknown, no write is refused.
        rustix::fs::statvfs(&path)
            .map_or(u64::MAX, |disk| disk.f_bavail.saturating_mul(disk.f_frsize))
    })
}

/// The current disk pressure, shared by the writer thread and its readers.
#[derive(Default)]
pub(crate) struct DiskMonitor(AtomicU8);

impl DiskMonitor {
    /// Which writes are refused now.
    pub(crate) fn read(&self) -> DiskPressure {
        match self.0.load(Ordering::Relaxed) {
            0 => DiskPressure::Nothing,
            1 => DiskPressure::Events,
            _ => DiskPressure::Changes,
        }
    }

    /// Notes how much is free, logs a change of the pressure, and returns the budget of a group.
    pub(crate) fn note(&self, free: u64) -> DiskBudget {
        let before = self.read();
        let pressure = DiskPressure::at(free, before);
        self.0.store(pressure as u8, Ordering::Relaxed);
        log_change(before, pressure, free);
        DiskBudget {
            free,
            taken: 0,
            pressure,
        }
    }
}

fn log_change(before: DiskPressure, now: DiskPressure, free: u64) {
    let mib = free / MIB;
    let began = |what| before < what && now >= what;
    let ended = |what| before >= what && now < what;
    if began(DiskPressure::Events) {
        log::error!("{mib} MiB are free on the disk: events are refused until there is room again");
    }
    if began(DiskPressure::Changes) {
        log::error!(
            "{mib} MiB are free on the disk: every change that does not free space is refused until there is room again"
        );
    }
    if ended(DiskPressure::Changes) {
        log::warn!("{mib} MiB are free on the disk: accounts and tokens can be changed again");
    }
    if ended(DiskPressure::Events) {
        log::warn!("{mib} MiB are free on the disk: events are accepted again");
    }
}

/// How much the steps of one group may still write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiskBudget {
    free: u64,
    taken: u64,
    pressure: DiskPressure,
}

impl DiskBudget {
    /// The bytes of the log that the steps so far have taken together.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes what a step writes to the log, in bytes. False: too little is left, and nothing is
    /// taken. A step that writes nothing always has room.
    pub(crate) fn take(&mut self, class: WriteClass, bytes: u64) -> bool {
        if bytes == 0 {
            return true;
        }
        let left = self.free.checked_sub(bytes.saturating_mul(AMPLIFICATION));
        match left.filter(|left| *left >= class.free_bytes()) {
            Some(left) if !self.pressure.refuses(class) => {
                self.free = left;
                self.taken += bytes;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_stop_first_then_changes_and_what_makes_room_goes_on() {
        let disk_monitor = DiskMonitor::default();
        for (free, taken) in [
            (64, [true, true, true]),
            (15, [true, true, false]),
            (5, [true, false, false]),
            (1, [false, false, false]),
            (7, [true, true, false]),
            (64, [true, true, true]),
        ] {
            let mut budget = disk_monitor.note(free * MIB);
            let takes = [WriteClass::Reclaim, WriteClass::Change, WriteClass::Events]
                .map(|class| budget.take(class, 1));
            assert_eq!(takes, taken, "{free} MiB");
        }
    }

    #[test]
    fn what_a_group_has_taken_counts() {
        let mut budget = DiskMonitor::default().note(32 * MIB);
        assert!(budget.take(WriteClass::Events, 7 * MIB));
        assert!(!budget.take(WriteClass::Events, 2 * MIB));
        assert!(budget.take(WriteClass::Change, 2 * MIB));
        assert!(!budget.take(WriteClass::Reclaim, u64::MAX));
    }

    #[test]
    fn a_step_that_writes_nothing_has_room_on_a_full_disk() {
        let mut budget = DiskMonitor::default().note(0);
        assert!(budget.take(WriteClass::Events, 0));
        assert!(!budget.take(WriteClass::Reclaim, 1));
    }

    #[test]
    fn a_disk_at_the_mark_does_not_waver() {
        let disk_monitor = DiskMonitor::default();
        let at = |free: u64| {
            disk_monitor.note(free);
            disk_monitor.read()
        };
        let mark = WriteClass::Events.free_bytes();
        assert_eq!(at(mark), DiskPressure::Nothing);
        assert_eq!(at(mark - 1), DiskPressure::Events);
        assert_eq!(at(mark), DiskPressure::Events);
        assert_eq!(at(mark + mark / 8), DiskPressure::Nothing);
        assert_eq!(at(mark), DiskPressure::Nothing);
    }
}
