//! Lists of a large store: 100,000 accounts, 500,000 tokens and 1,000,000 entries of the audit log.
//! It takes minutes and measures, so it runs only when it is asked for:
//!
//! `cargo test --release --test it large -- --ignored --nocapture`
//!
//! With `DOORWARD_LARGE`, a directory with such a store, it measures a copy of that.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use doorward::model::{
    Actor, AuditAction, AuditContext, AuditOutcome, AuditQuery, Name, NewUser, Order, Principal,
    TokenKind, TokenQuery, UserQuery, UserSort,
};
use doorward::store::Store;
use doorward::store::sled::{SledStore, StoreOptions};
use tokio::task::JoinSet;

use super::{Opening, StoreFixture, at, email, made_at, new_token, user_id};

const USERS: u64 = 100_000;
const TOKENS: u64 = 500_000;
const ENTRIES: u64 = 1_000_000;
/// Steps that wait for the writer at once.
const AT_ONCE: u64 = 1_000;
/// Entries that one step writes.
const A_STEP: u64 = 500;

/// Runs a verb for each number, many at once.
fn for_each<F: Future<Output = ()> + Send + 'static>(
    fixture: &StoreFixture,
    numbers: std::ops::Range<u64>,
    verb: impl Fn(u64) -> F,
) {
    fixture.runtime.block_on(async {
        let mut running = JoinSet::new();
        for number in numbers {
            running.spawn(verb(number));
            if running.len() as u64 >= AT_ONCE {
                running.join_next().await;
            }
        }
        running.join_all().await;
    });
}

fn fill(fixture: &StoreFixture) {
    let store = fixture.store.clone().unwrap();
    for_each(fixture, 0..USERS, |number| {
        let store = store.clone();
        async move {
            let user = NewUser {
                id: user_id(number),
                email: email(&format!("user{number}@example.org")),
                name: Name::parse(&format!("Name{number} Family{}", number % 1_000)).unwrap(),
                password_hash: String::new(),
                invite: None,
            };
            store.create_user(user, None, made_at(at(0))).await.unwrap();
        }
    });
    for_each(fixture, 0..TOKENS, |number| {
        let store = store.clone();
        async move {
            let holder = Principal::User(user_id(number % USERS));
            let token = new_token(number, TokenKind::Session, holder, 0, at(0));
            let issued = store.issue_token(token, 100, AuditAction::LogIn, made_at(at(1)));
            assert!(issued.await.unwrap());
        }
    });
    let written = USERS + TOKENS;
    for_each(fixture, 0..(ENTRIES - written) / A_STEP, |step| {
        let store = store.clone();
        let entries = (0..A_STEP).map(|index| {
            let number = step * A_STEP + index;
            let by = AuditContext {
                actor: Actor::Anonymous,
                ..made_at(at(2))
            };
            let entry = by.entry(AuditAction::LogIn, AuditOutcome::WrongPassword);
            entry.on(user_id(number % USERS))
        });
        let entries = entries.collect();
        async move { store.append_audit(entries).await.unwrap() }
    });
}

/// Opens a store with the memory of a default configuration.
fn opened(path: &Path) -> Opening<'_> {
    Box::pin(async move {
        let store = SledStore::open(path, StoreOptions::default()).await;
        Arc::new(store.unwrap()) as Arc<dyn Store>
    })
}

/// The longest of some runs, in milliseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "it measures how long a list takes"
)]
fn longest<F: Future>(fixture: &StoreFixture, what: &str, verb: impl Fn() -> F) -> f64 {
    let run = |_| {
        let started = Instant::now();
        fixture.runtime.block_on(verb());
        started.elapsed().as_secs_f64() * 1e3
    };
    let times: Vec<f64> = (0..10).map(run).collect();
    let longest = times.iter().copied().fold(0.0, f64::max);
    println!("{what}: first {:.1} ms, at most {longest:.1} ms", times[0]);
    longest
}

fn users(prefix: Option<&str>, disabled: Option<bool>) -> UserQuery {
    UserQuery {
        prefix: prefix.map(str::to_owned),
        disabled,
        sort: UserSort::Created,
        order: Order::Descending,
        after: None,
        limit: 100,
    }
}

fn sorted(sort: UserSort) -> UserQuery {
    UserQuery {
        sort,
        ..users(None, None)
    }
}

fn measure(fixture: &StoreFixture, store: &dyn Store) -> Vec<f64> {
    let list =
        |what: &str, query: UserQuery| longest(fixture, what, || store.list_users(query.clone()));
    let audit =
        |what: &str, query: AuditQuery| longest(fixture, what, || store.read_audit(query.clone()));
    let ana = Some(user_id(7));
    vec![
        list("users", users(None, None)),
        list("users sorted by address", sorted(UserSort::Email)),
        list("users sorted by name", sorted(UserSort::Name)),
        list("users, none disabled", users(None, Some(true))),
        list("users by address", users(Some("user9"), None)),
        list("users by name", users(Some("family99"), None)),
        list("users by an unknown name", users(Some("nobody"), None)),
        longest(fixture, "tokens", || {
            store.list_tokens(TokenQuery {
                holder: None,
                kind: Some(TokenKind::Hub),
                after: None,
                limit: 100,
            })
        }),
        audit("audit", AuditQuery::newest(100)),
        audit(
            "audit of a user",
            AuditQuery {
                user: ana,
                ..AuditQuery::newest(100)
            },
        ),
        audit(
            "audit, an action that is rare",
            AuditQuery {
                action: Some(AuditAction::Reload),
                ..AuditQuery::newest(100)
            },
        ),
        audit(
            "audit of a request",
            AuditQuery {
                request: Some("a request".to_owned()),
                ..AuditQuery::newest(100)
            },
        ),
    ]
}

#[test]
#[ignore = "it takes minutes and measures: see the head of the file"]
fn any_page_of_any_list_takes_at_most_20_ms() {
    let kept = std::env::var_os("DOORWARD_LARGE").map(PathBuf::from);
    let directory = tempfile::tempdir().unwrap();
    let filled = kept.filter(|it| it.exists());
    if let Some(filled) = &filled {
        copy(filled, directory.path());
    }
    let mut fixture = StoreFixture::of(directory, opened);
    if filled.is_none() {
        fill(&fixture);
        println!("filled {}", fixture.directory.path().display());
    }
    // What was written last must not be in memory.
    fixture.reopen();
    let times = measure(&fixture, fixture.store());
    assert!(times.iter().all(|time| *time <= 20.0), "{times:?}");
}

fn copy(from: &Path, to: &Path) {
    let source = from.join(".");
    let copied = Command::new("cp").arg("-r").arg(source).arg(to).status();
    assert!(copied.unwrap().success());
}
