//! Tests of the store on a disk that is small or full.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;

use super::SledStore;
use super::options::StoreOptions;
use crate::model::{AuditContext, Principal, UserId};
use crate::model::{
    Digest, Email, Erasure, EventId, Name, NewEvent, NewToken, NewUser, Timestamp, Token, TokenId,
};
use crate::store::sled::events::disk_writes;
use crate::store::{
    AccountStore, Appended, Created, EventStore, Health, Maintenance, Report, SystemValue,
};
use crate::store::{Error, Result};

const MIB: u64 = 1 << 20;

async fn store_on(directory: &TempDir, free: &Arc<AtomicU64>) -> SledStore {
    let free = Arc::clone(free);
    let free_bytes = Box::new(move || free.load(Ordering::Relaxed));
    let opened = SledStore::open_measuring(directory.path(), StoreOptions::default(), free_bytes);
    opened.await.unwrap()
}

async fn report(store: &SledStore, events: &[NewEvent<'_>]) -> Result<Appended> {
    store
        .append_events(Report {
            reporter: Principal::Admin,
            events,
            idempotency: None,
            at: Timestamp::default(),
        })
        .await
}

fn event(name: &str) -> NewEvent<'_> {
    NewEvent {
        id: None,
        name,
        subject: ANA,
        details: None,
    }
}

const ANA: UserId = UserId(uuid::Uuid::nil());

async fn sign_up(store: &SledStore) {
    let token = Token::sample(TokenId(uuid::Uuid::nil()), Principal::User(ANA));
    let user = NewUser {
        id: ANA,
        email: Email::parse("ana@example.org").unwrap(),
        name: Name::parse("Ana").unwrap(),
        password_hash: String::new(),
        invite: None,
    };
    let session = NewToken {
        digest: Digest([0; 32]),
        token,
    };
    let created = store.create_user(
        user,
        Some(session),
        AuditContext::server(Timestamp::default()),
    );
    assert!(matches!(created.await, Ok(Created::Done(_))));
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
    sign_up(&store).await;
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
        .keep_system_value(SystemValue::FingerprintSalt, vec![3])
        .await;
    assert_eq!(refused, Err(Error::Full));
    assert_eq!(
        store.find_system_value(SystemValue::FingerprintSalt).await,
        Ok(None)
    );

    free.store(10 * MIB, Ordering::Relaxed);
    let kept = store
        .keep_system_value(SystemValue::FingerprintSalt, vec![3])
        .await;
    assert_eq!((kept, store.health()), (Ok(vec![3]), Health::NoEvents));
    // A report without events writes nothing.
    assert_eq!(report(&store, &[]).await, Ok(Appended::Stored(0)));
    assert_eq!(report(&store, &[event("a")]).await, Err(Error::Full));
    free.store(64 * MIB, Ordering::Relaxed);
    assert_eq!(report(&store, &[event("a")]).await, Ok(Appended::Stored(1)));
    assert_eq!(store.health(), Health::Fine);
}

/// A store on a disk of so many bytes, of which it takes what its files take.
async fn store_on_small_disk(directory: &TempDir, disk_bytes: u64) -> SledStore {
    let path = directory.path().to_owned();
    let free = move || disk_bytes.saturating_sub(disk_writes::disk_bytes(&path).unwrap());
    let options = StoreOptions {
        max_names: 1_000_000,
        ..StoreOptions::default()
    };
    let store = SledStore::open_measuring(directory.path(), options, Box::new(free)).await;
    let store = store.unwrap();
    sign_up(&store).await;
    store
}

/// Reports until the disk is full; the events of the n-th report are made of its number.
/// Returns the bytes that are still free, which the events must leave to others.
async fn left_by(details: Option<&str>, name: impl Fn(u64) -> String, has_ids: bool) -> u64 {
    const DISK: u64 = 28 * MIB;
    const EVENTS: u64 = 1_000;
    let directory = tempfile::tempdir().unwrap();
    let store = store_on_small_disk(&directory, DISK).await;
    for number in 0..10_000 {
        let range = number * EVENTS..(number + 1) * EVENTS;
        let names: Vec<String> = range.clone().map(&name).collect();
        // Ids are random: each is in a page of its own.
        let id = |at: u64| at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes();
        let events = range.zip(&names).map(|(at, name)| NewEvent {
            id: has_ids.then(|| EventId(uuid::Uuid::from_u128(u64::from_be_bytes(id(at)).into()))),
            details,
            ..event(name)
        });
        let events: Vec<NewEvent<'_>> = events.collect();
        match report(&store, &events).await {
            Ok(Appended::Stored(_)) => {}
            Err(Error::Full | Error::TooManyKeys) => break,
            other => panic!("{other:?}"),
        }
    }
    store.close().await;
    DISK.saturating_sub(disk_writes::disk_bytes(directory.path()).unwrap())
}

#[tokio::test]
async fn a_report_that_is_refused_for_lack_of_space_leaves_no_id_behind() {
    let directory = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(64 * MIB));
    let store = store_on(&directory, &free).await;
    sign_up(&store).await;
    let events: Vec<NewEvent<'_>> = (0..10_000)
        .map(|at| NewEvent {
            id: Some(EventId(uuid::Uuid::from_u128(at))),
            ..event("a")
        })
        .collect();
    // Enough for the step to run, and too little for its ids.
    free.store(16 * MIB + MIB / 8, Ordering::Relaxed);
    assert_eq!(report(&store, &events).await, Err(Error::Full));
    assert_eq!(report(&store, &events[..9]).await, Ok(Appended::Stored(9)));
    let used = store.disk_use(Timestamp::default()).await.unwrap();
    assert_eq!(used.events_stored, 9);
}

#[tokio::test]
async fn every_step_is_charged_what_it_writes() {
    let one = |_: u64| "a".to_owned();
    let long = |at: u64| format!("{at:0200}");
    let short = |at: u64| at.to_string();
    let details = Some(r#"{"some":"details","and":12345}"#);
    for (content, left) in [
        ("long names", left_by(None, long, false).await),
        ("short names", left_by(None, short, false).await),
        ("ids", left_by(None, one, true).await),
        ("details", left_by(details, one, false).await),
    ] {
        assert!(left > 14 * MIB, "{content}: {left} bytes are left");
    }
}

#[tokio::test]
async fn an_erasure_that_is_refused_for_lack_of_space_takes_nothing_back() {
    let directory = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(64 * MIB));
    let store = store_on(&directory, &free).await;
    sign_up(&store).await;
    let events = [event("a"); 3];
    assert_eq!(report(&store, &events).await, Ok(Appended::Stored(3)));
    let now = Timestamp::default();
    while store
        .merge_events(now.after(std::time::Duration::from_hours(2)))
        .await
        .unwrap()
    {}
    let everything = || Erasure {
        name: Some("a".into()),
        subject: None,
        before: None,
    };
    let counted = async || {
        let counts = store.event_counts(0..1, None).await.unwrap();
        counts
            .hours
            .iter()
            .flat_map(|it| &it.counts)
            .map(|it| it.count)
            .sum::<u64>()
    };
    free.store(MIB, Ordering::Relaxed);
    for _ in 0..2 {
        assert_eq!(
            store
                .erase_events(everything(), AuditContext::server(now))
                .await,
            Err(Error::Full)
        );
    }
    free.store(64 * MIB, Ordering::Relaxed);
    // Whatever is written next must not carry the counts of a refused step.
    assert_eq!(report(&store, &events).await, Ok(Appended::Stored(3)));
    assert_eq!(counted().await, 6);
    assert_eq!(
        store
            .erase_events(everything(), AuditContext::server(now))
            .await,
        Ok(6)
    );
    assert_eq!(counted().await, 0);
}
