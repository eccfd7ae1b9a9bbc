//! Delivers events to live listeners. After a group is on the disk, the writer hands its blocks
//! over in their stored form; each listener unpacks them itself. The queue of a listener is bounded
//! in bytes. For events that do not fit, it holds a count at their place between the blocks.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::model::limits;
use crate::store::Result;
use crate::store::sled::engine::keys::Key;
use crate::store::sled::engine::read::RawEntry;
use crate::store::sled::engine::record;
use crate::store::sled::events::format::block::{self, Block};
use crate::store::sled::events::format::block_stats::BlockKey;
use crate::store::sled::events::format::parts::{BlockPartKey, Part};
use crate::sync::lock;

/// Bytes that a block takes in a queue in addition to its keys and values.
const OVERHEAD_BYTES: usize = 128;
/// A block that the writer placed, in its stored form.
pub(crate) struct CommittedBlock {
    key: BlockKey,
    parts: Vec<RawEntry>,
    events: u64,
    bytes: usize,
}

impl CommittedBlock {
    /// Joins and unpacks its parts.
    pub(crate) fn open(&self) -> Result<Block> {
        let mut joined = Vec::with_capacity(self.bytes);
        for (key, stored) in &self.parts {
            let Part(bytes) = record::open(key, stored)?;
            joined.extend_from_slice(&bytes);
        }
        Block::open(self.key.clone(), &joined)
    }
}

/// The blocks among the entries that a group places.
pub(crate) fn committed_blocks(placed: &[RawEntry]) -> Vec<Arc<CommittedBlock>> {
    let mut blocks: Vec<CommittedBlock> = Vec::new();
    for (bytes, stored) in placed {
        let Some(part) = BlockPartKey::parse(bytes) else {
            continue;
        };
        let key = part.block();
        if blocks.last().is_none_or(|last| last.key != key) {
            blocks.push(CommittedBlock {
                key,
                parts: Vec::new(),
                events: block::events_in(record::body_of(stored)),
                bytes: OVERHEAD_BYTES,
            });
        }
        if let Some(block) = blocks.last_mut() {
            block.bytes += bytes.len() + stored.len();
            block.parts.push((bytes.clone(), stored.clone()));
        }
    }
    blocks.into_iter().map(Arc::new).collect()
}

/// All live listeners.
pub(crate) struct Live {
    /// The last group that was begun.
    begun: AtomicU64,
    listening: AtomicUsize,
    queues: Mutex<Vec<Arc<Queue>>>,
}

impl Live {
    /// No listeners yet; `sequence` is the last group that was written.
    pub(crate) fn new(sequence: u64) -> Live {
        Live {
            begun: AtomicU64::new(sequence),
            listening: AtomicUsize::new(0),
            queues: Mutex::default(),
        }
    }

    /// Records that a group is being placed, and returns whether there are listeners. Without
    /// listeners the writer does nothing else for them.
    pub(crate) fn begin(&self, sequence: u64) -> bool {
        self.begun.store(sequence, Ordering::SeqCst);
        self.listening.load(Ordering::SeqCst) > 0
    }

    /// Hands a group's blocks, which are on the disk, to all listeners. It never waits for a
    /// listener.
    pub(crate) fn publish(&self, committed_blocks: &[Arc<CommittedBlock>]) {
        if committed_blocks.is_empty() {
            return;
        }
        for queue in self.queues().iter() {
            queue.take(committed_blocks);
        }
    }

    /// A queue for one more listener.
    pub(crate) fn register(&self) -> Arc<Queue> {
        let mut queues = self.queues();
        self.listening.store(queues.len() + 1, Ordering::SeqCst);
        // This stores `listening`, then loads `begun`; `begin` stores `begun`, then loads
        // `listening`. So a group whose number is not seen here has seen the listener.
        let since = self.begun.load(Ordering::SeqCst);
        let queue = Arc::new(Queue::new(since));
        queues.push(Arc::clone(&queue));
        queue
    }

    pub(crate) fn leave(&self, queue: &Arc<Queue>) {
        let mut queues = self.queues();
        queues.retain(|known| !Arc::ptr_eq(known, queue));
        self.listening.store(queues.len(), Ordering::SeqCst);
    }

    fn queues(&self) -> MutexGuard<'_, Vec<Arc<Queue>>> {
        lock(&self.queues)
    }
}

/// The blocks and counts that wait for one listener.
pub(crate) struct Queue {
    /// The queue takes blocks only of groups after this one.
    pub(crate) since: u64,
    waiting: Mutex<Waiting>,
    notify: Notify,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
    bytes: usize,
}

/// An entry of a listener's queue.
pub(crate) enum Item {
    /// Events that were stored.
    Block(Arc<CommittedBlock>),
    /// So many events did not fit here.
    Missed(u64),
}

impl Queue {
    fn new(since: u64) -> Queue {
        Queue {
            since,
            waiting: Mutex::default(),
            notify: Notify::new(),
        }
    }

    fn take(&self, committed_blocks: &[Arc<CommittedBlock>]) {
        let mut waiting = self.waiting();
        for block in committed_blocks
            .iter()
            .filter(|it| it.key.sequence > self.since)
        {
            if waiting.bytes + block.bytes <= limits::LIVE_BUFFER_BYTES {
                waiting.bytes += block.bytes;
                waiting.items.push_back(Item::Block(Arc::clone(block)));
            } else if let Some(Item::Missed(count)) = waiting.items.back_mut() {
                *count += block.events;
            } else {
                waiting.items.push_back(Item::Missed(block.events));
            }
        }
        drop(waiting);
        self.notify.notify_one();
    }

    /// Waits for the next item.
    pub(crate) async fn item(&self) -> Item {
        loop {
            if let Some(item) = self.next() {
                return item;
            }
            // `Notify` keeps a notification that arrives between `next` and this line.
            self.notify.notified().await;
        }
    }

    fn next(&self) -> Option<Item> {
        let mut waiting = self.waiting();
        let item = waiting.items.pop_front();
        if let Some(Item::Block(block)) = &item {
            waiting.bytes -= block.bytes;
        }
        item
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        lock(&self.waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn block(sequence: u64, events: u64, bytes: usize) -> Arc<CommittedBlock> {
        let key = BlockKey {
            at: Timestamp::default(),
            sequence,
            index: 0,
        };
        Arc::new(CommittedBlock {
            key,
            parts: Vec::new(),
            events,
            bytes,
        })
    }

    fn items(queue: &Queue) -> Vec<(bool, u64)> {
        std::iter::from_fn(|| queue.next())
            .map(|item| match item {
                Item::Block(block) => (true, block.key.sequence),
                Item::Missed(count) => (false, count),
            })
            .collect()
    }

    #[test]
    fn what_does_not_fit_is_counted_in_its_place() {
        let queue = Queue::new(0);
        let half = limits::LIVE_BUFFER_BYTES / 2;
        queue.take(&[block(1, 5, half), block(2, 5, half)]);
        queue.take(&[block(3, 7, half), block(4, 8, 1)]);
        assert!(matches!(queue.next(), Some(Item::Block(_))));
        queue.take(&[block(5, 2, half), block(6, 3, half)]);
        assert_eq!(
            items(&queue),
            [(true, 2), (false, 15), (true, 5), (false, 3)]
        );
        queue.take(&[block(7, 1, 2 * half)]);
        assert_eq!(items(&queue), [(true, 7)]);
    }

    #[test]
    fn a_group_that_began_before_is_not_for_who_comes_after() {
        let live = Live::new(6);
        assert!(!live.begin(7));
        let queue = live.register();
        live.publish(&[block(7, 1, 1)]);
        assert!(live.begin(8));
        live.publish(&[block(8, 1, 1)]);
        assert_eq!(items(&queue), [(true, 8)]);
        live.leave(&queue);
        assert!(!live.begin(9));
    }
}
