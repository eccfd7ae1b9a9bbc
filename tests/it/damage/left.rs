//! What is left of a damaged store is not mixed up.

use doorward::model::{Event, EventQuery, NewEvent, Order, Principal, TokenKind};
use doorward::store::{AccountStore, EventStore, Health, Maintenance, Report};

use super::past::{open, runtime, shared};
use crate::store::{at, made_at, new_token, new_user, user_id};

async fn report(store: &dyn EventStore, name: &str) {
    let events = [NewEvent {
        name,
        subject: user_id(1),
        details: None,
        id: None,
    }];
    let reported = store.append_events(Report {
        reporter: Principal::Admin,
        events: &events,
        idempotency: None,
        at: at(0),
    });
    reported.await.unwrap();
}

async fn names(store: &dyn EventStore) -> Vec<String> {
    let page = store.read_events(EventQuery::all(Order::Ascending)).await;
    let events = page.unwrap().events.into_iter();
    events.map(|(_, Event { name, .. })| name).collect()
}

#[test]
fn events_whose_name_is_lost_do_not_get_the_next_name() {
    let home = tempfile::tempdir().unwrap();
    let store = open(home.path(), false).unwrap();
    runtime().block_on(async {
        let user = new_user(1, "ana@example.org", None);
        let holder = Principal::User(user.id);
        let session = new_token(1, TokenKind::Session, holder, 0, at(0));
        store
            .create_user(user, Some(session), made_at(at(0)))
            .await
            .unwrap();
        report(&store, "before").await;
        store.close().await;
    });
    drop(store);
    {
        let db = sled::open(home.path()).unwrap();
        let (key, _) = db.scan_prefix(b"D").next().unwrap().unwrap();
        db.remove(key).unwrap();
    }
    let refused = open(home.path(), false).err().unwrap().to_string();
    assert!(refused.contains("records are missing"), "{refused}");

    let store = shared(open(home.path(), true).unwrap());
    assert_eq!(store.health(), Health::Damaged);
    runtime().block_on(async {
        report(store.as_ref(), "after").await;
        assert_eq!(names(store.as_ref()).await, ["(lost 1)", "after"]);
        store.close().await;
    });
}
