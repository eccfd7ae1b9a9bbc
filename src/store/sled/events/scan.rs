//! Reading many events in one go: nothing is kept but the block at hand and what its numbers stand
//! for. Between two bites of it blocks may be merged or removed; it goes on behind the last
//! position that it has told.

use std::sync::Arc;

use tokio::sync::RwLock;

use crate::model::{EventQuery, EventRow};
use crate::store::sled::events::reader::Reader;
use crate::store::{EventScan, Result, ScanProgress};

/// What one bite of a scan may spend on looking: some ten blocks.
const SCAN_BUDGET: usize = 20_000;

/// A reading of all events that a question asks for.
pub(crate) struct Scan {
    reader: Reader,
    block_lock: Arc<RwLock<()>>,
    query: EventQuery,
}

impl Scan {
    /// One that has not begun. The query's limit is not looked at.
    pub(crate) fn new(reader: Reader, block_lock: Arc<RwLock<()>>, query: EventQuery) -> Scan {
        Scan {
            reader,
            block_lock,
            query: EventQuery {
                limit: usize::MAX,
                ..query
            },
        }
    }
}

impl EventScan for Scan {
    fn advance(&mut self, emit: &mut dyn FnMut(&EventRow<'_>)) -> Result<ScanProgress> {
        let _reading = self.block_lock.blocking_read();
        let progress = self.reader.walk(&self.query, SCAN_BUDGET, emit)?;
        if progress.next.is_some() {
            self.query.after = progress.next;
        }
        Ok(ScanProgress {
            more: progress.next.is_some(),
            damaged_blocks: progress.damaged_blocks,
        })
    }
}
