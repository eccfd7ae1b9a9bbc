//! Judges what a start makes of damaged files.

use std::path::Path;

use doorward::model::{EventQuery, Order, Principal, TokenKind};
use doorward::store::{Error, Health, Maintenance, Store};

use super::files;
use super::past::{ACCOUNTS, PAST, Past, address, open, records, runtime, shared};
use crate::store::{at, digest, email, made_at, new_token, new_user, user_id};

/// What came of a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// Everything that was acknowledged is there.
    Whole,
    /// It did not start, changed nothing, and said this.
    Refused(String),
    /// It started with less, and said nothing. This must never be.
    Lost(String),
}

/// Starts the store in `directory` and looks for everything that was acknowledged.
pub(super) fn start(directory: &Path) -> Fate {
    let before = files::contents(directory);
    match open(directory, false) {
        Ok(store) => {
            let health = store.health();
            runtime().block_on(store.close());
            drop(store);
            match (health, missing(directory, &PAST)) {
                (Health::Fine, None) => Fate::Whole,
                (health, missing) => Fate::Lost(format!("{health:?}, missing {missing:?}")),
            }
        }
        Err(Error::Damaged(why)) => {
            assert!(why.contains("Nothing has been changed"), "{why}");
            assert!(before == files::contents(directory), "{why}: a lie");
            Fate::Refused(why)
        }
        Err(other) => Fate::Lost(other.to_string()),
    }
}

/// A record that is not there as it was acknowledged.
fn missing(directory: &Path, past: &Past) -> Option<String> {
    let there = records(directory);
    let mut expected = past.ledger.iter();
    let missing = expected.find(|(key, value)| there.get(*key) != Some(value));
    missing.map(|(key, _)| format!("{:?}", String::from_utf8_lossy(key)))
}

/// Starts with what is left of a refused store: it serves that, takes changes, and says that it is
/// damaged until the owner accepts the loss.
pub(super) fn go_on(directory: &Path) {
    let store = shared(open(directory, true).expect("what is left is served"));
    assert_eq!(store.health(), Health::Damaged);
    runtime().block_on(async {
        serves(store.as_ref()).await;
        store.close().await;
    });
    drop(store);
    let again = open(directory, true).unwrap();
    assert_eq!(again.health(), Health::Damaged, "after another start");
    runtime().block_on(again.close());
    drop(again);
    let accepted = open(directory, false).unwrap();
    assert_eq!(accepted.health(), Health::Fine, "once it is accepted");
    runtime().block_on(accepted.close());
}

async fn serves(store: &dyn Store) {
    for number in 0..ACCOUNTS {
        store.find_user(user_id(number)).await.unwrap();
        let key = email(&address(number)).key();
        store.find_user_by_email(&key).await.unwrap();
        let token = digest("token", number * 10);
        store.find_token(&token).await.unwrap();
    }
    let query = EventQuery::all(Order::Ascending);
    store.read_events(query).await.unwrap();
    store.event_counts(0..u32::MAX, None).await.unwrap();
    store.due_mails(at(1)).await.unwrap();
    let user = new_user(1_000, "a.new.one@example.org", None);
    let holder = Principal::User(user.id);
    let session = new_token(100_000, TokenKind::Session, holder, 0, at(0));
    store
        .create_user(user, Some(session), made_at(at(0)))
        .await
        .unwrap();
    assert!(store.find_user(user_id(1_000)).await.unwrap().is_some());
}
