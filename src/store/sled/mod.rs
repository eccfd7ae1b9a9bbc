//! The store on sled 0.34.7, an embedded ordered map. No type of sled's leaves this directory.
//!
//! One tree, typed keys (`keys`), checked records (`record`). One thread writes (`writer`): it runs *steps* over a view of the group
//! under way (`view`), applies each group as one batch and makes it durable (`durable`) before it answers. Everything else
//! reads the tree directly, tokens and accounts through bounded caches (`cache`). A file for each noun holds its steps; `verbs`
//! says which verb is which step.

mod blocks;
mod cache;
mod columns;
mod contents;
mod counted;
mod counters;
mod damage;
mod durable;
mod erase;
mod events;
mod expiry;
mod history;
mod invites;
mod keys;
mod live;
mod lookup;
mod names;
mod open;
mod outbox;
mod packs;
mod record;
mod resets;
mod resume;
mod scan;
mod shapes;
mod shelf;
mod sketches;
mod tally;
mod tokens;
mod users;
mod varint;
mod verbs;
mod view;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use sled::Tree;
use tokio::sync::{RwLock, oneshot};

use self::cache::{Cache, Lookup};
use self::columns::Reporter;
use self::damage::Damage;
use self::events::EventLog;
use self::history::Reader;
use self::keys::{Key, TokenKey, UserKey, meta};
use self::live::Live;
use self::lookup::Lookup as Known;
use self::names::Names;
use self::scan::Scan;
use self::view::{Read, View};
use self::writer::{Desk, Room, Writer};
use super::{Appended, Outcome, Report, StoreError};
use crate::config::Config;
use crate::model::{
    Digest, Erasure, EventQuery, Holder, Timestamp, Token, User, UserId, UserNumber,
};

/// Part of the memory budget that is sled's: it counts bytes on disk and needs about twice that in memory.
const CACHE_SHARE: u64 = 4;
/// How much merging gives way: to 1 of 70 parts of a core that requests want too.
const GIVE_WAY: i32 = 19;
/// What a cached token or account takes, with its place in the maps.
const CACHED_BYTES: u64 = 512;

/// What the store is opened on.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// What it may use in all, in bytes.
    pub memory_budget: u64,
    /// Names of events that are counted by themselves.
    pub max_names: usize,
}

impl Terms {
    /// As the owner has it.
    pub fn of(config: &Config) -> Terms {
        Terms {
            memory_budget: config.storage.memory_budget,
            max_names: config.events.max_names,
        }
    }
}

/// The store.
pub struct SledStore {
    tree: Tree,
    writer: Writer,
    names: Arc<Names>,
    damage: Arc<Damage>,
    /// Read by whoever reads blocks of events; written by whoever changes or removes some. Reports do neither.
    shelves: Arc<RwLock<()>>,
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
    pub async fn open(path: &Path, terms: Terms) -> Outcome<SledStore> {
        let opened = open::open(path, terms.memory_budget / CACHE_SHARE)?;
        let names = Arc::new(Names::load(&opened.tree, terms.max_names)?);
        let caches = Arc::new(Caches::new(terms.memory_budget));
        let changed = {
            let caches = Arc::clone(&caches);
            Box::new(move |keys: &[Vec<u8>]| caches.forget(keys))
        };
        let live = Arc::new(Live::new(opened.sequence));
        let writer = Writer::start(Desk {
            live: Arc::clone(&live),
            db: opened.db,
            tree: opened.tree.clone(),
            path: path.to_owned(),
            sequence: opened.sequence,
            events: EventLog::open(&opened.tree, Arc::clone(&names))?,
            changed,
        })?;
        let store = SledStore {
            admin_epoch: AtomicU32::new(
                tokens::epoch_of(&opened.tree, Holder::Admin)?.unwrap_or(0),
            ),
            hub_epoch: AtomicU32::new(tokens::epoch_of(&opened.tree, Holder::Hub)?.unwrap_or(0)),
            tree: opened.tree,
            writer,
            names,
            damage: Arc::default(),
            shelves: Arc::default(),
            caches,
            live,
        };
        store.prove_durability().await?;
        Ok(store)
    }

    /// Writes a record through the whole path: a flush that does not reach the disk stops the store here.
    async fn prove_durability(&self) -> Outcome<()> {
        const STARTS: u8 = 4;
        self.change(Room::Reclaim, |view| {
            let starts = view.fetch(&meta::<u64>(STARTS))?.unwrap_or(0);
            view.put(&meta::<u64>(STARTS), &(starts + 1))
        })
        .await
    }

    async fn change<T, F>(&self, room: Room, step: F) -> Outcome<T>
    where
        T: Send + 'static,
        F: FnOnce(&mut View<'_>) -> Outcome<T> + Send + 'static,
    {
        self.writer.step(room, step).await
    }

    fn token(&self, digest: Digest) -> Outcome<Option<Arc<Token>>> {
        read_through(&self.caches.tokens, &digest, || {
            self.tree.fetch(&TokenKey { digest })
        })
    }

    fn user(&self, id: UserId) -> Outcome<Option<Arc<User>>> {
        read_through(&self.caches.users, &id, || self.tree.fetch(&UserKey { id }))
    }

    /// What reads events, block by block.
    fn reader(&self) -> Reader {
        Reader::new(
            Known::new(&self.tree, &self.names),
            Arc::clone(&self.damage),
        )
    }

    /// A reading of all events that are asked for.
    fn scan(&self, query: EventQuery) -> Scan {
        Scan::begin(self.reader(), Arc::clone(&self.shelves), query)
    }

    /// Reads events where it keeps nobody waiting, and while nobody changes blocks.
    async fn read_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Reader) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let quiet = Arc::clone(&self.shelves).read_owned().await;
        self.aside("read", 0, move |reader| {
            let read = read(reader);
            drop(quiet);
            read
        })
        .await
    }

    /// Merges some of the loose blocks, with `all` also those that others may join. Whether there is more to do.
    async fn merge_some(&self, now: Timestamp, all: bool) -> Outcome<bool> {
        let _alone = self.shelves.write().await;
        let merge = move |reader: &mut Reader| packs::gather(reader.tree(), now, all);
        let merged = self.aside("merge", GIVE_WAY, merge).await?;
        if merged.is_empty() {
            return Ok(false);
        }
        self.change(Room::Change, move |view| packs::replace(view, merged))
            .await?;
        Ok(true)
    }

    /// Removes some of the events that are meant, from the block `from` on: how many, and where there are more.
    async fn erase_some(
        &self,
        what: &Arc<Erasure>,
        from: Vec<u8>,
    ) -> Outcome<(u64, Option<Vec<u8>>)> {
        let _alone = self.shelves.write().await;
        let meant = Arc::clone(what);
        let erase = move |reader: &mut Reader| erase::plan(reader, &meant, &from);
        let plan = self.aside("erase", GIVE_WAY, erase).await?;
        let is_last = plan.next.is_none();
        let forget = erase::is_complete(what).filter(|_| is_last);
        self.change(Room::Reclaim, move |view| {
            packs::replace(view, plan.replacements)?;
            forget.map_or(Ok(()), |id| erase::forget_former(view, id))
        })
        .await?;
        Ok((plan.events, plan.next))
    }

    /// Long work on a thread of its own, which gives way to whatever serves requests as far as nice(2) lets it.
    async fn aside<T: Send + 'static>(
        &self,
        name: &str,
        give_way: i32,
        work: impl FnOnce(&mut Reader) -> Outcome<T> + Send + 'static,
    ) -> Outcome<T> {
        let (answer, answered) = oneshot::channel();
        let mut reader = self.reader();
        let thread = std::thread::Builder::new().name(format!("doorward-{name}"));
        thread
            .spawn(move || {
                #[cfg(target_os = "linux")]
                let _ = rustix::process::nice(give_way);
                let _ = answer.send(work(&mut reader));
            })
            .map_err(|error| StoreError::Unusable(format!("no thread: {error}")))?;
        let gone = |_| Err(StoreError::Stopped("a thread panicked; see the log".into()));
        answered.await.unwrap_or_else(gone)
    }

    /// Who reports and the numbers of those whom the events are about, or why that cannot be said.
    fn accounts_of(
        &self,
        report: &Report<'_>,
    ) -> Outcome<Result<(Reporter, Vec<UserNumber>), Appended>> {
        let mut numbers: Vec<UserNumber> = Vec::with_capacity(report.events.len());
        let mut last: Option<(UserId, UserNumber)> = None;
        for (index, event) in report.events.iter().enumerate() {
            let number = match last {
                Some((id, number)) if id == event.subject => number,
                _ => match self.user(event.subject)? {
                    Some(user) => user.number,
                    None => return Ok(Err(Appended::UnknownUser(index))),
                },
            };
            last = Some((event.subject, number));
            numbers.push(number);
        }
        let reporter = match report.reporter {
            Holder::Admin => Reporter::Admin,
            Holder::Hub => Reporter::Hub,
            Holder::User(id) => match self.user(id)? {
                Some(user) => Reporter::User(user.number),
                None => return Ok(Err(Appended::UnknownReporter)),
            },
        };
        Ok(Ok((reporter, numbers)))
    }

    /// The numbers of the names of events; a name that is new gets its number first.
    async fn name_numbers(&self, report: &Report<'_>) -> Outcome<Vec<u32>> {
        match self.names.numbers(report.events) {
            Ok(numbers) => Ok(numbers),
            Err(unknown) => {
                self.change(Room::Events, move |view| names::intern(view, unknown))
                    .await?;
                self.names.numbers(report.events).map_err(|_| {
                    StoreError::Corrupt("a name that was given a number has none".into())
                })
            }
        }
    }
}

fn read_through<K, V>(
    cache: &Cache<K, Arc<V>>,
    key: &K,
    read: impl FnOnce() -> Outcome<Option<V>>,
) -> Outcome<Option<Arc<V>>>
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
