//! Fills a store with events of the last days, without HTTP: it calls the store's own contract,
//! because the server does not let clients choose the time of an event. Names, ids and tokens are
//! computed from numbers, so that the measurements know which values to ask for.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use doorward::crypto;
use doorward::model::{
    self, AuditAction, AuditContext, Email, Name, NewEvent, NewToken, NewUser, Principal,
    Retention, Timestamp, Token, TokenId, TokenKind, UserId,
};
use doorward::store::sled::{SledStore, StoreOptions};
use doorward::store::{
    AccountStore, Appended, Created, EventStore, Maintenance, Report, Store, TokenStore,
};

use crate::events::{self, Dice, USERS, batch_len};
use crate::figures::number;
use crate::outcome::Outcome;
use crate::subject::Home;

/// A name that a hundred events have, spread evenly over the days.
pub(crate) const RARE_NAME: &str = "lobby.rare";
/// The account that a hundred events are about, and one that no event is about.
pub(crate) const RARE_USER: usize = USERS;
pub(crate) const IDLE_USER: usize = USERS + 1;
const RARE_EVENTS: u64 = 100;
/// The minimum number of accounts.
const LEAST_ACCOUNTS: u64 = USERS as u64 + 2;
/// Concurrent requests: enough for the store to commit them in groups.
const AT_ONCE: u64 = 64;
/// The store does its background work after so many batches.
const SETTLE_EVERY: usize = 1_000;
/// The time for the database to clean up after all events: it does so twice a second, for a quarter
/// of a second each.
const REST: Duration = Duration::from_secs(20);
const DAY: Duration = Duration::from_hours(24);

/// The contents to fill a store with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mix {
    pub(crate) events: u64,
    pub(crate) days: u32,
    pub(crate) accounts: u64,
    /// Sessions, spread over all accounts in turn.
    pub(crate) tokens: u64,
}

impl Mix {
    /// So many events over 30 days, with the minimum number of accounts.
    pub(crate) fn of(events: u64) -> Mix {
        Mix {
            events,
            days: 30,
            accounts: LEAST_ACCOUNTS,
            tokens: 0,
        }
    }

    fn batches(self) -> u64 {
        self.events / batch_len() as u64
    }

    /// The time of a batch: the batches are spread evenly over the days before `now`.
    fn moment(self, batch: u64, now: Timestamp) -> Timestamp {
        let span = u64::from(self.days) * DAY.as_millis() as u64;
        let left = span - span / self.batches().max(1) * batch;
        now.before(Duration::from_millis(left))
    }
}

/// The result of a fill. A file beside the data keeps it for the measurements.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Filled {
    pub(crate) events: u64,
    pub(crate) days: u32,
    pub(crate) accounts: u64,
    pub(crate) tokens: u64,
    /// The time to store the events, until they were on the disk.
    pub(crate) storing_seconds: f64,
    /// The time of the store's background work on them.
    pub(crate) settling_seconds: f64,
    /// The disk space that the events take after that.
    pub(crate) bytes: u64,
}

/// The id of an account.
pub(crate) fn user_id(account: usize) -> UserId {
    let mut dice = Dice(0xACC0 + account as u64);
    let mut draw = || dice.roll(1 << 63).to_be_bytes();
    let (high, low) = (draw(), draw());
    let mut bytes = [0; 16];
    let drawn = high.into_iter().chain(low);
    bytes
        .iter_mut()
        .zip(drawn)
        .for_each(|(to, from)| *to = from);
    UserId::from_random(bytes)
}

/// The token of the session that every account has from its signup.
pub(crate) fn session(account: usize) -> String {
    format!("bench-session-{account}")
}

/// Fills an empty home.
pub(crate) fn fill(home: &Home, mix: Mix) -> Outcome<Filled> {
    let accounts = mix.accounts.max(LEAST_ACCOUNTS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let store = Arc::new(SledStore::open(&home.data(), StoreOptions::default()).await?);
        let now = now()?;
        let open = move |store: Arc<SledStore>, index| async move {
            sign_up(&store, index as usize, now).await
        };
        every(&store, 0..LEAST_ACCOUNTS, open).await?;
        let before = home.disk_bytes()?;
        let (storing, settling) = store_events(&store, mix, now).await?;
        tokio::time::sleep(REST).await;
        let bytes = home.disk_bytes()?.saturating_sub(before);
        // After the measurement, so that `bytes` counts only events.
        every(&store, LEAST_ACCOUNTS..accounts, open).await?;
        every(&store, 0..mix.tokens, move |store, index| async move {
            issue(&store, index, accounts, now).await
        })
        .await?;
        store.close().await;
        let filled = Filled {
            events: mix.events,
            days: mix.days,
            accounts,
            tokens: mix.tokens,
            storing_seconds: storing.as_secs_f64(),
            settling_seconds: settling.as_secs_f64(),
            bytes,
        };
        home.note(&serde_json::to_string_pretty(&filled)?)?;
        Ok(filled)
    })
}

/// Stores all events, and lets the store do its background work in between, as in a server. Returns
/// the time of each.
async fn store_events(
    store: &Arc<SledStore>,
    mix: Mix,
    now: Timestamp,
) -> Outcome<(Duration, Duration)> {
    let (mut storing, mut settling) = (Duration::ZERO, Duration::ZERO);
    let batches = mix.batches();
    for first in (0..batches).step_by(SETTLE_EVERY) {
        let (next, started) = (batches.min(first + SETTLE_EVERY as u64), Instant::now());
        every(store, first..next, move |store, index| async move {
            append(&store, mix, index, now).await
        })
        .await?;
        let stored = Instant::now();
        settle(store.as_ref(), mix.moment(next, now)).await?;
        storing += stored - started;
        settling += stored.elapsed();
    }
    Ok((storing, settling))
}

/// Calls `act` for each of these numbers, in order, with up to `AT_ONCE` calls under way.
async fn every<F, A>(store: &Arc<SledStore>, numbers: Range<u64>, act: F) -> Outcome<()>
where
    F: Fn(Arc<SledStore>, u64) -> A + Copy + Send + 'static,
    A: Future<Output = Result<(), String>> + Send,
{
    let next = Arc::new(AtomicU64::new(numbers.start));
    let worker = |_| {
        let (store, next) = (Arc::clone(store), Arc::clone(&next));
        tokio::spawn(async move {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= numbers.end {
                    return Ok::<(), String>(());
                }
                act(Arc::clone(&store), index).await?;
            }
        })
    };
    for worker in (0..AT_ONCE).map(worker).collect::<Vec<_>>() {
        worker.await??;
    }
    Ok(())
}

async fn sign_up(store: &SledStore, account: usize, now: Timestamp) -> Result<(), String> {
    let wrong = |invalid: model::Invalid| invalid.to_string();
    let user = NewUser {
        id: user_id(account),
        email: Email::parse(&format!("bench{account}@example.org")).map_err(wrong)?,
        name: Name::parse("Bench").map_err(wrong)?,
        // No client logs in to these accounts with a password.
        password_hash: String::new(),
        invite: None,
    };
    let created = store
        .create_user(
            user,
            Some(token(account, &session(account), now)),
            AuditContext::server(now),
        )
        .await;
    match created.map_err(|error| error.to_string())? {
        Created::Done(_) => Ok(()),
        other => Err(format!("account {account} was filled in before: {other:?}")),
    }
}

async fn issue(store: &SledStore, index: u64, accounts: u64, now: Timestamp) -> Result<(), String> {
    let account = (index % accounts) as usize;
    let token = token(account, &format!("bench-token-{index}"), now);
    let issued = store
        .issue_token(
            token,
            usize::MAX,
            AuditAction::LogIn,
            AuditContext::server(now),
        )
        .await;
    issued.map(drop).map_err(|error| error.to_string())
}

fn token(account: usize, secret: &str, now: Timestamp) -> NewToken {
    let digest = crypto::digest(secret.as_bytes());
    let mut id = [0; 16];
    id.iter_mut()
        .zip(digest.0)
        .for_each(|(to, from)| *to = from);
    let id = TokenId::from_random(id);
    let expires_at = now.after(30 * DAY);
    NewToken {
        digest,
        token: Token {
            id,
            family: id,
            kind: TokenKind::Session,
            holder: Principal::User(user_id(account)),
            epoch: 0,
            issued_at: now,
            expires_at,
            refreshable_until: expires_at,
            last_used_at: now,
            client: model::Client::new(IpAddr::V4(Ipv4Addr::LOCALHOST), None),
            renewal: None,
            retired: None,
            grant: None,
        },
    }
}

/// Stores one batch with the time that belongs to it.
async fn append(store: &SledStore, mix: Mix, batch: u64, now: Timestamp) -> Result<(), String> {
    let batches = mix.batches();
    let mut dice = Dice(batch << 20);
    let mut drawn: Vec<_> = (0..batch_len()).map(|_| events::draw(&mut dice)).collect();
    // One batch in so many has one event with the rare name and another one of the rare user.
    let stride = (batches / RARE_EVENTS).max(1);
    if let [first, second, ..] = drawn.as_mut_slice()
        && batch.is_multiple_of(stride)
        && batch / stride < RARE_EVENTS
    {
        RARE_NAME.clone_into(&mut first.name);
        second.user = RARE_USER;
    }
    let events: Vec<_> = drawn
        .iter()
        .map(|event| NewEvent {
            name: &event.name,
            subject: user_id(event.user),
            details: Some(&event.details),
            id: None,
        })
        .collect();
    let report = Report {
        reporter: Principal::User(user_id(0)),
        events: &events,
        idempotency: None,
        at: mix.moment(batch, now),
    };
    if batch.is_multiple_of((batches / 10).max(1)) {
        let done = number((batch * batch_len() as u64) as f64);
        eprintln!("filling: {done} of {} events", number(mix.events as f64));
    }
    match store.append_events(report).await {
        Ok(Appended::Stored(_)) => Ok(()),
        other => Err(format!("batch {batch}: {other:?}")),
    }
}

/// Runs the background work of a server's sweep (merge and expiry) until the store reports that
/// nothing is left.
async fn settle(store: &dyn Store, now: Timestamp) -> Outcome<()> {
    let keep = Retention {
        ended: Duration::from_hours(24 * 30),
        events: Duration::from_hours(24 * 90),
        counts: Duration::from_hours(24 * 90),
        max_bytes: u64::MAX,
    };
    while store.merge_events(now).await? {}
    while store.sweep(now, keep).await?.more {}
    Ok(())
}

fn now() -> Outcome<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp::from_millis(i64::try_from(since.as_millis())?))
}
