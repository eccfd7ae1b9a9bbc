//! Machine tokens: their names, their limit, their order, and their rotation.

use doorward::model::{
    Actor, AuditContext, Grant, MachineName, MachineQuery, NewToken, Principal, Scope, Timestamp,
    Token, TokenKind, TokenStatus,
};
use doorward::store::{MachineIssued, Rotation};

use super::{FROM, StoreFixture, ana, at, digest, every_backend, made_at, new_token};

fn name(text: &str) -> MachineName {
    MachineName::parse(text).unwrap()
}

fn machine(number: u64, of: &str, holder: Option<Principal>) -> NewToken {
    let holder = holder.unwrap_or(Principal::Machine(name(of)));
    let new = new_token(number, TokenKind::Machine, holder, 0, at(0));
    let token = Token {
        expires_at: Timestamp::NEVER,
        refreshable_until: Timestamp::NEVER,
        grant: Some(Grant {
            name: name(of),
            scopes: vec![Scope::EventsWrite],
            networks: vec!["10.0.0.0/8".parse().unwrap(), "::/0".parse().unwrap()],
            created_by: Actor::Holder(Principal::Admin),
            last_address: None,
        }),
        ..new.token
    };
    NewToken { token, ..new }
}

fn issue(fixture: &StoreFixture, new: NewToken, most: usize) -> MachineIssued {
    let by: AuditContext = made_at(at(1));
    fixture.run(fixture.store().issue_machine_token(new, most, None, by))
}

fn is_done(issued: &MachineIssued) -> bool {
    matches!(issued, MachineIssued::Done(_))
}

fn status(fixture: &StoreFixture, number: u64, now: i64) -> Option<TokenStatus> {
    let digest = digest("token", number);
    let found = fixture.run(fixture.store().find_token(&digest));
    found.map(|it| it.token.status(it.epoch, at(now), false))
}

#[test]
fn a_name_is_of_one_live_machine_and_the_number_of_them_is_limited() {
    every_backend(|mut fixture| {
        assert!(is_done(&issue(&fixture, machine(1, "a", None), 2)));
        assert_eq!(
            issue(&fixture, machine(2, "a", None), 2),
            MachineIssued::NameTaken
        );
        assert!(is_done(&issue(&fixture, machine(3, "b", None), 2)));
        assert_eq!(
            issue(&fixture, machine(4, "c", None), 2),
            MachineIssued::TooMany
        );
        fixture.reopen();
        // What was refused is not stored.
        assert_eq!(
            (status(&fixture, 2, 2), status(&fixture, 4, 2)),
            (None, None)
        );
        let id = machine(1, "a", None).token.id;
        fixture.run(fixture.store().end_token_by_id(id, made_at(at(2))));
        assert!(is_done(&issue(&fixture, machine(4, "c", None), 2)));
        assert_eq!(
            issue(&fixture, machine(5, "a", None), 2),
            MachineIssued::TooMany
        );
        assert!(is_done(&issue(&fixture, machine(5, "a", None), 3)));
        let stranger = Principal::User(doorward::model::UserId::from_random([9; 16]));
        let of_nobody = issue(&fixture, machine(6, "d", Some(stranger)), 9);
        assert_eq!(of_nobody, MachineIssued::UnknownHolder);
    });
}

#[test]
fn a_stored_grant_and_its_last_address_survive_a_restart() {
    every_backend(|mut fixture| {
        issue(&fixture, machine(1, "a", None), 9);
        let (store, token) = (fixture.store(), digest("token", 1));
        fixture.run(store.touch_token(token, std::time::Duration::ZERO, FROM, at(60_000)));
        fixture.reopen();
        let found = fixture.run(fixture.store().find_token(&token)).unwrap();
        let expected = machine(1, "a", None).token.grant.unwrap();
        let last_address = Some(FROM);
        assert_eq!(
            found.token.grant,
            Some(Grant {
                last_address,
                ..expected
            })
        );
        // It neither expires nor is swept.
        fixture.sweep(at(i64::from(u32::MAX) * 1000), super::FOR_EVER);
        let much_later = i64::from(u32::MAX) * 1000;
        assert_eq!(status(&fixture, 1, much_later), Some(TokenStatus::Live));
    });
}

/// Rotates a token; the old ones end at `old_ends_at`.
fn rotate(fixture: &StoreFixture, old: u64, new: u64, old_ends_at: i64) -> Option<Token> {
    let id = machine(old, "a", None).token.id;
    let new = new_token(new, TokenKind::Machine, Principal::Admin, 7, at(0));
    let rotation = Rotation {
        old_ends_at: at(old_ends_at),
        expires_at: None,
    };
    let (store, by) = (fixture.store(), made_at(at(10)));
    match fixture.run(store.rotate_machine_token(id, new, rotation, None, by)) {
        MachineIssued::Done(token) => Some(*token),
        refused => {
            assert_eq!(refused, MachineIssued::UnknownToken);
            None
        }
    }
}

#[test]
fn a_rotation_leaves_the_old_token_for_the_overlap_and_ends_the_one_before() {
    every_backend(|fixture| {
        let holder = ana(&fixture);
        issue(&fixture, machine(11, "a", Some(holder)), 9);
        let second = rotate(&fixture, 11, 12, 100).unwrap();
        let first = machine(11, "a", Some(holder)).token;
        assert_eq!(
            (second.holder, second.family, second.epoch, second.grant),
            (holder, first.id, 0, first.grant)
        );
        assert_eq!(second.expires_at, Timestamp::NEVER);
        let live = Some(TokenStatus::Live);
        assert_eq!(
            (status(&fixture, 11, 99), status(&fixture, 12, 99)),
            (live, live)
        );
        assert_eq!(status(&fixture, 11, 100), Some(TokenStatus::Expired));
        rotate(&fixture, 12, 13, 200).unwrap();
        assert_eq!(
            (status(&fixture, 11, 11), status(&fixture, 12, 11)),
            (None, live)
        );
        assert_eq!(rotate(&fixture, 11, 14, 200), None);
        // No overlap: the old one is gone.
        rotate(&fixture, 13, 15, 10).unwrap();
        assert_eq!(
            (status(&fixture, 13, 11), status(&fixture, 15, 11)),
            (None, live)
        );
    });
}

#[test]
fn a_rotation_keeps_the_end_and_the_tokens_in_use_and_few_of_them() {
    every_backend(|mut fixture| {
        issue(&fixture, machine(1, "a", None), 9);
        let used = |fixture: &StoreFixture, number: u64, now: i64| {
            let (store, token) = (fixture.store(), digest("token", number));
            fixture.run(store.touch_token(token, std::time::Duration::ZERO, FROM, at(now)));
        };
        let live = Some(TokenStatus::Live);
        used(&fixture, 1, 60_000);
        // Twice from the same one: what came of the first time is lost.
        rotate(&fixture, 1, 2, 500_000).unwrap();
        let third = rotate(&fixture, 1, 3, 900_000).unwrap();
        assert_eq!(third.expires_at, Timestamp::NEVER);
        assert_eq!(
            (status(&fixture, 2, 11), status(&fixture, 1, 11)),
            (None, live)
        );
        // From one that nobody has: the one in use stays.
        rotate(&fixture, 3, 4, 900_000).unwrap();
        assert_eq!(
            (status(&fixture, 3, 11), status(&fixture, 1, 11)),
            (None, live)
        );
        // No rotation makes it live longer, and it is removed at its end.
        assert_eq!(status(&fixture, 1, 500_000), Some(TokenStatus::Expired));
        for number in 4..20 {
            used(&fixture, number, 60_000 + i64::try_from(number).unwrap());
            rotate(&fixture, number, number + 1, 900_000).unwrap();
        }
        fixture.reopen();
        let left = (1..=20).filter(|it| status(&fixture, *it, 11) == live);
        assert_eq!(left.collect::<Vec<_>>(), [16, 17, 18, 19, 20]);
        fixture.sweep(at(900_001), super::FOR_EVER);
        assert_eq!(
            (status(&fixture, 19, 11), status(&fixture, 20, 11)),
            (None, live)
        );
    });
}

#[test]
fn a_token_that_has_ended_makes_none() {
    every_backend(|fixture| {
        issue(&fixture, machine(1, "a", None), 9);
        issue(&fixture, machine(2, "b", None), 9);
        let maker = machine(1, "a", None).token.id;
        let make = |number: u64, of: &str| {
            let by = made_at(at(10));
            let new = machine(number, of, None);
            fixture.run(fixture.store().issue_machine_token(new, 9, Some(maker), by))
        };
        let rotate = |number: u64| {
            let rotation = Rotation {
                old_ends_at: at(20),
                expires_at: None,
            };
            let (new, id) = (machine(number, "b", None), machine(2, "b", None).token.id);
            let (store, by) = (fixture.store(), made_at(at(10)));
            fixture.run(store.rotate_machine_token(id, new, rotation, Some(maker), by))
        };
        assert!(is_done(&make(3, "c")));
        fixture.run(fixture.store().end_token_by_id(maker, made_at(at(10))));
        assert_eq!(make(4, "d"), MachineIssued::MakerEnded);
        assert_eq!(rotate(5), MachineIssued::MakerEnded);
        assert_eq!(
            (status(&fixture, 4, 11), status(&fixture, 5, 11)),
            (None, None)
        );
    });
}

#[test]
fn the_list_goes_by_name_and_goes_on_behind_a_token() {
    every_backend(|fixture| {
        for (number, of) in [(1, "c"), (2, "a"), (3, "b")] {
            issue(&fixture, machine(number, of, None), 9);
        }
        let page = |after, limit| {
            let query = MachineQuery { after, limit };
            let page = fixture.run(fixture.store().list_machine_tokens(query));
            let names = page
                .tokens
                .iter()
                .map(|(token, _)| token.grant.clone().unwrap().name);
            (names.collect::<Vec<_>>(), page.next)
        };
        let (first, next) = page(None, 2);
        assert_eq!(first, [name("a"), name("b")]);
        assert_eq!(page(next, 2), (vec![name("c")], None));
        assert_eq!(page(None, 3).0.len(), 3);
    });
}
