//! The contract of the audit log: its entries stand and fall with the changes that they tell of.

use std::time::Duration;

use doorward::model::{
    Actor, AuditAction, AuditContext, AuditEntry, AuditOutcome, AuditPage, AuditPlace, AuditQuery,
    AuditRetention, Caller, Client, Order, Principal, RequestId, Timestamp, UserId,
};
use doorward::store::{Heard, OnlyIf, Updated};

use super::{
    StoreFixture, ana, at, digest, disabling, email, every_backend, made_at, new_user, profile,
    session, user_id,
};

fn read(fixture: &StoreFixture, query: AuditQuery) -> AuditPage {
    fixture.run(fixture.store().read_audit(query))
}

/// The actions of all entries, the oldest first.
fn actions(fixture: &StoreFixture) -> Vec<AuditAction> {
    let query = AuditQuery {
        order: Order::Ascending,
        ..AuditQuery::newest(1_000)
    };
    let page = read(fixture, query);
    page.entries.iter().map(|(_, it)| it.action).collect()
}

fn by(actor: Actor, now: i64) -> AuditContext {
    let caller = Caller {
        client: Client::new([192, 0, 2, 7].into(), Some("a client")),
        request: RequestId::given("a-request").unwrap(),
        at: at(now),
    };
    caller.acting(actor)
}

fn numbered(number: u64, now: i64) -> AuditEntry {
    made_at(at(now))
        .done(AuditAction::UpdateUser)
        .on(user_id(number))
}

#[test]
fn an_entry_is_there_if_the_change_is_and_says_who_from_where_and_on_whom() {
    every_backend(|mut fixture| {
        let ana = ana(&fixture);
        let store = fixture.store();
        let admin = Actor::Holder(Principal::Admin);
        assert_eq!(
            fixture.run(store.update_user(
                user_id(1),
                disabling(true),
                OnlyIf::There,
                None,
                by(admin.clone(), 1)
            )),
            Updated::Done
        );
        // These change nothing.
        assert_eq!(
            fixture.run(store.update_user(
                user_id(1),
                disabling(true),
                OnlyIf::There,
                None,
                by(admin.clone(), 2)
            )),
            Updated::Done
        );
        assert_eq!(
            fixture.run(store.update_user(
                user_id(9),
                disabling(true),
                OnlyIf::There,
                None,
                by(admin.clone(), 2)
            )),
            Updated::Gone
        );
        assert!(!fixture.run(store.end_family(
            digest("token", 9),
            Some(super::FROM),
            made_at(at(2))
        )));
        let gone = store.change_password(user_id(1), 0, "x".into(), None, None, made_at(at(2)));
        assert_eq!(fixture.run(gone), Updated::Gone);
        let taken = new_user(2, "ana@example.org", None);
        fixture.run(store.create_user(taken, Some(session(2, 2, at(2))), made_at(at(2))));
        fixture.reopen();
        let expected = [AuditAction::SignUp, AuditAction::DisableUser];
        assert_eq!(actions(&fixture), expected);

        let page = read(&fixture, AuditQuery::newest(1));
        let (_, entry) = &page.entries[0];
        let expected = by(admin, 1).done(AuditAction::DisableUser).on(user_id(1));
        assert_eq!(entry, &expected);
        assert_eq!(entry.request.as_deref(), Some("a-request"));
        assert_eq!(ana, Principal::User(entry.user.unwrap()));
    });
}

#[test]
fn every_change_of_an_account_is_written_down_under_it() {
    every_backend(|fixture| {
        ana(&fixture);
        let store = fixture.store();
        let name = doorward::model::Name::parse("Anna").unwrap();
        let mail = email("ana@example.org");
        fixture.run(store.update_user(
            user_id(1),
            profile(name, mail),
            OnlyIf::Active,
            None,
            made_at(at(1)),
        ));
        fixture.run(store.change_password(user_id(1), 0, "new".into(), None, None, made_at(at(2))));
        fixture.run(store.put_reset(user_id(1), digest("code", 1), at(100), made_at(at(0))));
        let code = digest("code", 1);
        fixture.run(store.redeem_reset(code, "newer".into(), None, made_at(at(3))));
        fixture.run(store.update_user(
            user_id(1),
            disabling(true),
            OnlyIf::There,
            None,
            made_at(at(4)),
        ));
        fixture.run(store.update_user(
            user_id(1),
            disabling(false),
            OnlyIf::There,
            None,
            made_at(at(5)),
        ));
        fixture.run(store.delete_user(user_id(1), made_at(at(6))));
        let query = AuditQuery {
            user: Some(user_id(1)),
            ..AuditQuery::newest(100)
        };
        let page = read(&fixture, query);
        let found: Vec<_> = page.entries.iter().map(|(_, it)| it.action).collect();
        let expected = [
            AuditAction::DeleteUser,
            AuditAction::EnableUser,
            AuditAction::DisableUser,
            AuditAction::RedeemReset,
            AuditAction::ChangePassword,
            AuditAction::UpdateUser,
            AuditAction::MakeReset,
            AuditAction::SignUp,
        ];
        assert_eq!(found, expected);
        assert_eq!(page.entries[5].1.target.as_deref(), Some("name"));
    });
}

/// All entries of a query, read in pages of `limit`.
fn pages(fixture: &StoreFixture, mut query: AuditQuery, limit: usize) -> Vec<AuditPlace> {
    query.limit = limit;
    let mut places = Vec::new();
    loop {
        let page = read(fixture, query.clone());
        assert!(page.entries.len() <= limit);
        places.extend(page.entries.iter().map(|(place, _)| *place));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return places,
        }
    }
}

#[test]
fn pages_follow_each_other_in_both_orders_while_entries_come_and_go() {
    every_backend(|fixture| {
        let entries: Vec<_> = (0..10)
            .map(|now| numbered(if now % 2 == 0 { 1 } else { 2 }, now))
            .collect();
        fixture.run(fixture.store().append_audit(entries));
        for order in [Order::Ascending, Order::Descending] {
            for user in [None, Some(user_id(1))] {
                let query = AuditQuery {
                    user,
                    order,
                    ..AuditQuery::newest(1)
                };
                let all = pages(&fixture, query.clone(), 100);
                assert_eq!(all.len(), if user.is_some() { 5 } else { 10 });
                for limit in 1..=5 {
                    assert_eq!(pages(&fixture, query.clone(), limit), all);
                }
                assert!(all.is_sorted_by(|a, b| (a < b) == (order == Order::Ascending)));
            }
        }
        let between = AuditQuery {
            from: Some(at(3)),
            to: Some(at(6)),
            ..AuditQuery::newest(100)
        };
        let moments: Vec<Timestamp> = pages(&fixture, between, 2).iter().map(|it| it.at).collect();
        assert_eq!(moments, [at(5), at(4), at(3)]);
        // An entry that is written while a client reads the newest first changes no later page.
        let first = read(&fixture, AuditQuery::newest(4));
        fixture.run(fixture.store().append_audit(vec![numbered(1, 50)]));
        let rest = AuditQuery {
            after: first.next,
            ..AuditQuery::newest(100)
        };
        assert_eq!(read(&fixture, rest).entries.len(), 6);
    });
}

#[test]
fn filters_select_by_actor_action_outcome_and_request() {
    every_backend(|fixture| {
        ana(&fixture);
        let failed = by(Actor::Anonymous, 1).entry(AuditAction::LogIn, AuditOutcome::WrongPassword);
        fixture.run(fixture.store().append_audit(vec![failed.on(user_id(1))]));
        let count = |query: AuditQuery| read(&fixture, query).entries.len();
        let any = || AuditQuery::newest(100);
        assert_eq!(count(any()), 2);
        let actor = Some(Actor::Anonymous);
        assert_eq!(count(AuditQuery { actor, ..any() }), 1);
        let action = Some(AuditAction::SignUp);
        assert_eq!(count(AuditQuery { action, ..any() }), 1);
        let outcome = Some(AuditOutcome::TooMany);
        assert_eq!(count(AuditQuery { outcome, ..any() }), 0);
        let request = Some("a-request".to_owned());
        assert_eq!(count(AuditQuery { request, ..any() }), 1);
        let user = Some(UserId::from_random([9; 16]));
        assert_eq!(count(AuditQuery { user, ..any() }), 0);
    });
}

#[test]
fn the_oldest_go_when_they_are_too_old_or_too_many() {
    every_backend(|mut fixture| {
        let entries: Vec<_> = (0..600).map(|now| numbered(1, now)).collect();
        fixture.run(fixture.store().append_audit(entries));
        let sweep = |fixture: &StoreFixture, now: Option<i64>, max_bytes| {
            let keep = AuditRetention {
                age: Duration::from_millis(100),
                max_bytes,
            };
            let now = now.map(at);
            while fixture.run(fixture.store().sweep_audit(now, keep)).more {}
            actions(fixture).len()
        };
        assert_eq!(sweep(&fixture, None, u64::MAX), 600);
        assert_eq!(sweep(&fixture, Some(599), u64::MAX), 101);
        fixture.reopen();
        let left = sweep(&fixture, None, 16 << 10);
        assert!((20..60).contains(&left), "{left}");
        assert_eq!(sweep(&fixture, None, 0), 0);
        let of_ana = AuditQuery {
            user: Some(user_id(1)),
            ..AuditQuery::newest(100)
        };
        assert_eq!(read(&fixture, of_ana), AuditPage::default());
    });
}

#[test]
fn a_listener_hears_what_it_asked_for_once_it_is_on_the_disk() {
    every_backend(|fixture| {
        let store = fixture.store();
        let query = AuditQuery {
            user: Some(user_id(2)),
            ..AuditQuery::newest(1)
        };
        let mut listener = fixture.run(store.listen_to_audit(query));
        fixture.run(store.append_audit(vec![numbered(1, 1), numbered(2, 2)]));
        let Heard::Entry(place, entry) = fixture.run(listener.next()) else {
            panic!("an entry was missed");
        };
        assert_eq!((place.at, entry.user), (at(2), Some(user_id(2))));
        for _ in 0..5 {
            let many = (0..1_000).map(|now| numbered(2, now)).collect();
            fixture.run(store.append_audit(many));
        }
        let heard = fixture.run(listener.next());
        assert!(
            matches!(heard, Heard::Missed(missed) if missed >= 904),
            "{heard:?}"
        );
    });
}
