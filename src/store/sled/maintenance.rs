//! Upkeep of the store: single values, the sweep over all records, health, and closing.

use async_trait::async_trait;

use crate::model::{DiskUse, Retention, Timestamp};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::{resets, tokens};
use crate::store::sled::engine::disk_space::{self, DiskPressure, WriteClass};
use crate::store::sled::engine::expiry;
use crate::store::sled::engine::keys::{MetaKey, meta};
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::{Read, Transaction};
use crate::store::sled::events::counts::counters;
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::{dedup, disk_writes, idempotency, retention};
use crate::store::{Health, Maintenance, Result, Swept, SystemValue};

/// The slot of a value that the service keeps.
fn slot_of(which: SystemValue) -> MetaKey<Vec<u8>> {
    meta(match which {
        SystemValue::SigningSeed => MetaSlot::SigningSeed,
        SystemValue::AdminHash => MetaSlot::AdminHash,
        SystemValue::FingerprintSalt => MetaSlot::FingerprintSalt,
    })
}

/// Removes some of the records of each kind that need not be kept any longer.
fn sweep(
    tx: &mut Transaction<'_>,
    log: &mut EventLog,
    now: Timestamp,
    keep: &Retention,
) -> Result<Swept> {
    let sweeps = [
        dedup::sweep(tx, now)?,
        expiry::sweep(tx, now, remove_expired)?,
        retention::sweep(tx, log, now, keep)?,
        counters::sweep(tx, &mut log.counters, now.before(keep.counts).hour())?,
    ];
    Ok(Swept {
        removed: sweeps.iter().map(|it| it.removed).sum(),
        more: sweeps.iter().any(|it| it.more),
    })
}

/// Removes an expired record of any kind.
fn remove_expired(tx: &mut Transaction<'_>, key: &[u8]) -> Result<()> {
    let removes = [
        tokens::remove_expired,
        resets::remove_expired,
        idempotency::remove_expired,
    ];
    for remove in removes {
        if remove(tx, key)? {
            break;
        }
    }
    Ok(())
}

#[async_trait]
impl Maintenance for SledStore {
    async fn keep_system_value(&self, which: SystemValue, value: Vec<u8>) -> Result<Vec<u8>> {
        let key = slot_of(which);
        let step = move |tx: &mut Transaction<'_>| match tx.fetch(&key)? {
            Some(kept) => Ok(kept),
            None => tx.put(&key, &value).map(|()| value),
        };
        self.change(WriteClass::Reclaim, step).await
    }

    async fn find_system_value(&self, which: SystemValue) -> Result<Option<Vec<u8>>> {
        self.tree.fetch(&slot_of(which))
    }

    async fn disk_use(&self, now: Timestamp) -> Result<DiskUse> {
        let meter = self.meter.clone();
        // The step puts nothing, so it costs no write and succeeds on a full disk too.
        let count = move |_: &mut Transaction<'_>, log: &mut EventLog| {
            log.daily_writes.sample(&meter, Some(now.day()));
            Ok((log.totals.events, log.daily_writes.days()))
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
        let _one_at_a_time = self.compaction_lock.lock().await;
        let _exclusive = self.block_lock.write().await;
        let meter = self.meter.clone();
        let step = move |tx: &mut Transaction<'_>, log: &mut EventLog| {
            log.daily_writes.sample(&meter, Some(now.day()));
            log.daily_writes.save(tx, false)?;
            sweep(tx, log, now, &keep)
        };
        self.change_events(WriteClass::Reclaim, step).await
    }

    fn damaged_blocks(&self) -> usize {
        self.damage.blocks()
    }

    fn under_way(&self) -> Option<u64> {
        self.writer.under_way()
    }

    fn health(&self) -> Health {
        match self.writer.failure() {
            Some(reason) => Health::Stopped(reason.to_owned()),
            None => match self.writer.pressure() {
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
        let meter = self.meter.clone();
        let last = move |tx: &mut Transaction<'_>, log: &mut EventLog| {
            log.daily_writes.sample(&meter, None);
            log.daily_writes.save(tx, true)
        };
        if let Err(error) = self.change_events(WriteClass::Reclaim, last).await {
            log::warn!("the count of bytes written is not saved: {error}");
        }
        self.writer.close().await;
    }
}
