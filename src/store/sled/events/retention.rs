//! Removes events that are not kept any longer: merged blocks whose events are all too old, and the
//! oldest merged blocks while events together take too much. Loose blocks are merged first, within
//! two hours of their arrival at the latest.
//!
//! Blocks stand in the order of arrival. That is the order of age too, unless the clock was wrong
//! for a while. So the oldest blocks are looked at in every sweep, and all others once an hour.

use std::time::Duration;

use sled::IVec;

use crate::model::Timestamp;
use crate::store::sled::engine::keys::{self, Key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record;
use crate::store::sled::engine::transaction::{Change, Transaction};
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::format::block_stats::{BlockKey, BlockStats};
use crate::store::{Result, Swept};

/// Merged blocks that one step looks at, and removes at most.
const STEP_BLOCKS: usize = 32;
/// How often all merged blocks are looked at.
const PASS_INTERVAL: Duration = Duration::from_hours(1);

/// The progress of the passes over all merged blocks.
#[derive(Default)]
pub(crate) struct RetentionPass {
    /// The first key that is not looked at yet; none while no pass is under way.
    next: Option<Vec<u8>>,
    /// When the last pass began.
    begun: Timestamp,
}

impl RetentionPass {
    /// Where the next step begins. None: no pass is due, and the step looks at the oldest blocks.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<Vec<u8>> {
        let since = now.since(self.begun).max(self.begun.since(now));
        if self.next.is_none() && since >= PASS_INTERVAL {
            self.next = Some(keys::first::<BlockKey>());
            self.begun = now;
        }
        self.next.clone()
    }

    /// Notes where the pass goes on; none: it is over.
    pub(crate) fn continue_at(&mut self, next: Option<Vec<u8>>) {
        self.next = next;
    }
}

/// Removes some of the blocks whose events are all older than `oldest`: a step of a pass, which
/// begins at `from` and returns where the next step begins, or of the oldest blocks only.
pub(crate) fn sweep(
    tx: &mut Transaction<'_>,
    log: &mut EventLog,
    from: Option<Vec<u8>>,
    oldest: Timestamp,
) -> Result<(Swept, Option<Vec<u8>>)> {
    let is_pass = from.is_some();
    let start = from.unwrap_or_else(keys::first::<BlockKey>);
    let blocks = tx.raw_range(&start, &keys::end::<BlockKey>(), STEP_BLOCKS)?;
    let mut removed = 0;
    for (key, stored) in &blocks {
        let block = MergedBlock::read(key, stored);
        if let Some(block) = block.filter(|block| block.latest < oldest) {
            block.remove(tx, log)?;
            removed += 1;
        }
    }
    let last = blocks.last().filter(|_| blocks.len() == STEP_BLOCKS);
    let next = last.filter(|_| is_pass).map(|(key, _)| keys::after(key));
    let more = removed > 0 || next.is_some();
    Ok((Swept { removed, more }, next))
}

/// Removes some of the oldest blocks while events take more than `max_bytes`. The order is that of
/// arrival: no clock decides.
pub(crate) fn trim(tx: &mut Transaction<'_>, log: &mut EventLog, max_bytes: u64) -> Result<Swept> {
    let mut removed = 0;
    if log.used_bytes() > max_bytes {
        let (start, end) = (keys::first::<BlockKey>(), keys::end::<BlockKey>());
        for (key, stored) in tx.raw_range(&start, &end, STEP_BLOCKS)? {
            let block = MergedBlock::read(&key, &stored);
            if let Some(block) = block.filter(|_| log.used_bytes() > max_bytes) {
                block.remove(tx, log)?;
                removed += 1;
            }
        }
    }
    let more = removed > 0;
    Ok(Swept { removed, more })
}

/// A merged block, as far as retention needs it.
struct MergedBlock {
    key: BlockKey,
    /// The moment of its latest event.
    latest: Timestamp,
    bytes: u64,
}

impl MergedBlock {
    /// Reads the record of a block's statistics; none if its key is malformed.
    fn read(key: &[u8], stored: &IVec) -> Option<MergedBlock> {
        let key = BlockKey::parse(key)?;
        // A damaged block is as old as its key says.
        let (latest, bytes) = match record::open(&key.bytes(), stored) {
            Ok(BlockStats::Events { latest, bytes, .. }) => (latest, u64::from(bytes)),
            Ok(BlockStats::Damaged) | Err(_) => (key.at, 0),
        };
        Some(MergedBlock { key, latest, bytes })
    }

    /// Removes the block with its parts.
    fn remove(self, tx: &mut Transaction<'_>, log: &mut EventLog) -> Result<()> {
        let (first, behind) = (self.key.part(0).bytes(), self.key.behind());
        for (part, _) in tx.raw_range(&first, &behind, usize::MAX)? {
            tx.change(part, Change::Remove);
        }
        tx.remove(&self.key);
        log.change_block_bytes(self.bytes, 0);
        Ok(())
    }
}
