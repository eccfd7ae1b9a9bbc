//! The store as a whole: the state that its parts share, and the two ways to run a step.

use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};

use tokio::sync::{Mutex, RwLock};
use tokio::task::spawn_blocking;

use crate::model::{Digest, Token, User, UserId};
use crate::store::sled::accounts::exchanges::Exchanges;
use crate::store::sled::audit::feed::AuditFeed;
use crate::store::sled::engine::cache::Cache;
use crate::store::sled::engine::damaged::Damaged;
use crate::store::sled::engine::disk_space::{STEP_BYTES, WriteClass, WriteCost};
use crate::store::sled::engine::newest_moment::NotedMoment;
use crate::store::sled::engine::recount::Recount;
use crate::store::sled::engine::stoppable_thread::StoppableThread;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::engine::writer::Writer;
use crate::store::sled::events::counts::names::Names;
use crate::store::sled::events::disk_writes::WriteMeter;
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::known_ids::KnownIds;
use crate::store::sled::events::live::Live;
use crate::store::sled::events::retention::RetentionPass;
use crate::store::sled::events::user_directory::UserDirectory;
use crate::store::{Error, Result};

/// Bytes of a cached token or account, with its place in the maps.
const CACHED_BYTES: u64 = 512;
/// Each of the two caches may take the memory budget divided by this.
const CACHE_SHARE: u64 = 8;

/// The store on sled.
pub struct SledStore {
    pub(crate) path: PathBuf,
    pub(crate) meter: WriteMeter,
    pub(crate) tree: Tree,
    pub(crate) writer: Writer<EventLog>,
    pub(crate) caches: Arc<Caches>,
    pub(crate) exchanges: Arc<Exchanges>,
    pub(crate) admin_epoch: AtomicU32,
    pub(crate) hub_epoch: AtomicU32,
    /// The numbers of event names.
    pub(crate) names: Arc<Names>,
    /// The ids of stored events.
    pub(crate) known_ids: Arc<KnownIds>,
    /// What is lost: known when the store was opened in spite of it, or found since.
    pub(crate) loss: Arc<OnceLock<String>>,
    /// How many records there are.
    pub(crate) recount: Arc<Recount>,
    /// Counts the records of a large database.
    pub(crate) recount_thread: std::sync::Mutex<Option<StoppableThread>>,
    /// The damaged blocks that were found.
    pub(crate) damage: Arc<Damaged>,
    /// The listeners of live events.
    pub(crate) live: Arc<Live>,
    /// The listeners of the audit log.
    pub(crate) audit_feed: Arc<AuditFeed>,
    /// The newest moment that was noted.
    pub(crate) noted_moment: NotedMoment,
    /// The progress of the sweep over all merged blocks.
    pub(crate) retention_pass: std::sync::Mutex<RetentionPass>,
    /// The users that events name.
    pub(crate) users: &'static dyn UserDirectory,
    /// Held by the one merge, erasure or sweep that is running.
    pub(crate) compaction_lock: Mutex<()>,
    /// Read-locked to read blocks of events, write-locked to replace or remove them. A report only
    /// adds blocks and does not take it.
    pub(crate) block_lock: Arc<RwLock<()>>,
}

/// The tokens and accounts that are cached in memory.
pub(crate) struct Caches {
    pub(crate) tokens: Cache<Digest, Arc<Token>>,
    pub(crate) users: Cache<UserId, Arc<User>>,
}

impl Caches {
    /// Empty caches, bounded by their share of the memory budget.
    pub(crate) fn new(memory_budget: u64) -> Caches {
        let entries = memory_budget / CACHE_SHARE / CACHED_BYTES;
        let entries = usize::try_from(entries).unwrap_or(1 << 16);
        Caches {
            tokens: Cache::new(entries),
            users: Cache::new(entries),
        }
    }
}

/// Reads a list on a thread that may wait for the disk.
pub(crate) async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let panicked = |_| Err(Error::Corrupt("a list panicked; see the log".into()));
    spawn_blocking(read).await.unwrap_or_else(panicked)
}

impl SledStore {
    /// Runs a step of ordinary size that does not touch the event log, and waits until it is on the
    /// disk.
    pub(crate) async fn change<T, F>(&self, class: WriteClass, step: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    {
        self.change_events(class, |tx, _| step(tx)).await
    }

    /// Runs a step of ordinary size that touches the event log, and waits until it is on the disk.
    pub(crate) async fn change_events<T, F>(&self, class: WriteClass, step: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>, &mut EventLog) -> Result<T> + Send + 'static,
    {
        let bytes = STEP_BYTES;
        self.writer.step(WriteCost { class, bytes }, step).await
    }
}
