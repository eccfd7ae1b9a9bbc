//! Coordinates readers and writers of blocks of events. One merge, erasure or sweep runs at a time
//! (`SledStore::compaction_lock`). It reads and computes while everything else goes on, and locks
//! readers out only while its step is written (`SledStore::block_lock`). A report only adds blocks
//! after all others and takes no lock.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::model::{AuditEntry, Erasure, EventQuery, Timestamp};
use crate::store::sled::SledStore;
use crate::store::sled::audit;
use crate::store::sled::engine::disk_space::{STEP_BYTES, WriteClass, WriteCost};
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::reader::Reader;
use crate::store::sled::events::resolver::Resolver;
use crate::store::sled::events::scan::Scan;
use crate::store::sled::events::{compaction, erase};
use crate::store::{Error, Result};

/// The nice(2) value of merging and erasing: about 1/70 of a core that requests need too.
pub(crate) const BACKGROUND_NICE: i32 = 19;

impl SledStore {
    /// A resolver of the numbers in blocks.
    pub(crate) fn resolver(&self) -> Resolver {
        Resolver::new(&self.tree, &self.names, self.users)
    }

    /// A reader of events, block by block.
    fn reader(&self) -> Reader {
        Reader::new(self.resolver(), Arc::clone(&self.damage))
    }

    /// A scan of all events that a query asks for.
    pub(crate) fn scan(&self, query: EventQuery) -> Scan {
        Scan::new(self.reader(), Arc::clone(&self.block_lock), query)
    }

    /// Runs `read` on a thread of its own. No merge, erasure or sweep changes blocks meanwhile.
    pub(crate) async fn read_blocks<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Reader) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let reading = Arc::clone(&self.block_lock).read_owned().await;
        self.on_thread("read", 0, move |reader| {
            let read = read(reader);
            drop(reading);
            read
        })
        .await
    }

    /// Merges some of the loose blocks; with `all`, also the last ones, although later blocks could
    /// still join them. True: there may be more to merge.
    pub(crate) async fn merge_some(&self, now: Timestamp, all: bool) -> Result<bool> {
        let _one_at_a_time = self.compaction_lock.lock().await;
        let gather = move |reader: &mut Reader| compaction::gather(reader.tree(), now, all);
        let merge = self.on_thread("merge", BACKGROUND_NICE, gather).await?;
        if merge.replacements.is_empty() {
            return Ok(false);
        }
        // Background work must not use the space reserved for accounts and tokens.
        let cost = WriteCost {
            class: if all {
                WriteClass::Change
            } else {
                WriteClass::Events
            },
            bytes: STEP_BYTES + merge.bytes(),
        };
        let _exclusive = self.block_lock.write().await;
        let step =
            move |tx: &mut Transaction<'_>, log: &mut EventLog| compaction::replace(tx, log, merge);
        self.writer.step(cost, step).await?;
        Ok(true)
    }

    /// Erases some of the matching events, from the block `from` on. Returns how many it erased,
    /// and the key of the next block to look at; none: nothing follows.
    pub(crate) async fn erase_some(
        &self,
        what: &Arc<Erasure>,
        from: Vec<u8>,
        entry: &mut Option<AuditEntry>,
    ) -> Result<(u64, Option<Vec<u8>>)> {
        let _one_at_a_time = self.compaction_lock.lock().await;
        let erasure = Arc::clone(what);
        let plan = move |reader: &mut Reader| erase::plan(reader, &erasure, &from);
        let plan = self.on_thread("erase", BACKGROUND_NICE, plan).await?;
        let is_last = plan.next.is_none();
        let former = erase::leaves_nothing_of(what).filter(|_| is_last);
        let users = self.users;
        let entry = if plan.events > 0 { entry.take() } else { None };
        let _exclusive = self.block_lock.write().await;
        let step = move |tx: &mut Transaction<'_>, log: &mut EventLog| {
            compaction::replace(tx, log, plan.merge)?;
            if let Some(entry) = entry {
                audit::log::append(tx, &entry)?;
            }
            former.map_or(Ok(()), |id| users.forget_former(tx, id))
        };
        self.change_events(WriteClass::Reclaim, step).await?;
        if plan.events > 0 {
            self.names.note_removal();
        }
        Ok((plan.events, plan.next))
    }

    /// Runs long work on a thread of its own, with this nice(2) value.
    pub(crate) async fn on_thread<T: Send + 'static>(
        &self,
        name: &str,
        nice: i32,
        work: impl FnOnce(&mut Reader) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let mut reader = self.reader();
        let thread = std::thread::Builder::new().name(format!("doorward-{name}"));
        thread
            .spawn(move || {
                #[cfg(target_os = "linux")]
                let _ = rustix::process::nice(nice);
                let _ = answer.send(work(&mut reader));
            })
            .map_err(|error| Error::Unusable(format!("cannot start a thread: {error}")))?;
        let panicked = |_| Err(Error::Stopped("a thread panicked; see the log".into()));
        answered.await.unwrap_or_else(panicked)
    }
}
