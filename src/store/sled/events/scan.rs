//! Reading many events in one go: nothing is kept but the block at hand and what its numbers stand for. Between two bites of it blocks may
//! be merged or removed; it goes on behind the last position that it has told.

use std::sync::Arc;

use tokio::sync::RwLock;

use crate::model::{EventQuery, EventRow};
use crate::store::sled::events::reader::Reader;
use crate::store::{Advanced, EventScan, Outcome};

/// What one bite of a scan may spend on looking: some ten blocks.
const SCAN_LOOKS: usize = 20_000;

/// A reading of all events that a question asks for.
pub(crate) struct Scan {
    reader: Reader,
    shelves: Arc<RwLock<()>>,
    query: EventQuery,
}

impl Scan {
    /// One that has not begun. The query's limit is not looked at.
    pub(crate) fn begin(reader: Reader, shelves: Arc<RwLock<()>>, query: EventQuery) -> Scan {
        Scan {
            reader,
            shelves,
            query: EventQuery {
                limit: usize::MAX,
                ..query
            },
        }
    }
}

impl EventScan for Scan {
    fn advance(&mut self, tell: &mut dyn FnMut(&EventRow<'_>)) -> Outcome<Advanced> {
        let _quiet = self.shelves.blocking_read();
        let walked = self.reader.walk(&self.query, SCAN_LOOKS, tell)?;
        if walked.next.is_some() {
            self.query.after = walked.next;
        }
        Ok(Advanced {
            more: walked.next.is_some(),
            damaged_blocks: walked.damaged_blocks,
        })
    }
}
