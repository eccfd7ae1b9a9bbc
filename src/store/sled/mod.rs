//! The store on sled 0.34.7, an embedded ordered map. No type of sled's leaves this directory.
//!
//! One tree, typed keys (`keys`), checked records (`record`). One thread writes (`writer`): it runs *steps* over a view of the group
//! under way (`view`), applies each group as one batch and makes it durable (`durable`) before it answers. Everything else
//! reads the tree directly, tokens and accounts through bounded caches (`cache`). A file for each noun holds its steps; this
//! file says which verb is which step.

mod blocks;
mod cache;
mod counters;
mod durable;
mod events;
mod expiry;
mod invites;
mod keys;
mod open;
mod outbox;
mod record;
mod resets;
mod tokens;
mod users;
mod view;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sled::Tree;

use self::blocks::Reporter;
use self::cache::{Cache, Lookup};
use self::events::{EventLog, Names};
use self::keys::{Key, TokenKey, UserKey, meta};
use self::view::{Read, View};
use self::writer::{Desk, Room, Writer};
use super::{
    Appended, Created, Fact, Found, Health, Outcome, Redeemed, Refreshed, Report, Store,
    StoreError, Swept, Updated,
};
use crate::model::{
    Digest, DueMail, Email, Event, EventCount, Holder, InviteTerms, Name, NewToken, NewUser,
    Timestamp, Token, TokenId, User, UserId, UserNumber,
};

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
        let writer = Writer::start(Desk {
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

    /// The numbers of the accounts that events are about, or the place of the first event about nobody.
    fn subjects(&self, report: &Report<'_>) -> Outcome<Result<Vec<UserNumber>, usize>> {
        let mut numbers: Vec<UserNumber> = Vec::with_capacity(report.events.len());
        let mut last: Option<(UserId, UserNumber)> = None;
        for (index, event) in report.events.iter().enumerate() {
            let number = match last {
                Some((id, number)) if id == event.subject => number,
                _ => match self.user(event.subject)? {
                    Some(user) => user.number,
                    None => return Ok(Err(index)),
                },
            };
            last = Some((event.subject, number));
            numbers.push(number);
        }
        Ok(Ok(numbers))
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

/// Where a fact lies.
fn place_of(fact: Fact) -> u8 {
    match fact {
        Fact::SigningSeed => 16,
        Fact::AdminHash => 17,
        Fact::FingerprintSalt => 18,
    }
}

#[async_trait]
impl Store for SledStore {
    async fn find_token(&self, digest: &Digest) -> Outcome<Option<Found>> {
        let Some(token) = self.token(*digest)? else {
            return Ok(None);
        };
        let (epoch, user) = match token.holder {
            Holder::Admin => (Some(self.admin_epoch.load(Ordering::Acquire)), None),
            Holder::Hub => (Some(self.hub_epoch.load(Ordering::Acquire)), None),
            Holder::User(id) => {
                let user = self.user(id)?.filter(|user| !user.disabled);
                (user.as_ref().map(|user| user.epoch), user)
            }
        };
        Ok(Some(Found { token, epoch, user }))
    }

    async fn epoch_of(&self, holder: Holder) -> Outcome<u32> {
        Ok(tokens::epoch_of(&self.tree, holder)?.unwrap_or(0))
    }

    async fn find_user(&self, id: UserId) -> Outcome<Option<Arc<User>>> {
        self.user(id)
    }

    async fn find_user_by_email(&self, key: &str) -> Outcome<Option<Arc<User>>> {
        match users::by_email(&self.tree, key)? {
            Some(id) => self.user(id),
            None => Ok(None),
        }
    }

    async fn live_tokens(&self, holder: Holder, now: Timestamp) -> Outcome<Vec<Token>> {
        let live = tokens::live(&self.tree, holder, now)?;
        Ok(live.into_iter().map(|(_, token)| token).collect())
    }

    async fn create_user(
        &self,
        user: NewUser,
        session: NewToken,
        now: Timestamp,
    ) -> Outcome<Created> {
        self.change(Room::Change, move |view| {
            users::create(view, user, &session, now)
        })
        .await
    }

    async fn update_user(
        &self,
        id: UserId,
        name: Name,
        email: Email,
        now: Timestamp,
    ) -> Outcome<Updated> {
        self.change(Room::Change, move |view| {
            users::update(view, id, name, email, now)
        })
        .await
    }

    async fn change_password(
        &self,
        id: UserId,
        epoch: u32,
        password_hash: String,
        keep: Option<Digest>,
        now: Timestamp,
    ) -> Outcome<Updated> {
        self.change(Room::Change, move |view| {
            users::change_password(view, id, epoch, password_hash, keep, now)
        })
        .await
    }

    async fn rehash_password(&self, id: UserId, old: String, new: String) -> Outcome<()> {
        self.change(Room::Change, move |view| users::rehash(view, id, &old, new))
            .await
    }

    async fn set_disabled(&self, id: UserId, disabled: bool, now: Timestamp) -> Outcome<bool> {
        self.change(Room::Change, move |view| {
            users::set_disabled(view, id, disabled, now)
        })
        .await
    }

    async fn delete_user(&self, id: UserId) -> Outcome<bool> {
        self.change(Room::Reclaim, move |view| users::delete(view, id))
            .await
    }

    async fn issue_token(&self, new: NewToken, per_user: usize, now: Timestamp) -> Outcome<bool> {
        self.change(Room::Change, move |view| {
            tokens::issue(view, &new, per_user, now)
        })
        .await
    }

    async fn renew_token(
        &self,
        old: Digest,
        renewal: Digest,
        new: NewToken,
        now: Timestamp,
    ) -> Outcome<Option<Token>> {
        self.change(Room::Change, move |view| {
            tokens::renew(view, old, renewal, new, now)
        })
        .await
    }

    async fn refresh_token(
        &self,
        old: Digest,
        new: NewToken,
        now: Timestamp,
    ) -> Outcome<Refreshed> {
        self.change(Room::Change, move |view| {
            tokens::refresh(view, old, new, now)
        })
        .await
    }

    async fn touch_token(&self, digest: Digest, idle: Duration, now: Timestamp) -> Outcome<()> {
        self.change(Room::Change, move |view| {
            tokens::touch(view, digest, idle, now)
        })
        .await
    }

    async fn end_family(&self, digest: Digest) -> Outcome<bool> {
        self.change(Room::Reclaim, move |view| tokens::end_family(view, digest))
            .await
    }

    async fn end_token(&self, holder: Holder, id: TokenId) -> Outcome<bool> {
        self.change(Room::Reclaim, move |view| {
            tokens::end_named(view, holder, id)
        })
        .await
    }

    async fn reconcile(&self, holder: Holder, fingerprint: String) -> Outcome<u32> {
        let step = move |view: &mut View<'_>| tokens::reconcile(view, holder, fingerprint);
        let epoch = self.change(Room::Reclaim, step).await?;
        match holder {
            Holder::Admin => self.admin_epoch.store(epoch, Ordering::Release),
            Holder::Hub => self.hub_epoch.store(epoch, Ordering::Release),
            Holder::User(_) => {}
        }
        Ok(epoch)
    }

    async fn offer_invites(&self, invites: Vec<(Digest, InviteTerms)>) -> Outcome<()> {
        self.change(Room::Change, move |view| {
            invites
                .iter()
                .try_for_each(|(code, terms)| invites::offer(view, *code, terms))
        })
        .await
    }

    async fn owe_mail(&self, mail: DueMail) -> Outcome<bool> {
        self.change(Room::Change, move |view| outbox::owe(view, &mail))
            .await
    }

    async fn due_mails(&self, now: Timestamp) -> Outcome<(Vec<DueMail>, Option<Timestamp>)> {
        outbox::due(&self.tree, now)
    }

    async fn settle_mail(&self, mail: DueMail) -> Outcome<()> {
        self.change(Room::Reclaim, move |view| outbox::settle(view, &mail))
            .await
    }

    async fn postpone_mail(&self, mail: DueMail, due_at: Timestamp) -> Outcome<()> {
        self.change(Room::Reclaim, move |view| {
            outbox::postpone(view, mail, due_at)
        })
        .await
    }

    async fn put_reset(&self, user: UserId, code: Digest, expires_at: Timestamp) -> Outcome<bool> {
        self.change(Room::Change, move |view| {
            resets::put(view, user, code, expires_at)
        })
        .await
    }

    async fn find_reset(&self, code: &Digest, now: Timestamp) -> Outcome<Option<UserId>> {
        resets::find(&self.tree, *code, now)
    }

    async fn redeem_reset(
        &self,
        code: Digest,
        password_hash: String,
        now: Timestamp,
    ) -> Outcome<Redeemed> {
        self.change(Room::Change, move |view| {
            resets::redeem(view, code, password_hash, now)
        })
        .await
    }

    async fn append_events(&self, report: Report<'_>) -> Outcome<Appended> {
        // A repetition is answered as the first time, even if an account that it names is gone by now.
        if let Some(promise) = report.idempotency
            && let Some(answer) =
                events::answer_to(&self.tree, report.reporter, promise, report.at)?
        {
            return Ok(answer);
        }
        let subjects = match self.subjects(&report)? {
            Ok(subjects) => subjects,
            Err(index) => return Ok(Appended::UnknownUser(index)),
        };
        let names = self.name_numbers(&report).await?;
        let reporter = match report.reporter {
            Holder::Admin => Reporter::Admin,
            Holder::Hub => Reporter::Hub,
            Holder::User(id) => match self.user(id)? {
                Some(user) => Reporter::User(user.number),
                None => return Ok(Appended::UnknownReporter),
            },
        };
        let prepared = events::prepare(report.at, reporter, report.events, &names, &subjects);
        let (holder, idempotency) = (report.reporter, report.idempotency);
        self.change(Room::Events, move |view| {
            events::append(view, holder, idempotency, prepared)
        })
        .await
    }

    async fn events_since(&self, from: Timestamp, limit: usize) -> Outcome<Vec<Event>> {
        events::since(&self.tree, &self.names, from, limit)
    }

    async fn event_counts(&self, from: u32, to: u32) -> Outcome<Vec<EventCount>> {
        events::counts(&self.tree, &self.names, from, to)
    }

    async fn keep_fact(&self, fact: Fact, value: Vec<u8>) -> Outcome<Vec<u8>> {
        self.change(Room::Reclaim, move |view| {
            let key = meta::<Vec<u8>>(place_of(fact));
            match view.fetch(&key)? {
                Some(kept) => Ok(kept),
                None => view.put(&key, &value).map(|()| value),
            }
        })
        .await
    }

    async fn find_fact(&self, fact: Fact) -> Outcome<Option<Vec<u8>>> {
        self.tree.fetch(&meta::<Vec<u8>>(place_of(fact)))
    }

    async fn sweep(&self, now: Timestamp, retention: Duration) -> Outcome<Swept> {
        self.change(Room::Reclaim, move |view| {
            expiry::sweep(view, now, retention)
        })
        .await
    }

    fn under_way(&self) -> Option<u64> {
        self.writer.shared.under_way()
    }

    fn health(&self) -> Health {
        match self.writer.shared.failure() {
            Some(why) => Health::Stopped(why.to_owned()),
            None if self.writer.shared.is_full() => Health::Full,
            None => Health::Fine,
        }
    }

    async fn stopped(&self) -> String {
        self.writer.shared.failed().await
    }

    async fn close(&self) {
        self.writer.close().await;
    }
}
