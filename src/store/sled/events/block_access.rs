//! Who may look at the blocks of events, and who may change them. One merge, erasure or sweep is at work at a time (`SledStore::compaction_lock`); it
//! reads and computes beside everybody else, and keeps readers away only while its step is written (`SledStore::block_lock`). Reports only ever
//! add blocks behind all others and ask nobody.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::model::{Erasure, EventQuery, Timestamp};
use crate::store::sled::SledStore;
use crate::store::sled::engine::disk_space::{STEP_BYTES, WriteClass, WriteCost};
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::events::compaction;
use crate::store::sled::events::erase;
use crate::store::sled::events::reader::Reader;
use crate::store::sled::events::resolver::Lookup;
use crate::store::sled::events::scan::Scan;
use crate::store::{Error, Result};

/// How much merging gives way: to 1 of 70 parts of a core that requests want too.
const GIVE_WAY: i32 = 19;

impl SledStore {
    /// What reads events, block by block.
    pub(crate) fn reader(&self) -> Reader {
        Reader::new(
            Lookup::new(&self.tree, &self.names),
            Arc::clone(&self.damage),
        )
    }

    /// A reading of all events that are asked for.
    pub(crate) fn scan(&self, query: EventQuery) -> Scan {
        Scan::begin(self.reader(), Arc::clone(&self.block_lock), query)
    }

    /// Reads events where it keeps nobody waiting, and while nobody changes blocks.
    pub(crate) async fn read_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Reader) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let reading = Arc::clone(&self.block_lock).read_owned().await;
        self.aside("read", 0, move |reader| {
            let read = read(reader);
            drop(reading);
            read
        })
        .await
    }

    /// Merges some of the loose blocks, with `all` also those that others may join. Whether there is more to do.
    pub(crate) async fn merge_some(&self, now: Timestamp, all: bool) -> Result<bool> {
        let _one_at_a_time = self.compaction_lock.lock().await;
        let merge = move |reader: &mut Reader| compaction::gather(reader.tree(), now, all);
        let merged = self.aside("merge", GIVE_WAY, merge).await?;
        if merged.replacements.is_empty() {
            return Ok(false);
        }
        // Nobody waits for it, so it leaves the last of a disk to those who log in.
        let cost = WriteCost {
            room: if all {
                WriteClass::Change
            } else {
                WriteClass::Events
            },
            bytes: STEP_BYTES + merged.bytes(),
        };
        let _exclusive = self.block_lock.write().await;
        let step = move |tx: &mut Transaction<'_>| compaction::replace(tx, merged);
        self.writer.step(cost, step).await?;
        Ok(true)
    }

    /// Removes some of the events that are meant, from the block `from` on: how many, and where there are more.
    pub(crate) async fn erase_some(
        &self,
        what: &Arc<Erasure>,
        from: Vec<u8>,
    ) -> Result<(u64, Option<Vec<u8>>)> {
        let _one_at_a_time = self.compaction_lock.lock().await;
        let meant = Arc::clone(what);
        let erase = move |reader: &mut Reader| erase::plan(reader, &meant, &from);
        let plan = self.aside("erase", GIVE_WAY, erase).await?;
        let is_last = plan.next.is_none();
        let forget = erase::is_complete(what).filter(|_| is_last);
        let _exclusive = self.block_lock.write().await;
        self.change(WriteClass::Reclaim, move |tx| {
            compaction::replace(tx, plan.merge)?;
            forget.map_or(Ok(()), |id| erase::forget_former(tx, id))
        })
        .await?;
        Ok((plan.events, plan.next))
    }

    /// Long work on a thread of its own, which gives way to whatever serves requests as far as nice(2) lets it.
    async fn aside<T: Send + 'static>(
        &self,
        name: &str,
        give_way: i32,
        work: impl FnOnce(&mut Reader) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = oneshot::channel();
        let mut reader = self.reader();
        let thread = std::thread::Builder::new().name(format!("doorward-{name}"));
        thread
            .spawn(move || {
                #[cfg(target_os = "linux")]
                let _ = rustix::process::nice(give_way);
                let _ = answer.send(work(&mut reader));
            })
            .map_err(|error| Error::Unusable(format!("no thread: {error}")))?;
        let gone = |_| Err(Error::Stopped("a thread panicked; see the log".into()));
        answered.await.unwrap_or_else(gone)
    }
}
