//! The store on sled 0.34.7, an embedded ordered map. No type of sled's leaves this directory.
//!
//! One tree, typed keys (`keys`), checked records (`record`). One thread writes (`writer`): it runs *steps* over a view of the group
//! under way (`tx`), applies each group as one batch and makes it durable (`durable`) before it answers. Everything else
//! reads the tree directly, tokens and accounts through bounded caches (`cache`). A file for each noun holds its steps; `verbs`
//! says which verb is which step.

mod accounts;
mod engine;
mod events;
mod verbs;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use sled::Tree;
use tokio::sync::{Mutex, RwLock};

use crate::config::Config;
use crate::model::{Digest, Principal, Token, User, UserId};
use crate::store::sled::engine::cache::{Cache, Lookup};
use crate::store::sled::engine::disk_space::{FreeBytes, STEP_BYTES, WriteClass, WriteCost};
use crate::store::sled::engine::group_commit::GroupCommit;
use crate::store::sled::engine::keys::{Key, TokenKey, UserKey, meta};
use crate::store::sled::engine::transaction::{Read, Transaction};
use crate::store::sled::engine::writer::{Writer, WriterThread};
use crate::store::sled::events::append::EventLog;
use crate::store::sled::events::counts::names::Names;
use crate::store::sled::events::damage::Damage;
use crate::store::sled::events::disk_writes::DailyWrites;
use crate::store::sled::events::live::Live;
use crate::store::{Error, Result};
pub use events::disk_writes::WriteMeter;

/// Part of the memory budget that is sled's: it counts bytes on disk and needs about twice that in memory.
const CACHE_SHARE: u64 = 4;
/// What a cached token or account takes, with its place in the maps.
const CACHED_BYTES: u64 = 512;

/// How the store is to behave.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// What it may use of memory in all, in bytes.
    pub memory_budget: u64,
    /// Names of events that are counted by themselves.
    pub max_names: usize,
    /// How long a change waits for others to be written with it: fewer writes, later answers.
    pub commit_delay: Duration,
    /// What counts the bytes that are sent to the disk.
    pub meter: WriteMeter,
}

impl StoreOptions {
    /// As the owner has it.
    pub fn of(config: &Config, meter: WriteMeter) -> StoreOptions {
        StoreOptions {
            memory_budget: config.storage.memory_budget,
            max_names: config.events.max_names,
            commit_delay: config.storage.commit_delay,
            meter,
        }
    }
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            memory_budget: 64 << 20,
            max_names: 10_000,
            commit_delay: Duration::ZERO,
            meter: WriteMeter::open(),
        }
    }
}

/// The store.
pub struct SledStore {
    path: PathBuf,
    meter: WriteMeter,
    tree: Tree,
    writer: Writer,
    names: Arc<Names>,
    damage: Arc<Damage>,
    /// Held by whoever is about to change or remove blocks of events.
    compaction_lock: Mutex<()>,
    /// Read by whoever reads blocks of events; written while some are changed or removed. Reports do neither.
    block_lock: Arc<RwLock<()>>,
    caches: Arc<Caches>,
    live: Arc<Live>,
    admin_epoch: AtomicU32,
    hub_epoch: AtomicU32,
}

struct Caches {
    tokens: Cache<Digest, Arc<Token>>,
    users: Cache<UserId, Arc<User>>,
}

impl Caches {
    fn new(memory_budget: u64) -> Caches {
        let entries = usize::try_from(memory_budget / 8 / CACHED_BYTES).unwrap_or(1 << 16);
        Caches {
            tokens: Cache::new(entries),
            users: Cache::new(entries),
        }
    }

    fn forget(&self, changed: &[Vec<u8>]) {
        for key in changed {
            if let Some(key) = TokenKey::parse(key) {
                self.tokens.forget(&key.digest);
            } else if let Some(key) = UserKey::parse(key) {
                self.users.forget(&key.id);
            }
        }
    }
}

impl SledStore {
    /// Opens the store in a directory, making it if there is none, and proves that what it is told reaches the disk.
    pub async fn open(path: &Path, manners: StoreOptions) -> Result<SledStore> {
        let free_bytes = engine::disk_space::free_bytes_of(path);
        SledStore::open_measuring(path, manners, free_bytes).await
    }

    async fn open_measuring(
        path: &Path,
        manners: StoreOptions,
        free_bytes: FreeBytes,
    ) -> Result<SledStore> {
        let opened = engine::open::open(path, manners.memory_budget / CACHE_SHARE)?;
        let names = Arc::new(Names::load(&opened.tree, manners.max_names)?);
        let caches = Arc::new(Caches::new(manners.memory_budget));
        let changed = {
            let caches = Arc::clone(&caches);
            Box::new(move |keys: &[Vec<u8>]| caches.forget(keys))
        };
        let live = Arc::new(Live::new(opened.sequence));
        let writer = Writer::start(WriterThread {
            live: Arc::clone(&live),
            db: opened.db,
            tree: opened.tree.clone(),
            free_bytes,
            sequence: opened.sequence,
            pace: GroupCommit::new(manners.commit_delay),
            events: EventLog::open(
                &opened.tree,
                Arc::clone(&names),
                DailyWrites::load(&opened.tree, &manners.meter)?,
            )?,
            changed,
        })?;
        let store = SledStore {
            admin_epoch: AtomicU32::new(
                accounts::tokens::epoch_of(&opened.tree, Principal::Admin)?.unwrap_or(0),
            ),
            hub_epoch: AtomicU32::new(
                accounts::tokens::epoch_of(&opened.tree, Principal::Hub)?.unwrap_or(0),
            ),
            tree: opened.tree,
            writer,
            names,
            damage: Arc::default(),
            compaction_lock: Mutex::default(),
            block_lock: Arc::default(),
            caches,
            live,
            path: path.to_owned(),
            meter: manners.meter,
        };
        store.prove_durability().await?;
        Ok(store)
    }

    /// Writes a record through the whole path: a flush that does not reach the disk stops the store here. On a full disk there
    /// is nothing to prove yet, and every flush is held to it when it comes.
    async fn prove_durability(&self) -> Result<()> {
        const STARTS: u8 = 4;
        let proof = self.change(WriteClass::Reclaim, |tx| {
            let starts = tx.fetch(&meta::<u64>(STARTS))?.unwrap_or(0);
            tx.put(&meta::<u64>(STARTS), &(starts + 1))
        });
        match proof.await {
            Err(Error::Full) => Ok(()),
            proved => proved,
        }
    }

    async fn change<T, F>(&self, room: WriteClass, step: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut Transaction<'_>) -> Result<T> + Send + 'static,
    {
        let bytes = STEP_BYTES;
        self.writer.step(WriteCost { room, bytes }, step).await
    }

    fn token(&self, digest: Digest) -> Result<Option<Arc<Token>>> {
        read_through(&self.caches.tokens, &digest, || {
            self.tree.fetch(&TokenKey { digest })
        })
    }

    fn user(&self, id: UserId) -> Result<Option<Arc<User>>> {
        read_through(&self.caches.users, &id, || self.tree.fetch(&UserKey { id }))
    }
}

fn read_through<K, V>(
    cache: &Cache<K, Arc<V>>,
    key: &K,
    read: impl FnOnce() -> Result<Option<V>>,
) -> Result<Option<Arc<V>>>
where
    K: std::hash::Hash + Eq + Clone,
{
    let ticket = match cache.look_up(key) {
        Lookup::Hit(value) => return Ok(Some(value)),
        Lookup::Miss(ticket) => ticket,
    };
    let value = read()?.map(Arc::new);
    if let Some(value) = &value {
        cache.offer(key, Arc::clone(value), &ticket);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tempfile::TempDir;

    use super::*;
    use crate::model::{NewEvent, Timestamp};
    use crate::store::{Appended, Health, Report, Store, SystemValue};

    const MIB: u64 = 1 << 20;

    async fn store_on(directory: &TempDir, free: &Arc<AtomicU64>) -> SledStore {
        let free = Arc::clone(free);
        let free_bytes = Box::new(move || free.load(Ordering::Relaxed));
        let opened =
            SledStore::open_measuring(directory.path(), StoreOptions::default(), free_bytes);
        opened.await.unwrap()
    }

    async fn report(store: &SledStore) -> Result<Appended> {
        let events: [NewEvent<'_>; 0] = [];
        store
            .append_events(Report {
                reporter: Principal::Admin,
                events: &events,
                idempotency: None,
                at: Timestamp::default(),
            })
            .await
    }

    #[tokio::test]
    async fn a_full_disk_is_opened_and_read_and_taken_up_again() {
        let directory = tempfile::tempdir().unwrap();
        let free = Arc::new(AtomicU64::new(64 * MIB));
        let store = store_on(&directory, &free).await;
        store
            .keep_system_value(SystemValue::AdminHash, vec![1])
            .await
            .unwrap();
        store.close().await;
        drop(store);

        free.store(0, Ordering::Relaxed);
        let store = store_on(&directory, &free).await;
        assert_eq!(store.health(), Health::Full);
        // What is kept already needs no room; what is not cannot be kept, nor be read as if it were.
        let kept = store
            .keep_system_value(SystemValue::AdminHash, vec![2])
            .await;
        assert_eq!(kept, Ok(vec![1]));
        let refused = store
            .keep_system_value(SystemValue::SigningSeed, vec![3])
            .await;
        assert_eq!(refused, Err(Error::Full));
        assert_eq!(
            store.find_system_value(SystemValue::SigningSeed).await,
            Ok(None)
        );

        free.store(10 * MIB, Ordering::Relaxed);
        let kept = store
            .keep_system_value(SystemValue::SigningSeed, vec![3])
            .await;
        assert_eq!((kept, store.health()), (Ok(vec![3]), Health::NoEvents));
        assert_eq!(report(&store).await, Err(Error::Full));
        free.store(64 * MIB, Ordering::Relaxed);
        assert_eq!(report(&store).await, Ok(Appended::Stored(0)));
        assert_eq!(store.health(), Health::Fine);
    }
}
