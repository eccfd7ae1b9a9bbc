//! Reads many events in one pass, and keeps in memory only the current block and the resolved names
//! and ids. Blocks may be merged or removed between calls to `advance`; the scan resumes after the
//! last position it reached.

use std::sync::Arc;

use tokio::sync::RwLock;

use crate::model::{EventQuery, EventRow};
use crate::store::sled::events::reader::Reader;
use crate::store::{EventScan, Result, ScanProgress};

/// The work limit of one call to `advance`, in the units of a page's budget: about ten blocks.
const SCAN_BUDGET: usize = 20_000;

/// A scan of all events that a query asks for.
pub(crate) struct Scan {
    reader: Reader,
    block_lock: Arc<RwLock<()>>,
    query: EventQuery,
}

impl Scan {
    /// A scan that has not begun. It ignores the query's limit.
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
