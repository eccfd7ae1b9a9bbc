//! How much is really sent to the disk, day by day, for people whose disk wears out. The kernel
//! counts it for the process; it is read whenever the sweeper comes by and at the end. What was
//! counted since the last record is lost by a kill.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use sled::Tree;

use crate::model::{DISK_DAYS, DiskDay, Timestamp};
use crate::store::Result;
use crate::store::sled::engine::keys::key;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::{Read, Transaction};

/// Without events, so much must have been written before it is worth a record: a record is written
/// too, and an idle appliance is to leave its disk alone.
const WORTH_BYTES: u64 = 1 << 20;

postcard_records!(DiskDay);

key! {
    /// What was stored and written on a day.
    DiskDayKey { day: u32 } DiskDay => DiskDay
}

/// Reads what this process has sent to the disk so far.
#[derive(Debug, Clone)]
pub struct WriteMeter(Option<Arc<File>>);

impl WriteMeter {
    /// Opens the kernel's count. Do so before the process is made undumpable: the file belongs to
    /// root after that.
    pub fn open() -> WriteMeter {
        WriteMeter(File::open("/proc/self/io").ok().map(Arc::new))
    }

    /// Bytes so far; none where there is no such count.
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

/// The counts, as the writer keeps them in mind.
#[derive(Default)]
pub(crate) struct DailyWrites {
    days: BTreeMap<u32, DiskDay>,
    /// The last reading; none before the first.
    read: Option<u64>,
    /// The last day that was heard of.
    today: u32,
    /// Days whose record is not up to date.
    changed: BTreeSet<u32>,
    /// What that is about.
    unsaved: DiskDay,
}

impl DailyWrites {
    /// The counts that are stored. What was written before `meter` was read is not ours to count.
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

    /// Counts what was written since the last time, as of `day`; of the last day that was heard of
    /// if it is not known.
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

    /// The last days, up to now.
    pub(crate) fn days(&self) -> Vec<(u32, DiskDay)> {
        let first = self.today.saturating_sub(DISK_DAYS - 1);
        let days = self.days.range(first..);
        days.map(|(day, it)| (*day, *it)).collect()
    }

    /// Writes the counts down if that is worth it, or if they are about to be lost.
    pub(crate) fn save(&mut self, tx: &mut Transaction<'_>, at_the_end: bool) -> Result<()> {
        let bytes = self.unsaved.written_bytes.unwrap_or(0);
        let is_worth_it = self.unsaved.events > 0 || bytes >= WORTH_BYTES;
        let would_be_lost = at_the_end && bytes > 0;
        if !is_worth_it && !would_be_lost {
            return Ok(());
        }
        self.unsaved = DiskDay::default();
        // Should there be no room for it, nothing is lost: these are the whole counts, and the next
        // record holds them too.
        let changed = std::mem::take(&mut self.changed);
        let oldest = self.today.saturating_sub(DISK_DAYS - 1);
        let kept = self.days.split_off(&oldest);
        let gone = std::mem::replace(&mut self.days, kept);
        let days: Vec<_> = changed
            .into_iter()
            .filter_map(|day| Some((day, *self.days.get(&day)?)))
            .collect();
        for (day, counts) in days {
            tx.put(&DiskDayKey { day }, &counts)?;
        }
        for day in gone.into_keys() {
            tx.remove(&DiskDayKey { day });
        }
        Ok(())
    }
}

/// What the files of the database take.
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
    fn only_the_last_days_are_told() {
        let mut daily_writes = DailyWrites::default();
        for day in 0..100 {
            daily_writes.sampled(Some(u64::from(day)), Some(day));
        }
        let days = daily_writes.days();
        assert_eq!(days.len(), DISK_DAYS as usize);
        assert_eq!(days.first().map(|(day, _)| *day), Some(100 - DISK_DAYS));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_counts_what_we_write() {
        let meter = WriteMeter::open();
        // It is read anew each time, and never goes back.
        let first = meter.read().unwrap();
        assert!(meter.read().unwrap() >= first);
    }
}
