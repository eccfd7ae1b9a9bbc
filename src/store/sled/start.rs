//! Opens the store: the database, the state in memory, the writer, and a first write that proves
//! that writes reach the disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use sled::Tree;

use crate::model::{Principal, UserId, UserNumber};
use crate::store::sled::accounts::tokens::{self, TokenKey};
use crate::store::sled::accounts::users::{self, UserKey};
use crate::store::sled::engine::disk_space::{self, FreeBytes, WriteClass};
use crate::store::sled::engine::group_commit::GroupCommit;
use crate::store::sled::engine::keys::{Key, MetaKey, meta};
use crate::store::sled::engine::open;
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::{Read, Transaction};
use crate::store::sled::engine::writer::{OnChange, Writer, WriterThread};
use crate::store::sled::events::counts::names::Names;
use crate::store::sled::events::disk_writes::DailyWrites;
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::live::Live;
use crate::store::sled::events::user_directory::UserDirectory;
use crate::store::sled::options::StoreOptions;
use crate::store::sled::store::{Caches, SledStore};
use crate::store::{Error, Result};

/// sled's cache gets the memory budget divided by this: it counts bytes on disk and needs about
/// twice that in memory.
const SLED_CACHE_SHARE: u64 = 4;
/// How often the store was opened.
const STARTS: MetaKey<u64> = meta(MetaSlot::Starts);

impl SledStore {
    /// Opens the store in a directory, which it creates if there is none, and proves that a write
    /// reaches the disk.
    pub async fn open(path: &Path, options: StoreOptions) -> Result<SledStore> {
        let free_bytes = disk_space::free_bytes_of(path);
        SledStore::open_measuring(path, options, free_bytes).await
    }

    async fn open_measuring(
        path: &Path,
        options: StoreOptions,
        free_bytes: FreeBytes,
    ) -> Result<SledStore> {
        let opened = open::open(path, options.memory_budget / SLED_CACHE_SHARE)?;
        let (tree, sequence) = (opened.tree, opened.sequence);
        let names = Arc::new(Names::load(&tree, options.max_names)?);
        let caches = Arc::new(Caches::new(options.memory_budget));
        let live = Arc::new(Live::new(sequence));
        let daily_writes = DailyWrites::load(&tree, &options.meter)?;
        let writer = Writer::start(WriterThread {
            state: EventLog::open(&tree, sequence, daily_writes, Arc::clone(&live))?,
            db: opened.db,
            tree: tree.clone(),
            free_bytes,
            sequence,
            group_commit: GroupCommit::new(options.commit_delay),
            changed: forget_changed(Arc::clone(&caches)),
        })?;
        let epoch = |holder| tokens::epoch_of(&tree, holder).map(|it| it.unwrap_or(0));
        let store = SledStore {
            admin_epoch: AtomicU32::new(epoch(Principal::Admin)?),
            hub_epoch: AtomicU32::new(epoch(Principal::Hub)?),
            tree,
            writer,
            caches,
            names,
            damage: Arc::default(),
            live,
            users: &Accounts,
            compaction_lock: tokio::sync::Mutex::default(),
            block_lock: Arc::default(),
            path: path.to_owned(),
            meter: options.meter,
        };
        store.prove_durability().await?;
        Ok(store)
    }

    /// Writes a record through the whole write path: if the flush does not reach the disk, the open
    /// fails here. On a full disk it proves nothing, but the writer checks every later flush too.
    async fn prove_durability(&self) -> Result<()> {
        let proof = |tx: &mut Transaction<'_>| {
            let starts = tx.fetch(&STARTS)?.unwrap_or(0);
            tx.put(&STARTS, &(starts + 1))
        };
        match self.change(WriteClass::Reclaim, proof).await {
            Err(Error::Full) => Ok(()),
            proved => proved,
        }
    }
}

/// Removes the records that a group has changed from the caches.
fn forget_changed(caches: Arc<Caches>) -> OnChange {
    Box::new(move |changed| {
        for key in changed {
            if let Some(key) = TokenKey::parse(key) {
                caches.tokens.forget(&key.digest);
            } else if let Some(key) = UserKey::parse(key) {
                caches.users.forget(&key.id);
            }
        }
    })
}

/// Translates between the accounts of this store and the user numbers in events.
struct Accounts;

impl UserDirectory for Accounts {
    fn number_of(&self, tree: &Tree, id: UserId) -> Result<Option<UserNumber>> {
        users::number_of(tree, id)
    }

    fn id_of(&self, tree: &Tree, number: UserNumber) -> Result<Option<UserId>> {
        users::id_of(tree, number)
    }

    fn forget_former(&self, tx: &mut Transaction<'_>, id: UserId) -> Result<()> {
        users::forget_former(tx, id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use tempfile::TempDir;

    use super::*;
    use crate::model::{NewEvent, Timestamp};
    use crate::store::{Appended, EventStore, Health, Maintenance, Report, SystemValue};

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
        // A stored value needs no space. A new value is refused, and no read returns it as if it
        // were stored.
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
