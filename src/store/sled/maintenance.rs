//! Upkeep of the store: single values, the sweep over all records, health, and closing.

use async_trait::async_trait;
use tokio::sync::{MutexGuard, RwLockWriteGuard};

use crate::model::{DiskUse, Retention, Timestamp};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::{ended, made_invites, resets, tokens};
use crate::store::sled::engine::disk_space::{self, DiskPressure, WriteClass};
use crate::store::sled::engine::keys::{MetaKey, meta};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::registry::{KeyKind, MetaSlot};
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::{expiry, newest_moment};
use crate::store::sled::events::block_iter::newest_block;
use crate::store::sled::events::counts::counters;
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::remembered::Remember;
use crate::store::sled::events::{disk_writes, id_rows, idempotency, retention};
use crate::store::{Health, Maintenance, RecordCounts, Result, Swept, SystemValue};
use crate::sync::lock;

/// The slot of a value that the service keeps.
fn slot_of(which: SystemValue) -> MetaKey<Vec<u8>> {
    meta(match which {
        SystemValue::AdminHash => MetaSlot::AdminHash,
        SystemValue::FingerprintSalt => MetaSlot::FingerprintSalt,
    })
}

/// Removes some of the ids of events that need not be remembered any longer.
fn sweep_ids(tx: &mut Transaction<'_>, log: &mut EventLog, now: Timestamp) -> Result<Swept> {
    let yesterday = now.day().saturating_sub(1);
    log.remember(Remember::ForgetIdsBefore(yesterday))?;
    id_rows::sweep(tx, yesterday)
}

/// Removes some of the records that have expired. With `remember`, their ends are remembered.
fn sweep_expired(
    tx: &mut Transaction<'_>,
    log: &mut EventLog,
    now: Timestamp,
    remember: bool,
) -> Result<Swept> {
    expiry::sweep(tx, now, |tx, key| {
        if let Some(holder) = idempotency::remove_expired(tx, key)? {
            log.remember(Remember::ForgetPromise(holder))?;
        } else if !tokens::remove_expired(tx, key, remember)?
            && !resets::remove_expired(tx, key, remember)?
        {
            made_invites::remove_expired(tx, key, remember)?;
        }
        Ok(())
    })
}

/// The parts of a sweep.
impl SledStore {
    /// Waits until no merge and no erasure runs, and locks readers of blocks out.
    async fn lock_blocks(&self) -> (MutexGuard<'_, ()>, RwLockWriteGuard<'_, ()>) {
        let one_at_a_time = self.compaction_lock.lock().await;
        (one_at_a_time, self.block_lock.write().await)
    }

    /// Counts what was written today and saves the counts of all days. With `expire`, it removes
    /// those of days that are too old: `now` must be of a trusted clock.
    async fn save_days(&self, now: Timestamp, expire: bool) -> Result<()> {
        let meter = self.meter.clone();
        let save = move |tx: &mut Transaction<'_>, log: &mut EventLog| {
            log.daily_writes.sample(&meter, Some(now.day()));
            if expire {
                log.daily_writes.expire(now.day());
            }
            log.save_days(tx, false)
        };
        self.change_events(WriteClass::Reclaim, save).await
    }

    /// Removes some of the oldest blocks while all together take too much.
    async fn trim_blocks(&self, max_bytes: u64) -> Result<Swept> {
        let trim =
            move |tx: &mut Transaction<'_>, log: &mut EventLog| retention::trim(tx, log, max_bytes);
        self.change_events(WriteClass::Reclaim, trim).await
    }

    /// Removes the names that nothing refers to after these sweeps of events and counts.
    async fn after_removal<const N: usize>(&self, sweeps: [&Swept; N]) -> Result<()> {
        if sweeps.iter().any(|it| it.removed > 0) {
            self.names.note_removal();
        }
        self.remove_unused_names().await
    }
}

#[async_trait]
impl Maintenance for SledStore {
    async fn keep_system_value(&self, which: SystemValue, value: Vec<u8>) -> Result<Vec<u8>> {
        let key = slot_of(which);
        // A damaged value is of no use to anyone: the new one takes its place.
        let step = move |tx: &mut Transaction<'_>| match tx.fetch_readable(&key)? {
            Some(kept) => Ok(kept),
            None => tx.put(&key, &value).map(|()| value),
        };
        self.change(WriteClass::Reclaim, step).await
    }

    async fn find_system_value(&self, which: SystemValue) -> Result<Option<Vec<u8>>> {
        self.tree.fetch_readable(&slot_of(which))
    }

    async fn disk_use(&self, now: Timestamp) -> Result<DiskUse> {
        let meter = self.meter.clone();
        // The step puts nothing, so it costs no write and succeeds on a full disk too.
        let count = move |_: &mut Transaction<'_>, log: &mut EventLog| {
            log.daily_writes.sample(&meter, Some(now.day()));
            Ok((log.totals().events, log.daily_writes.days()))
        };
        let (events_stored, days) = self.change_events(WriteClass::Reclaim, count).await?;
        Ok(DiskUse {
            disk_bytes: disk_writes::disk_bytes(&self.path).unwrap_or(0),
            free_bytes: disk_space::free_bytes_of(&self.path)(),
            events_stored,
            days,
        })
    }

    async fn sweep(&self, now: Timestamp, keep: Retention) -> Result<Swept> {
        let exclusive = self.lock_blocks().await;
        let reclaim = WriteClass::Reclaim;
        // A step of each kind, so that none is too large for the last of a nearly full disk. They
        // are handed over together and share a flush.
        let from = lock(&self.retention_pass).next(now);
        // A sweep must free space on a full disk.
        let remember = self.writer.pressure() == DiskPressure::Nothing;
        let ends = self.recount.count_of(KeyKind::Ended).unwrap_or(0);
        let forget = now.before(keep.ended);
        let (days, ids, expired, ended, large, old, counts) = tokio::join!(
            self.save_days(now, true),
            self.change_events(reclaim, move |tx, log| sweep_ids(tx, log, now)),
            self.change_events(reclaim, move |tx, log| sweep_expired(
                tx, log, now, remember
            )),
            self.change(reclaim, move |tx| ended::sweep(tx, forget, ends)),
            self.trim_blocks(keep.max_bytes),
            self.change_events(reclaim, move |tx, log| {
                retention::sweep(tx, log, from, now.before(keep.events))
            }),
            self.change_events(reclaim, move |tx, log| {
                counters::sweep(tx, &mut log.counters, now.before(keep.counts).hour())
            }),
        );
        days?;
        let (old, next) = old?;
        lock(&self.retention_pass).continue_at(next);
        drop(exclusive);
        let sweeps = [ids?, expired?, ended?, large?, old, counts?];
        let [_, _, _, large, old, counts] = &sweeps;
        self.after_removal([large, old, counts]).await?;
        Ok(Swept {
            removed: sweeps.iter().map(|it| it.removed).sum(),
            more: sweeps.iter().any(|it| it.more),
        })
    }

    async fn trim(&self, now: Timestamp, max_bytes: u64) -> Result<Swept> {
        let exclusive = self.lock_blocks().await;
        let (days, large) = tokio::join!(self.save_days(now, false), self.trim_blocks(max_bytes));
        days?;
        let large = large?;
        drop(exclusive);
        self.after_removal([&large]).await?;
        Ok(large)
    }

    fn record_counts(&self) -> Option<RecordCounts> {
        Some(RecordCounts {
            users: self.recount.count_of(KeyKind::User)?,
            tokens: self.recount.count_of(KeyKind::Token)?,
        })
    }

    async fn round_trip(&self) -> Result<()> {
        // Of this class, it neither waits for other writes nor for space on the disk.
        self.change(WriteClass::Reclaim, |_| Ok(())).await
    }

    fn newest_moment(&self) -> Result<Option<Timestamp>> {
        match newest_moment::stored(&self.tree)? {
            Some(kept) => Ok(Some(kept)),
            None => Ok(newest_block(&self.tree)?.map(|block| block.at)),
        }
    }

    fn note_moment(&self, moment: Timestamp) {
        self.noted_moment.note(moment);
    }

    fn damaged_blocks(&self) -> usize {
        self.damage.count()
    }

    fn damaged_records(&self) -> usize {
        self.tree.damaged().count()
    }

    fn under_way(&self) -> Option<u64> {
        self.writer.under_way()
    }

    fn health(&self) -> Health {
        match self.writer.failure() {
            Some(reason) => Health::Stopped(reason.to_owned()),
            None => match self.writer.pressure() {
                DiskPressure::Nothing if self.loss.get().is_some() => Health::Damaged,
                DiskPressure::Nothing => Health::Fine,
                DiskPressure::Events => Health::NoEvents,
                DiskPressure::Changes => Health::Full,
            },
        }
    }

    async fn stopped(&self) -> String {
        self.writer.failed().await
    }

    async fn close(&self) {
        drop(lock(&self.recount_thread).take());
        let meter = self.meter.clone();
        let last = move |tx: &mut Transaction<'_>, log: &mut EventLog| {
            log.daily_writes.sample(&meter, None);
            log.newest_moment.save(tx)?;
            log.save_days(tx, true)
        };
        if let Err(error) = self.change_events(WriteClass::Reclaim, last).await {
            log::warn!("the newest moment and the count of bytes written are not saved: {error}");
        }
        self.writer.close().await;
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::mpsc::channel;
    use std::task::Poll;

    use super::*;
    use crate::store::sled::options::StoreOptions;

    #[tokio::test]
    async fn a_round_trip_ends_when_the_writer_has_come_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let store = SledStore::open(directory.path(), StoreOptions::default());
        let store = store.await.unwrap();
        let (release, released) = channel::<()>();
        let hang = store.change(WriteClass::Reclaim, move |_| {
            // An error means the same: the test goes on.
            let _ = released.recv();
            Ok(())
        });
        let mut hang = pin!(hang);
        let mut round_trip = pin!(store.round_trip());
        for _ in 0..100 {
            let (first, second) = poll_fn(|context| {
                Poll::Ready((
                    hang.as_mut().poll(context),
                    round_trip.as_mut().poll(context),
                ))
            })
            .await;
            assert!(first.is_pending() && second.is_pending());
            tokio::task::yield_now().await;
        }
        drop(release);
        hang.await.unwrap();
        round_trip.await.unwrap();
    }
}
