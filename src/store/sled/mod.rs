//! The store on sled 0.34.7, an embedded ordered map. No type of sled's leaves this directory.
//!
//! One tree, typed keys (`keys`), checked records (`record`). One thread writes (`writer`): it runs *steps* over a view of the group
//! under way (`view`), applies each group as one batch and makes it durable (`durable`) before it answers. Everything else
//! reads the tree directly, tokens and accounts through bounded caches (`cache`). A file for each noun holds its steps; `verbs`
//! says which verb is which step.

mod blocks;
mod cache;
mod counters;
mod durable;
mod events;
mod expiry;
mod history;
mod invites;
mod keys;
mod live;
mod open;
mod outbox;
mod record;
mod resets;
mod resume;
mod scan;
mod tokens;
mod users;
mod verbs;
mod view;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use sled::Tree;

use self::blocks::Reporter;
use self::cache::{Cache, Lookup};
use self::events::{EventLog, Names};
use self::keys::{Key, TokenKey, UserKey, meta};
use self::live::Live;
use self::view::{Read, View};
use self::writer::{Desk, Room, Writer};
use super::{Appended, Outcome, Report, StoreError};
use crate::model::{Digest, Holder, Token, User, UserId, UserNumber};

/// Part of the memory budget that is sled's: it counts bytes on disk and needs about twice that in memory.
const CACHE_SHARE: u64 = 4;
/// What a cached token or account takes, with its place in the maps.
const CACHED_BYTES: u64 = 512;

/// The store.
pub struct SledStore {
    tree: Tree,
    writer: Writer,
    names: Arc<Names>,
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
    /// `memory_budget` is what the store may use in all, in bytes.
    pub async fn open(path: &Path, memory_budget: u64) -> Outcome<SledStore> {
        let opened = open::open(path, memory_budget / CACHE_SHARE)?;
        let names = Arc::new(Names::load(&opened.tree)?);
        let caches = Arc::new(Caches::new(memory_budget));
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
            events: EventLog::new(Arc::clone(&names)),
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
                self.change(Room::Events, move |view| events::intern(view, unknown))
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
