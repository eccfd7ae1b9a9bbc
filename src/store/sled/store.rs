//! The store as a whole: what its rooms share, and the two ways to hand the writer a step.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use sled::Tree;
use tokio::sync::{Mutex, RwLock};

use crate::model::{Digest, Token, User, UserId};
use crate::store::Result;
use crate::store::sled::engine::cache::Cache;
use crate::store::sled::engine::disk_space::{STEP_BYTES, WriteClass, WriteCost};
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::writer::Writer;
use crate::store::sled::events::counts::names::Names;
use crate::store::sled::events::damage::Damage;
use crate::store::sled::events::disk_writes::WriteMeter;
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::live::Live;
use crate::store::sled::events::user_directory::UserDirectory;

/// A cached token or account with its place in the maps, in bytes.
const CACHED_BYTES: u64 = 512;
/// The part of the memory budget that each of the two caches may take.
const CACHE_SHARE: u64 = 8;

/// The store on sled.
pub struct SledStore {
    pub(crate) path: PathBuf,
    pub(crate) meter: WriteMeter,
    pub(crate) tree: Tree,
    pub(crate) writer: Writer<EventLog>,
    pub(crate) caches: Arc<Caches>,
    pub(crate) admin_epoch: AtomicU32,
    pub(crate) hub_epoch: AtomicU32,
    /// The numbers of event names.
    pub(crate) names: Arc<Names>,
    /// The damaged blocks that were met.
    pub(crate) damage: Arc<Damage>,
    /// The listeners of live events.
    pub(crate) live: Arc<Live>,
    /// The users that events name.
    pub(crate) users: &'static dyn UserDirectory,
    /// Held by the one merge, erasure or sweep that is at work.
    pub(crate) compaction_lock: Mutex<()>,
    /// Read by whatever reads blocks of events; written while some are swapped or removed. A report
    /// only adds blocks and takes neither.
    pub(crate) block_lock: Arc<RwLock<()>>,
}

/// The live tokens and accounts in memory.
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

impl SledStore {
    /// Hands over a step of ordinary size that adds no events.
    pub(crate) async fn change<T, F>(&self, class: WriteClass, step: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    {
        self.change_events(class, |tx, _| step(tx)).await
    }

    /// Hands over a step of ordinary size that touches the event log.
    pub(crate) async fn change_events<T, F>(&self, class: WriteClass, step: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>, &mut EventLog) -> Result<T> + Send + 'static,
    {
        let bytes = STEP_BYTES;
        self.writer.step(WriteCost { class, bytes }, step).await
    }
}
