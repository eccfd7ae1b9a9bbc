//! Tests of how long the store keeps tokens and their records.

use std::time::Duration;

use doorward::model::{AuditAction, Principal, TokenKind, TokenStatus, limits};
use doorward::store::Refreshed;

use super::{
    FOR_EVER, FROM, HOUR, StoreFixture, ana, at, digest, every_backend, made_at, new_token,
};

const MINUTE: i64 = 60_000;

#[test]
fn a_session_that_is_used_outlives_its_first_end_and_leaves_no_note_of_it() {
    const NOTES: u8 = b'X';
    every_backend(|mut fixture| {
        ana(&fixture);
        let session = digest("token", 1);
        let idle = Duration::from_hours(1);
        let touch = fixture
            .store()
            .touch_token(session, idle, FROM, at(30 * MINUTE));
        fixture.run(touch);
        assert_eq!(fixture.records(NOTES), 1);
        fixture.sweep(at(HOUR + 1), FOR_EVER);
        let found = fixture.run(fixture.store().find_token(&session)).unwrap();
        let status = |now| found.token.status(found.epoch, at(now), false);
        assert_eq!(status(90 * MINUTE - 1), TokenStatus::Live);
        assert_eq!(status(90 * MINUTE), TokenStatus::Expired);
        fixture.sweep(at(90 * MINUTE + 1), FOR_EVER);
        assert!(fixture.run(fixture.store().find_token(&session)).is_none());
    });
}

#[test]
fn a_family_remembers_so_many_exchanged_tokens_and_forgets_the_oldest() {
    every_backend(|fixture| {
        let ana = ana(&fixture);
        let store = fixture.store();
        let surplus = 3;
        let exchanges = limits::RETIRED_PER_FAMILY + surplus;
        let numbers = || (100..).take(1 + exchanges);
        let access = |number: u64| {
            let minutes = i64::try_from(number - 100).unwrap();
            new_token(number, TokenKind::Access, ana, 0, at(minutes * MINUTE))
        };
        assert!(fixture.run(store.issue_token(
            access(100),
            100,
            AuditAction::LogIn,
            made_at(at(0))
        )));
        for number in numbers().skip(1) {
            let new = access(number);
            let now = new.token.issued_at;
            let refresh = store.refresh_token(
                digest("token", number - 1),
                new,
                Duration::ZERO,
                made_at(now),
            );
            assert!(matches!(fixture.run(refresh), Refreshed::Done(_)));
        }
        let found = |number: u64| fixture.run(store.find_token(&digest("token", number)));
        let is_kept = |number: &u64| found(*number).is_some();
        let kept: Vec<u64> = numbers().filter(is_kept).collect();
        assert_eq!(kept, numbers().skip(surplus).collect::<Vec<_>>());
    });
}

#[test]
fn sweeping_takes_what_is_over_and_nothing_else() {
    every_backend(|fixture| {
        let ana = ana(&fixture);
        let store = fixture.store();
        for number in 2..602 {
            let token = new_token(number, TokenKind::Session, ana, 0, at(0));
            assert!(fixture.run(store.issue_token(
                token,
                10_000,
                AuditAction::LogIn,
                made_at(at(0))
            )));
        }
        let hour = 3_600_000;
        let late = new_token(1000, TokenKind::Session, ana, 0, at(2));
        assert!(fixture.run(store.issue_token(late, 10_000, AuditAction::LogIn, made_at(at(2)))));
        let mut removed = 0;
        loop {
            let swept = fixture.run(store.sweep(at(hour + 1), FOR_EVER));
            removed += swept.removed;
            if !swept.more {
                break;
            }
        }
        assert_eq!(removed, 601);
        assert!(fixture.run(store.find_token(&digest("token", 5))).is_none());
        assert_eq!(fixture.run(store.live_tokens(ana, at(hour + 1))).len(), 1);
        assert_eq!(fixture.run(store.sweep(at(hour + 1), FOR_EVER)).removed, 0);
    });
}

#[test]
fn a_damaged_record_does_not_keep_others_from_being_swept() {
    every_backend(|mut fixture| {
        let ana = ana(&fixture);
        for number in 2..12 {
            let token = new_token(number, TokenKind::Session, ana, 0, at(0));
            assert!(fixture.run(fixture.store().issue_token(
                token,
                10_000,
                AuditAction::LogIn,
                made_at(at(0))
            )));
        }
        fixture.damage(b"T");
        let later = at(2 * 3_600_000);
        let swept = fixture.run(fixture.store().sweep(later, FOR_EVER));
        assert_eq!((swept.removed, swept.more), (11, false));
        assert_eq!(
            fixture.run(fixture.store().sweep(later, FOR_EVER)).removed,
            0
        );
    });
}

#[test]
fn another_fingerprint_is_another_epoch() {
    every_backend(|mut fixture| {
        let note = |fixture: &StoreFixture, print: &str| {
            fixture.run(
                fixture
                    .store()
                    .reconcile(Principal::Admin, print.into(), made_at(at(0))),
            )
        };
        assert_eq!(
            (
                note(&fixture, "a"),
                note(&fixture, "a"),
                note(&fixture, "b")
            ),
            (0, 0, 1)
        );
        fixture.reopen();
        assert_eq!((note(&fixture, "b"), note(&fixture, "a")), (1, 2));
        assert_eq!(fixture.run(fixture.store().epoch_of(Principal::Hub)), 0);
        let admin = new_token(1, TokenKind::Admin, Principal::Admin, 2, at(0));
        assert!(
            fixture.run(fixture.store().issue_token(
                admin,
                100,
                AuditAction::LogIn,
                made_at(at(0))
            ))
        );
    });
}
