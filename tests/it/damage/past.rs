//! The life of a store whose files are damaged then: some accounts, tokens, invites, mails, and
//! events, in several segments of the log and a snapshot.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use doorward::model::{
    AuditAction, DueMail, InviteTerms, MailId, MailKind, NewEvent, Principal, Timestamp, TokenKind,
};
use doorward::store::sled::{SledStore, StoreOptions};
use doorward::store::{Maintenance, Report, Store};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::files::copy;
use crate::store::{at, bytes, digest, email, made_at, new_token, new_user, user_id};

pub(super) const ACCOUNTS: u64 = 40;
const HOUR: i64 = 3_600_000;

/// Every record, by its key.
pub(super) type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// The store at three moments.
pub(super) struct Past {
    /// An older copy, from the middle of its life.
    pub(super) old: TempDir,
    /// Closed.
    pub(super) closed: TempDir,
    /// As a kill leaves it: the files when everything was acknowledged and nothing closed.
    pub(super) killed: TempDir,
    /// What was acknowledged in the end.
    pub(super) ledger: Records,
}

/// The past is the same for all tests.
pub(super) static PAST: LazyLock<Past> = LazyLock::new(Past::live);

pub(super) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

pub(super) fn open(path: &Path, open_damaged: bool) -> doorward::store::Result<SledStore> {
    runtime().block_on(SledStore::open(
        path,
        StoreOptions {
            memory_budget: 16 << 20,
            open_damaged,
            ..StoreOptions::default()
        },
    ))
}

impl Past {
    fn live() -> Past {
        let home = tempfile::tempdir().unwrap();
        let path = home.path();
        let store = open(path, false).unwrap();
        runtime().block_on(async {
            accounts(&store, 0..ACCOUNTS / 2).await;
            events(&store, 0..60).await;
            store.close().await;
        });
        drop(store);
        let old = copy(path);
        for half in [0..1, 1..2] {
            // A start writes a snapshot of what is there.
            let store = open(path, false).unwrap();
            let from = ACCOUNTS / 2 + half.start * ACCOUNTS / 4;
            runtime().block_on(async {
                accounts(&store, from..from + ACCOUNTS / 4).await;
                while store_merges(&store).await {}
                events(&store, 60 + half.start * 60..60 + half.end * 60).await;
                store.close().await;
            });
        }
        let store = open(path, false).unwrap();
        runtime().block_on(events(&store, 200..260));
        let killed = copy(path);
        runtime().block_on(store.close());
        drop(store);
        let closed = copy(path);
        let ledger = records(path);
        Past {
            old,
            closed,
            killed,
            ledger,
        }
    }
}

async fn store_merges(store: &dyn Store) -> bool {
    store.merge_events(at(1_000 * HOUR)).await.unwrap()
}

async fn accounts(store: &dyn Store, numbers: std::ops::Range<u64>) {
    let terms = InviteTerms {
        uses: 3,
        expires_at: None,
    };
    let invite = (digest("invite", numbers.start), terms);
    store.offer_invites(vec![invite]).await.unwrap();
    for number in numbers {
        let holder = Principal::User(user_id(number));
        let token = |place| new_token(number * 10 + place, TokenKind::Session, holder, 0, at(0));
        let user = new_user(number, &address(number), None);
        store
            .create_user(user, Some(token(0)), made_at(at(0)))
            .await
            .unwrap();
        store
            .issue_token(token(1), 100, AuditAction::LogIn, made_at(at(0)))
            .await
            .unwrap();
        let mail = DueMail {
            id: MailId(uuid::Uuid::from_bytes(bytes("mail", number))),
            kind: MailKind::Reset,
            to: email(&address(number)),
            asked_at: at(0),
            due_at: at(0),
            attempts: 0,
        };
        assert!(store.enqueue_mail(mail).await.unwrap());
    }
}

pub(super) fn address(number: u64) -> String {
    format!("user{number}@example.org")
}

/// Reports of some events each, with details that do not compress well.
async fn events(store: &dyn Store, reports: std::ops::Range<u64>) {
    for report in reports {
        let details: Vec<String> = (0..20)
            .map(|event| {
                format!(
                    r#"{{"which":"{:?}"}}"#,
                    digest("event", report * 20 + event).0
                )
            })
            .collect();
        let event = |details| NewEvent {
            name: "something",
            subject: user_id(report % (ACCOUNTS / 2)),
            details: Some(details),
            id: None,
        };
        let events: Vec<_> = details
            .iter()
            .map(|details| event(details.as_str()))
            .collect();
        let reported = store.append_events(Report {
            reporter: Principal::Admin,
            events: &events,
            idempotency: None,
            at: moment(report),
        });
        reported.await.unwrap();
    }
}

fn moment(report: u64) -> Timestamp {
    at(i64::try_from(report).unwrap() * 60_000)
}

/// All records of the database in `path`, but for what every start writes: the last group, the
/// number of starts, and what was written on each day.
pub(super) fn records(path: &Path) -> Records {
    // A thread of sled's may hold the lock a moment longer.
    let mut tries = (0..10_000).map(|_| sled::open(path).inspect_err(|_| std::thread::yield_now()));
    let db = tries.find_map(Result::ok).expect("sled opens it");
    let records = db.iter().map(|record| {
        let (key, value) = record.expect("sled reads it");
        (key.to_vec(), value.to_vec())
    });
    let is_kept = |key: &[u8]| key[0] != b'W' && key != [b'M', 1] && key != [b'M', 4];
    records.filter(|(key, _)| is_kept(key)).collect()
}

/// The store, to be asked from any thread.
pub(super) fn shared(store: SledStore) -> Arc<dyn Store> {
    Arc::new(store)
}
