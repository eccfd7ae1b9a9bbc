//! Tests the contract of the store with every backend: single promises in `contract`, `events`,
//! `blocks`, `audit`, `mails`, `tokens`, `machines`, `large` and `damaged`, random operations in
//! `random`, compared with plain maps in `reference`.

mod audit;
mod blocks;
mod compare;
mod contract;
mod damaged;
mod events;
mod large;
mod machines;
mod mails;
mod random;
mod reference;
mod tokens;
mod verbs;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use doorward::crypto;
use doorward::model::{
    AuditContext, Client, Digest, Email, Event, Name, NewToken, NewUser, Principal, Retention,
    Timestamp, Token, TokenId, TokenKind, UserEdit, UserId,
};
use doorward::store::sled::{SledStore, StoreOptions};
use doorward::store::{Created, Store};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use crate::harness::events_from;

pub(crate) type Opening<'a> = Pin<Box<dyn Future<Output = Arc<dyn Store>> + 'a>>;
/// Opens a backend in a directory.
pub(crate) type Open = fn(&Path) -> Opening<'_>;

/// Every backend.
const BACKENDS: &[(&str, Open)] = &[("sled", |path| {
    Box::pin(async move { open_sled(path).await })
})];

/// Event names that have a counter of their own; others share one.
const MAX_NAMES: usize = 1_000;

const HOUR: i64 = 3_600_000;

/// Where tokens are used from.
const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Keeps all events and their counts, so that a sweep removes only what has expired.
pub(crate) const FOR_EVER: Retention = Retention {
    ended: Duration::from_hours(24 * 30),
    events: Duration::from_hours(24 * 365),
    counts: Duration::from_hours(24 * 365),
    max_bytes: u64::MAX,
};

async fn open_sled(path: &Path) -> Arc<dyn Store> {
    Arc::new(
        SledStore::open(
            path,
            StoreOptions {
                memory_budget: 16 << 20,
                max_names: MAX_NAMES,
                ..StoreOptions::default()
            },
        )
        .await
        .unwrap(),
    )
}

/// A store that can be closed and opened again.
pub(crate) struct StoreFixture {
    runtime: Runtime,
    directory: TempDir,
    open: Open,
    store: Option<Arc<dyn Store>>,
}

impl StoreFixture {
    fn new(open: Open) -> StoreFixture {
        StoreFixture::of(tempfile::tempdir().unwrap(), open)
    }

    /// Opens the data in this directory.
    pub(crate) fn of(directory: TempDir, open: Open) -> StoreFixture {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let mut fixture = StoreFixture {
            runtime,
            directory,
            open,
            store: None,
        };
        fixture.reopen();
        fixture
    }

    fn close(&mut self) {
        if let Some(store) = self.store.take() {
            self.runtime.block_on(store.close());
        }
    }

    pub(crate) fn reopen(&mut self) {
        self.close();
        self.store = Some(self.runtime.block_on((self.open)(self.directory.path())));
    }

    /// Closes the store, runs `visit` on its sled database, and opens the store again.
    fn past_the_store<T>(&mut self, visit: impl FnOnce(&sled::Db) -> T) -> T {
        self.close();
        // A process that a parallel test is starting may hold the inherited lock a moment longer.
        let mut tries = (0..10_000).map(|_| sled::open(self.directory.path()));
        let open = |tried: sled::Result<sled::Db>| tried.inspect_err(|_| std::thread::yield_now());
        let db = tries.find_map(|tried| open(tried).ok()).unwrap();
        let found = visit(&db);
        db.flush().unwrap();
        drop(db);
        self.reopen();
        found
    }

    /// Flips a bit in the last record whose key begins like this.
    fn damage(&mut self, prefix: &[u8]) {
        self.past_the_store(|db| {
            let record = db.scan_prefix(prefix).next_back().unwrap().unwrap();
            flip(db, &record);
        });
    }

    /// Flips a bit in each of the first records whose keys begin like this.
    fn damage_first(&mut self, prefix: &[u8], records: usize) {
        self.past_the_store(|db| {
            for record in db.scan_prefix(prefix).take(records) {
                flip(db, &record.unwrap());
            }
        });
    }

    /// The number of records whose keys begin with this byte.
    fn records(&mut self, kind: u8) -> usize {
        self.past_the_store(|db| db.scan_prefix([kind]).count())
    }

    /// Sweeps until nothing is left to remove.
    pub(crate) fn sweep(&self, now: Timestamp, keep: Retention) {
        while self.run(self.store().sweep(now, keep)).more {}
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_deref().unwrap()
    }

    /// All events from a moment on, oldest first.
    #[track_caller]
    pub(crate) fn events_from(&self, from: Timestamp) -> Vec<Event> {
        self.run(events_from(self.store(), from))
    }

    /// Runs an operation of the store to its end. Panics on an error.
    #[track_caller]
    pub(crate) fn run<T>(&self, verb: impl Future<Output = doorward::store::Result<T>>) -> T {
        self.runtime.block_on(verb).unwrap()
    }
}

fn flip(db: &sled::Db, (key, value): &(sled::IVec, sled::IVec)) {
    let mut bent = value.to_vec();
    *bent.last_mut().unwrap() ^= 1;
    db.insert(key, bent).unwrap();
}

/// Runs a test with every backend, each time on an empty store.
fn every_backend(promise: impl Fn(StoreFixture)) {
    for (name, open) in BACKENDS {
        eprintln!("backend: {name}");
        promise(StoreFixture::new(*open));
    }
}

/// The context of a change at a moment that the tests of the audit log do not look at.
pub(crate) fn made_at(at: Timestamp) -> AuditContext {
    AuditContext::server(at)
}

/// Another name and address for an account.
pub(crate) fn profile(name: Name, email: Email) -> UserEdit {
    UserEdit {
        name: Some(name),
        email: Some(email),
        disabled: None,
    }
}

/// Another state for an account.
pub(crate) fn disabling(disabled: bool) -> UserEdit {
    UserEdit {
        disabled: Some(disabled),
        ..UserEdit::default()
    }
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_772_366_400_000 + millis)
}

/// A digest that is different for each pair of word and number.
pub(crate) fn digest(what: &str, number: u64) -> Digest {
    crypto::digest(format!("{what} {number}").as_bytes())
}

pub(crate) fn bytes(what: &str, number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest(what, number).0[..16]);
    bytes
}

pub(crate) fn user_id(number: u64) -> UserId {
    UserId::from_random(bytes("user", number))
}

pub(crate) fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

pub(crate) fn new_user(number: u64, address: &str, invite: Option<&str>) -> NewUser {
    NewUser {
        id: user_id(number),
        email: email(address),
        name: Name::parse("Somebody").unwrap(),
        password_hash: "a hash".into(),
        invite: invite.map(str::to_owned),
    }
}

/// A token that lives for an hour. An access token can be refreshed for another hour.
pub(crate) fn new_token(
    number: u64,
    kind: TokenKind,
    holder: Principal,
    epoch: u32,
    now: Timestamp,
) -> NewToken {
    let id = TokenId::from_random(bytes("token", number));
    let hour = Duration::from_hours(1);
    let expires_at = now.after(hour);
    let token = Token {
        id,
        family: id,
        kind,
        holder,
        epoch,
        issued_at: now,
        expires_at,
        refreshable_until: match kind {
            TokenKind::Access => expires_at.after(hour),
            _ => expires_at,
        },
        last_used_at: now,
        client: Client::new([127, 0, 0, 1].into(), None),
        renewal: (kind == TokenKind::Angen).then(|| digest("renewal", number)),
        retired: None,
        grant: None,
    };
    NewToken {
        digest: digest("token", number),
        token,
    }
}

fn session(number: u64, user: u64, now: Timestamp) -> NewToken {
    new_token(
        number,
        TokenKind::Session,
        Principal::User(user_id(user)),
        0,
        now,
    )
}

/// Creates the first account and its first session.
fn ana(fixture: &StoreFixture) -> Principal {
    let created = fixture.run(fixture.store().create_user(
        new_user(1, "ana@example.org", None),
        Some(session(1, 1, at(0))),
        made_at(at(0)),
    ));
    assert!(matches!(created, Created::Done(_)));
    Principal::User(user_id(1))
}
