//! Machine tokens: their names, their limit, their order, and their rotation.

use doorward::model::{
    Actor, AuditContext, Grant, MachineName, MachineQuery, NewToken, Principal, Scope, Timestamp,
    Token, TokenKind, TokenStatus,
};
use doorward::store::MachineIssued;

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
    fixture.run(fixture.store().issue_machine_token(new, most, by))
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

#[test]
fn a_rotation_leaves_the_old_token_for_the_overlap_and_ends_the_one_before() {
    every_backend(|fixture| {
        let holder = ana(&fixture);
        issue(&fixture, machine(11, "a", Some(holder)), 9);
        let rotate = |old: u64, new: u64, end: i64| {
            let id = machine(old, "a", None).token.id;
            let new = new_token(new, TokenKind::Machine, Principal::Admin, 7, at(0));
            let token = Token {
                expires_at: Timestamp::NEVER,
                refreshable_until: Timestamp::NEVER,
                ..new.token
            };
            let new = NewToken { token, ..new };
            let rotation = fixture.store();
            fixture.run(rotation.rotate_machine_token(id, new, at(end), made_at(at(10))))
        };
        let second = rotate(11, 12, 100).unwrap();
        let first = machine(11, "a", Some(holder)).token;
        assert_eq!(
            (second.holder, second.family, second.epoch, second.grant),
            (holder, first.id, 0, first.grant)
        );
        let live = Some(TokenStatus::Live);
        assert_eq!(
            (status(&fixture, 11, 99), status(&fixture, 12, 99)),
            (live, live)
        );
        assert_eq!(status(&fixture, 11, 100), Some(TokenStatus::Expired));
        rotate(12, 13, 200).unwrap();
        assert_eq!(
            (status(&fixture, 11, 11), status(&fixture, 12, 11)),
            (None, live)
        );
        assert_eq!(rotate(11, 14, 200), None);
        // No overlap: the old one is gone.
        rotate(13, 15, 10).unwrap();
        assert_eq!(
            (status(&fixture, 13, 11), status(&fixture, 15, 11)),
            (None, live)
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
