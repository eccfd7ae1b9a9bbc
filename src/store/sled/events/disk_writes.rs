//! Counts the bytes that the process really sends to the disk, day by day, for owners whose disk
//! wears out. The kernel counts them for the process; the count is read at each sweep, when disk
//! use is asked for, and at the end. If the process is killed, the bytes counted since the last
//! record are lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use crate::model::{DISK_DAYS, DiskDay, Timestamp};
use crate::store::Result;
use crate::store::sled::engine::keys::key;
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;

/// Without new events, the counts are saved only after this many bytes: saving writes too, and an
/// idle appliance must not write to its disk.
const WORTH_BYTES: u64 = 1 << 20;

postcard_records!(DiskDay);

key! {
    /// The events stored and the bytes written on a UTC day, counted from 1970-01-01.
    DiskDayKey { day: u32 } DiskDay => DiskDay
}

/// Reads how many bytes this process has sent to the disk since its start.
#[derive(Debug, Clone)]
pub struct WriteMeter(Option<Arc<File>>);

impl WriteMeter {
    /// Opens the counter of the kernel, `/proc/self/io`; without that file, the meter counts
    /// nothing. Call this before the process is made undumpable: after that, the file belongs to
    /// root.
    pub fn open() -> WriteMeter {
        WriteMeter(File::open("/proc/self/io").ok().map(Arc::new))
    }

    /// Bytes so far; none if the kernel gives no such count.
    fn read(&self) -> Option<u64> {
        let mut text = [0; 512];
        let length = self.0.as_ref()?.read_at(&mut text, 0).ok()?;
        let text = str::from_utf8(text.get(..length)?).ok()?;
        let line = text
            .lines()
            .find_map(|it| it.strip_prefix("write_bytes:"))?;
        line.trim().parse().ok()
    }
}

/// The counts of the last days, in the writer's memory.
#[derive(Default)]
pub(crate) struct DailyWrites {
    days: BTreeMap<u32, DiskDay>,
    /// The last reading of the meter, in bytes; none if there is none.
    read: Option<u64>,
    /// The day of the last event or sample.
    today: u32,
    /// Counts of earlier days may be removed.
    oldest_kept: u32,
    /// Days whose record is not up to date.
    changed: BTreeSet<u32>,
    /// Events and bytes that were counted since the last record.
    unsaved: DiskDay,
}

impl DailyWrites {
    /// Loads the stored counts. Bytes that were written before this reading of `meter` are not
    /// counted.
    pub(crate) fn load(tree: &Tree, meter: &WriteMeter) -> Result<DailyWrites> {
        let days = tree.all::<DiskDayKey>()?;
        let days: BTreeMap<_, _> = days.into_iter().map(|(key, it)| (key.day, it)).collect();
        Ok(DailyWrites {
            today: days.keys().next_back().copied().unwrap_or(0),
            days,
            read: meter.read(),
            ..DailyWrites::default()
        })
    }

    /// Counts events that are stored.
    pub(crate) fn store(&mut self, at: Timestamp, events: u64) {
        self.today = at.day();
        self.day().events += events;
        self.unsaved.events += events;
    }

    /// Adds the bytes written since the last sample to the count of `day`, or of the last known day
    /// if `day` is none.
    pub(crate) fn sample(&mut self, meter: &WriteMeter, day: Option<u32>) {
        self.sampled(meter.read(), day);
    }

    fn sampled(&mut self, read: Option<u64>, day: Option<u32>) {
        self.today = day.unwrap_or(self.today);
        if let (Some(read), Some(before)) = (read, self.read) {
            let more = read.saturating_sub(before);
            let written = &mut self.day().written_bytes;
            *written = Some(written.unwrap_or(0) + more);
            let unsaved = &mut self.unsaved.written_bytes;
            *unsaved = Some(unsaved.unwrap_or(0) + more);
        }
        self.read = read;
    }

    fn day(&mut self) -> &mut DiskDay {
        self.changed.insert(self.today);
        self.days.entry(self.today).or_default()
    }

    /// The counts of the last [`DISK_DAYS`] days, oldest first, without the days that have none.
    pub(crate) fn days(&self) -> Vec<(u32, DiskDay)> {
        let first = self.today.saturating_sub(DISK_DAYS - 1);
        let days = self.days.range(first..);
        days.map(|(day, it)| (*day, *it)).collect()
    }

    /// Saves the counts if there are new events or enough new bytes, or, `at_the_end`, if any new
    /// bytes would be lost, and removes the counts of days that are too old. True: something was
    /// saved; call `saved` when the step is kept.
    pub(crate) fn save(&self, tx: &mut Transaction<'_>, at_the_end: bool) -> Result<bool> {
        let bytes = self.unsaved.written_bytes.unwrap_or(0);
        let is_worth_it = self.unsaved.events > 0 || bytes >= WORTH_BYTES;
        let would_be_lost = at_the_end && bytes > 0;
        if !is_worth_it && !would_be_lost {
            return Ok(false);
        }
        let oldest = self.oldest_kept;
        for day in self.changed.range(oldest..) {
            if let Some(counts) = self.days.get(day) {
                tx.put(&DiskDayKey { day: *day }, counts)?;
            }
        }
        for (day, _) in self.days.range(..oldest) {
            tx.remove(&DiskDayKey { day: *day });
        }
        Ok(true)
    }

    /// Notes that `save` has saved the counts.
    pub(crate) fn saved(&mut self) {
        self.unsaved = DiskDay::default();
        self.changed.clear();
        self.days = self.days.split_off(&self.oldest_kept);
    }

    /// Lets `save` remove the counts of the days that are not returned on `today`. Call it only
    /// with a day of a trusted clock.
    pub(crate) fn expire(&mut self, today: u32) {
        self.oldest_kept = today.saturating_sub(DISK_DAYS - 1);
    }
}

/// Bytes that the files of the database take on the disk, with those in subdirectories.
pub(crate) fn disk_bytes(path: &Path) -> std::io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    fs::read_dir(path)?.try_fold(0, |sum, entry| {
        let entry = entry?;
        let about = entry.metadata()?;
        let inside = if about.is_dir() {
            disk_bytes(&entry.path())?
        } else {
            0
        };
        Ok(sum + about.blocks() * 512 + inside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sled::engine::transaction::GroupEntries;

    fn day(events: u64, written_bytes: Option<u64>) -> DiskDay {
        DiskDay {
            events,
            written_bytes,
        }
    }

    #[test]
    fn what_is_written_is_counted_from_one_reading_to_the_next() {
        let mut daily_writes = DailyWrites::default();
        daily_writes.sampled(Some(1_000), Some(7));
        daily_writes.store(Timestamp::from_millis(7 * 86_400_000), 3);
        daily_writes.sampled(Some(1_500), Some(7));
        daily_writes.sampled(Some(1_600), Some(8));
        daily_writes.sampled(Some(1_650), None);
        daily_writes.sampled(None, Some(9));
        let days = vec![(7, day(3, Some(500))), (8, day(0, Some(150)))];
        assert_eq!(daily_writes.days(), days);
    }

    #[test]
    fn only_the_last_days_are_returned() {
        let mut daily_writes = DailyWrites::default();
        for day in 0..100 {
            daily_writes.sampled(Some(u64::from(day)), Some(day));
        }
        let days = daily_writes.days();
        assert_eq!(days.len(), DISK_DAYS as usize);
        assert_eq!(days.first().map(|(day, _)| *day), Some(100 - DISK_DAYS));
    }

    #[test]
    fn counts_are_removed_only_by_a_day_of_a_trusted_clock() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let tree = Tree::of(&db);
        let mut daily_writes = DailyWrites::default();
        let mut days_left = |day: u32, expired: Option<u32>| {
            daily_writes.store(Timestamp::of_day(day), 1);
            if let Some(today) = expired {
                daily_writes.expire(today);
            }
            let mut tx = Transaction::new(&tree);
            assert!(daily_writes.save(&mut tx, false).unwrap());
            let finished = tx.finish(GroupEntries::default(), |_, _, _| ()).unwrap();
            tree.apply_batch(finished.batch).unwrap();
            daily_writes.saved();
            let left = tree.all::<DiskDayKey>().unwrap().into_iter();
            left.map(|(key, _)| key.day).collect::<Vec<_>>()
        };
        let far = 7 + 10 * DISK_DAYS;
        assert_eq!(days_left(7, None), [7]);
        assert_eq!(days_left(far, None), [7, far]);
        assert_eq!(days_left(8, Some(8)), [7, 8, far]);
        assert_eq!(days_left(far, Some(far)), [far]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_counts_what_we_write() {
        let meter = WriteMeter::open();
        // The counter is read again each time, and never decreases.
        let first = meter.read().unwrap();
        assert!(meter.read().unwrap() >= first);
    }
}
