//! Removes events that are not kept any longer: merged blocks whose events are all too old, and the
//! oldest merged blocks while all blocks together are too large. Loose blocks are merged first,
//! within two hours of their arrival at the latest.

use crate::model::{Retention, Timestamp};
use crate::store::sled::engine::keys::{self, Key};
use crate::store::sled::engine::record;
use crate::store::sled::engine::transaction::{Change, Read, Transaction};
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::format::block_stats::{BlockKey, BlockStats};
use crate::store::{Result, Swept};

/// Merged blocks that one sweep looks at.
const SWEEP_BLOCKS: usize = 32;

/// Removes some of the blocks that are too old, and of the oldest ones while all together take more
/// than `keep.max_bytes`.
pub(crate) fn sweep(
    tx: &mut Transaction<'_>,
    log: &mut EventLog,
    now: Timestamp,
    keep: &Retention,
) -> Result<Swept> {
    let oldest = now.before(keep.events);
    let (start, end) = (keys::first::<BlockKey>(), keys::end::<BlockKey>());
    let mut removed = 0;
    for (key, stored) in tx.raw_range(&start, &end, SWEEP_BLOCKS)? {
        let Some(key) = BlockKey::parse(&key) else {
            continue;
        };
        // A damaged block is as old as its key says.
        let (latest, bytes) = match record::open(&key.bytes(), &stored) {
            Ok(BlockStats::Events { latest, bytes, .. }) => (latest, u64::from(bytes)),
            Ok(BlockStats::Damaged) | Err(_) => (key.at, 0),
        };
        if latest >= oldest && log.used_bytes() <= keep.max_bytes {
            continue;
        }
        let parts = tx.raw_range(&key.part(0).bytes(), &key.behind(), usize::MAX)?;
        for (part, _) in parts {
            tx.change(part, Change::Remove);
        }
        tx.remove(&key);
        log.change_block_bytes(bytes, 0);
        removed += 1;
    }
    Ok(Swept {
        removed,
        more: removed > 0,
    })
}
