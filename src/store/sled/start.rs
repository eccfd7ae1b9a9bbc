//! Opens the store: the database, the state in memory, the writer, and a first write that proves
//! that writes reach the disk.

use std::path::Path;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, OnceLock};

use crate::model::{MachineName, MachineNumber, Principal, UserId, UserNumber};
use crate::store::sled::accounts::machines;
use crate::store::sled::accounts::tokens::{self, TokenKey};
use crate::store::sled::accounts::users::{self, UserKey};
use crate::store::sled::audit::feed::AuditFeed;
use crate::store::sled::engine::disk_space::{self, FreeBytes, WriteClass};
use crate::store::sled::engine::group_commit::GroupCommit;
use crate::store::sled::engine::keys::{Key, MetaKey, meta};
use crate::store::sled::engine::newest_moment::NewestMoment;
use crate::store::sled::engine::open::{self, OpenOptions};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::recount;
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::engine::writer::{OnChange, Writer, WriterThread};
use crate::store::sled::events::counts::names::Names;
use crate::store::sled::events::disk_writes::DailyWrites;
use crate::store::sled::events::event_log::{EventLog, LogParts};
use crate::store::sled::events::live::Live;
use crate::store::sled::events::remembered::Remembered;
use crate::store::sled::events::user_directory::UserDirectory;
use crate::store::sled::options::StoreOptions;
use crate::store::sled::store::{Caches, SledStore};
use crate::store::{Error, Result};
use crate::sync::lock;

/// sled's cache gets the memory budget divided by this: it counts bytes on disk and needs about
/// twice that in memory.
const SLED_CACHE_SHARE: u64 = 4;
/// A log up to this size is read whole before it is opened, within about half a second.
const CHECKED_BYTES: u64 = 256 << 20;
/// No token is of this epoch. A holder whose epoch is damaged has it until the next reconciliation.
const NO_EPOCH: u32 = u32::MAX;
/// How often the store was opened.
const STARTS: MetaKey<u64> = meta(MetaSlot::Starts);

impl SledStore {
    /// Opens the store in a directory, which it creates if there is none, and proves that a write
    /// reaches the disk.
    pub async fn open(path: &Path, options: StoreOptions) -> Result<SledStore> {
        let free_bytes = disk_space::free_bytes_of(path);
        SledStore::open_measuring(path, options, free_bytes).await
    }

    pub(super) async fn open_measuring(
        path: &Path,
        options: StoreOptions,
        free_bytes: FreeBytes,
    ) -> Result<SledStore> {
        let opened = open::open(path, &opening(&options))?;
        let (tree, sequence) = (opened.tree, opened.ledger.sequence());
        let names = Arc::new(Names::load(&tree, options.name_limits())?);
        let caches = Arc::new(Caches::new(options.memory_budget));
        let live = Arc::new(Live::new(sequence));
        let audit_feed = Arc::new(AuditFeed::new());
        let daily_writes = DailyWrites::load(&tree, &options.meter)?;
        let newest_moment = NewestMoment::load(&tree)?;
        let noted_moment = newest_moment.noted.clone();
        let remembered = Remembered::load(&tree, options.remembered_bytes())?;
        let known_ids = Arc::clone(remembered.known_ids());
        let parts = LogParts {
            daily_writes,
            newest_moment,
            live: Arc::clone(&live),
            names: Arc::clone(&names),
            remembered,
        };
        let recount = opened.ledger.recount();
        let writer = Writer::start(WriterThread {
            state: EventLog::open(&tree, sequence, parts)?,
            db: opened.db,
            tree: tree.clone(),
            free_bytes,
            ledger: opened.ledger,
            group_commit: GroupCommit::new(options.commit_delay),
            changed: when_changed(Arc::clone(&caches), Arc::clone(&audit_feed)),
        })?;
        let store = SledStore {
            admin_epoch: AtomicU32::new(epoch_of(&tree, Principal::Admin)?),
            hub_epoch: AtomicU32::new(epoch_of(&tree, Principal::Hub)?),
            tree,
            writer,
            caches,
            exchanges: Arc::default(),
            names,
            known_ids,
            loss: Arc::new(opened.damage.map_or_else(OnceLock::new, OnceLock::from)),
            recount,
            recount_thread: Mutex::default(),
            damage: Arc::default(),
            live,
            audit_feed,
            noted_moment,
            retention_pass: Mutex::default(),
            users: &Accounts,
            compaction_lock: tokio::sync::Mutex::default(),
            block_lock: Arc::default(),
            path: path.to_owned(),
            meter: options.meter,
        };
        store.prove_durability().await?;
        store.move_addresses().await?;
        store.build_indexes().await?;
        if store.loss.get().is_some() {
            store.name_lost_numbers().await?;
        }
        store.complete_count(opened.is_counted)?;
        Ok(store)
    }

    /// Starts to count the records in the background, unless they are counted already.
    fn complete_count(&self, is_counted: bool) -> Result<()> {
        if !is_counted {
            let (tree, loss) = (self.tree.clone(), Arc::clone(&self.loss));
            let thread = recount::start(Arc::clone(&self.recount), tree, loss)?;
            *lock(&self.recount_thread) = Some(thread);
        }
        Ok(())
    }

    /// Writes a record through the whole write path: if the flush does not reach the disk, the open
    /// fails here. On a full disk it proves nothing, but the writer checks every later flush too.
    async fn prove_durability(&self) -> Result<()> {
        let proof = |tx: &mut Transaction<'_>| {
            let starts = tx.fetch_readable(&STARTS)?.unwrap_or(0);
            tx.put(&STARTS, &(starts + 1))
        };
        match self.change(WriteClass::Reclaim, proof).await {
            Err(Error::Full) => Ok(()),
            proved => proved,
        }
    }
}

/// How to open the database.
fn opening(options: &StoreOptions) -> OpenOptions {
    OpenOptions {
        cache_bytes: options.memory_budget / SLED_CACHE_SHARE,
        checked_bytes: CHECKED_BYTES,
        open_damaged: options.open_damaged,
        new_id: options.new_id,
    }
}

/// The epoch of a holder.
fn epoch_of(tree: &Tree, holder: Principal) -> Result<u32> {
    let epoch = tree.skip_damaged(tokens::epoch_of(tree, holder))?;
    Ok(epoch.map_or(NO_EPOCH, |epoch| epoch.unwrap_or(0)))
}

/// Removes the records that a group has changed from the caches, and tells the listeners of the
/// audit log.
fn when_changed(caches: Arc<Caches>, feed: Arc<AuditFeed>) -> OnChange {
    Box::new(move |changed| {
        feed.note(changed);
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

    fn number_of_machine(&self, tree: &Tree, name: MachineName) -> Result<Option<MachineNumber>> {
        machines::number_of(tree, name)
    }

    fn machine_of(&self, tree: &Tree, number: MachineNumber) -> Result<Option<MachineName>> {
        machines::name_of(tree, number)
    }

    fn forget_former(&self, tx: &mut Transaction<'_>, id: UserId) -> Result<()> {
        users::forget_former(tx, id)
    }
}
