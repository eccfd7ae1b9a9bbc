//! Tests of single promises of the store.

use std::time::Duration;

use doorward::model::{
    AuditAction, DueMail, InviteTerms, MailId, MailKind, Principal, TokenKind, TokenStatus,
};
use doorward::store::{Created, Error, Health, OnlyIf, Redeemed, Refreshed, SystemValue, Updated};
use uuid::Builder;

use super::{
    StoreFixture, ana, at, bytes, digest, disabling, email, every_backend, made_at, new_token,
    new_user, profile, session, user_id,
};

fn mail(number: u64, key: &str, millis: i64) -> DueMail {
    let id = MailId(Builder::from_random_bytes(bytes("mail", number)).into_uuid());
    DueMail {
        id,
        kind: MailKind::Reset,
        to: email(key),
        asked_at: at(millis),
        due_at: at(millis),
        attempts: 0,
    }
}

#[test]
fn an_account_its_address_and_its_session_begin_together() {
    every_backend(|mut fixture| {
        ana(&fixture);
        fixture.reopen();
        let store = fixture.store();
        let user = fixture
            .run(store.find_user_by_email("ana@example.org"))
            .unwrap();
        assert_eq!(
            (user.id, user.epoch, user.created_at),
            (user_id(1), 0, at(0))
        );
        let found = fixture.run(store.find_token(&digest("token", 1))).unwrap();
        assert_eq!(
            found.token.status(found.epoch, at(1), false),
            TokenStatus::Live
        );
        assert_eq!(found.user.unwrap().id, user_id(1));
        let taken = store.create_user(
            new_user(2, "ANA@example.org", None),
            Some(session(2, 2, at(1))),
            made_at(at(1)),
        );
        assert_eq!(fixture.run(taken), Created::EmailTaken);
        assert!(fixture.run(store.find_token(&digest("token", 2))).is_none());
        assert!(fixture.run(store.find_user(user_id(2))).is_none());
    });
}

#[test]
fn an_invite_is_used_only_by_accounts_that_come_about() {
    every_backend(|mut fixture| {
        let code = doorward::crypto::digest(b"welcome");
        let offer = |fixture: &StoreFixture, uses| {
            let terms = InviteTerms {
                uses,
                expires_at: Some(at(1000)),
            };
            fixture.run(fixture.store().offer_invites(vec![(code, terms)]));
        };
        let join = |fixture: &StoreFixture, number: u64, address: &str, now: i64| {
            let user = new_user(number, address, Some("welcome"));
            fixture.run(fixture.store().create_user(
                user,
                Some(session(number, number, at(now))),
                made_at(at(now)),
            ))
        };
        assert_eq!(join(&fixture, 1, "a@x.org", 0), Created::InviteNotFound);
        offer(&fixture, 2);
        assert!(matches!(join(&fixture, 1, "a@x.org", 0), Created::Done(_)));
        assert_eq!(join(&fixture, 2, "a@x.org", 0), Created::EmailTaken);
        fixture.reopen();
        offer(&fixture, 2);
        assert!(matches!(join(&fixture, 2, "b@x.org", 0), Created::Done(_)));
        assert_eq!(join(&fixture, 3, "c@x.org", 0), Created::InviteNotFound);
        offer(&fixture, 9);
        assert_eq!(join(&fixture, 3, "c@x.org", 1000), Created::InviteNotFound);
        assert!(matches!(
            join(&fixture, 3, "c@x.org", 999),
            Created::Done(_)
        ));
    });
}

#[test]
fn an_invite_that_is_no_longer_offered_ends_and_keeps_its_count() {
    every_backend(|mut fixture| {
        let offer = |fixture: &StoreFixture, codes: &[&str]| {
            let terms = InviteTerms {
                uses: 2,
                expires_at: None,
            };
            let digest = |code: &&str| doorward::crypto::digest(code.as_bytes());
            let offer = codes.iter().map(|code| (digest(code), terms.clone()));
            fixture.run(fixture.store().offer_invites(offer.collect()));
        };
        let join = |fixture: &StoreFixture, number: u64, code: &str, now: i64| {
            let user = new_user(number, &format!("{number}@x.org"), Some(code));
            let session = session(number, number, at(now));
            let joined = fixture.run(fixture.store().create_user(
                user,
                Some(session),
                made_at(at(now)),
            ));
            matches!(joined, Created::Done(_))
        };
        offer(&fixture, &["gone", "stays"]);
        assert!(join(&fixture, 1, "gone", 1) && join(&fixture, 2, "stays", 1));
        offer(&fixture, &["stays"]);
        // Also on a clock that goes back.
        assert!(!join(&fixture, 3, "gone", 2) && !join(&fixture, 3, "gone", 0));
        fixture.reopen();
        assert!(!join(&fixture, 3, "gone", 3) && join(&fixture, 3, "stays", 3));
        offer(&fixture, &["stays", "gone"]);
        assert!(join(&fixture, 4, "gone", 5));
        assert!(!join(&fixture, 5, "gone", 6) && !join(&fixture, 5, "stays", 6));
        offer(&fixture, &[]);
        assert!(!join(&fixture, 5, "stays", 7));
    });
}

#[test]
fn a_token_of_a_past_epoch_is_not_issued() {
    every_backend(|fixture| {
        let ana = ana(&fixture);
        let store = fixture.store();
        let change = store.change_password(user_id(1), 0, "new".into(), None, None, made_at(at(1)));
        assert_eq!(fixture.run(change), Updated::Done);
        let late = new_token(2, TokenKind::Session, ana, 0, at(2));
        assert!(!fixture.run(store.issue_token(late, 100, AuditAction::LogIn, made_at(at(2)))));
        let fresh = new_token(3, TokenKind::Session, ana, 1, at(2));
        assert!(fixture.run(store.issue_token(fresh, 100, AuditAction::LogIn, made_at(at(2)))));
        let again =
            store.change_password(user_id(1), 0, "newer".into(), None, None, made_at(at(3)));
        assert_eq!(fixture.run(again), Updated::Gone);
        assert_eq!(
            fixture
                .run(store.find_user(user_id(1)))
                .unwrap()
                .password_hash,
            "new"
        );
        assert_eq!(fixture.run(store.live_tokens(ana, at(3))).len(), 1);
    });
}

#[test]
fn a_hash_is_replaced_only_by_one_of_the_same_password() {
    every_backend(|fixture| {
        ana(&fixture);
        let store = fixture.store();
        let hash = || {
            fixture
                .run(store.find_user(user_id(1)))
                .unwrap()
                .password_hash
                .clone()
        };
        fixture.run(store.rehash_password(user_id(1), "another".into(), "worse".into()));
        assert_eq!(hash(), "a hash");
        fixture.run(store.rehash_password(user_id(1), "a hash".into(), "better".into()));
        assert_eq!(hash(), "better");
        assert_eq!(fixture.run(store.epoch_of(Principal::User(user_id(1)))), 0);
    });
}

#[test]
fn a_disabled_account_is_dead_until_it_is_enabled_and_its_tokens_stay_dead() {
    every_backend(|fixture| {
        let ana = ana(&fixture);
        let store = fixture.store();
        assert_eq!(
            fixture.run(store.update_user(
                user_id(1),
                disabling(true),
                OnlyIf::There,
                None,
                made_at(at(1))
            )),
            Updated::Done
        );
        let found = fixture.run(store.find_token(&digest("token", 1))).unwrap();
        assert!(found.epoch.is_none() && found.user.is_none());
        let token = new_token(2, TokenKind::Session, ana, 1, at(2));
        assert!(!fixture.run(store.issue_token(token, 100, AuditAction::LogIn, made_at(at(2)))));
        assert!(!fixture.run(store.put_reset(
            user_id(1),
            digest("code", 1),
            at(100),
            made_at(at(0))
        )));
        assert_eq!(
            fixture.run(store.update_user(
                user_id(1),
                disabling(false),
                OnlyIf::There,
                None,
                made_at(at(3))
            )),
            Updated::Done
        );
        let found = fixture.run(store.find_token(&digest("token", 1))).unwrap();
        assert_eq!(
            found.token.status(found.epoch, at(4), false),
            TokenStatus::Revoked
        );
        assert_eq!(
            fixture.run(store.update_user(
                user_id(9),
                disabling(true),
                OnlyIf::There,
                None,
                made_at(at(1))
            )),
            Updated::Gone
        );
    });
}

#[test]
fn a_pair_is_renewed_once_and_an_access_token_twice_within_the_grace() {
    every_backend(|fixture| {
        let ana = ana(&fixture);
        let store = fixture.store();
        let (pair, access) = (
            new_token(2, TokenKind::Angen, ana, 0, at(0)),
            new_token(3, TokenKind::Access, ana, 0, at(0)),
        );
        for token in [&pair, &access] {
            assert!(fixture.run(store.issue_token(
                token.clone(),
                100,
                AuditAction::LogIn,
                made_at(at(0))
            )));
        }
        let renew = |code, number| {
            let new = new_token(number, TokenKind::Angen, ana, 0, at(1));
            fixture.run(store.renew_token(pair.digest, digest("renewal", code), new, at(1)))
        };
        assert!(renew(9, 10).is_none());
        assert_eq!(renew(2, 11).unwrap().holder, ana);
        assert!(renew(2, 12).is_none());
        assert!(fixture.run(store.find_token(&pair.digest)).is_none());
        let refresh = |number, now| {
            let new = new_token(number, TokenKind::Access, ana, 0, at(now));
            let monotonic = Duration::from_millis(now.unsigned_abs());
            fixture.run(store.refresh_token(access.digest, new, monotonic, made_at(at(now))))
        };
        let Refreshed::Done(first) = refresh(20, 5_000) else {
            panic!()
        };
        assert_eq!(first.family, access.token.family);
        assert_eq!(refresh(21, 14_999), Refreshed::Again(first));
        assert!(matches!(refresh(22, 15_000), Refreshed::Reused(_)));
        assert!(
            fixture
                .run(store.find_token(&digest("token", 20)))
                .is_none()
        );
        let pairs_refresh = store.refresh_token(
            digest("token", 11),
            new_token(30, TokenKind::Access, ana, 0, at(1)),
            Duration::ZERO,
            made_at(at(1)),
        );
        assert_eq!(fixture.run(pairs_refresh), Refreshed::Refused);
    });
}

#[test]
fn a_reset_code_is_the_only_one_and_is_used_once() {
    every_backend(|mut fixture| {
        ana(&fixture);
        let (first, second) = (digest("code", 1), digest("code", 2));
        for code in [first, second] {
            assert!(
                fixture.run(
                    fixture
                        .store()
                        .put_reset(user_id(1), code, at(100), made_at(at(0)))
                )
            );
        }
        fixture.reopen();
        let store = fixture.store();
        assert_eq!(fixture.run(store.find_reset(&first, at(1))), None);
        assert_eq!(
            fixture.run(store.find_reset(&second, at(99))),
            Some(user_id(1))
        );
        assert_eq!(fixture.run(store.find_reset(&second, at(100))), None);
        let redeem =
            |code, now| fixture.run(store.redeem_reset(code, "new".into(), None, made_at(at(now))));
        assert_eq!(redeem(first, 1), Redeemed::Refused);
        assert_eq!(redeem(second, 100), Redeemed::Refused);
        assert_eq!(redeem(second, 99), Redeemed::Done(user_id(1)));
        assert_eq!(redeem(second, 99), Redeemed::Refused);
        assert!(!fixture.run(store.put_reset(user_id(7), first, at(100), made_at(at(0)))));
    });
}

#[test]
fn one_mail_waits_for_each_address() {
    every_backend(|mut fixture| {
        for (number, key, due) in [(1, "a@x.org", 5), (2, "b@x.org", 3), (3, "a@x.org", 7)] {
            assert!(fixture.run(fixture.store().enqueue_mail(mail(number, key, due))));
        }
        fixture.reopen();
        let store = fixture.store();
        let due = |now| fixture.run(store.due_mails(at(now)));
        assert_eq!(due(2), (vec![], Some(at(3))));
        assert_eq!(due(6), (vec![mail(2, "b@x.org", 3)], Some(at(7))));
        // The third mail replaced the first: removing the first leaves the third.
        fixture.run(store.remove_mail(mail(1, "a@x.org", 5)));
        fixture.run(store.postpone_mail(mail(2, "b@x.org", 3), at(9)));
        let put_off = DueMail {
            due_at: at(9),
            attempts: 1,
            ..mail(2, "b@x.org", 3)
        };
        assert_eq!(due(9), (vec![mail(3, "a@x.org", 7), put_off.clone()], None));
        fixture.run(store.remove_mail(mail(3, "a@x.org", 7)));
        fixture.run(store.remove_mail(put_off));
        assert_eq!(due(99), (vec![], None));
    });
}

#[test]
fn the_first_fact_stays() {
    every_backend(|mut fixture| {
        let keep = |fixture: &StoreFixture, value: &[u8]| {
            fixture.run(
                fixture
                    .store()
                    .keep_system_value(SystemValue::FingerprintSalt, value.to_vec()),
            )
        };
        assert_eq!(
            fixture.run(
                fixture
                    .store()
                    .find_system_value(SystemValue::FingerprintSalt)
            ),
            None
        );
        assert_eq!(keep(&fixture, b"first"), b"first");
        fixture.reopen();
        assert_eq!(keep(&fixture, b"second"), b"first");
        assert_eq!(
            fixture.run(fixture.store().find_system_value(SystemValue::AdminHash)),
            None
        );
    });
}

#[test]
fn a_closed_store_refuses_changes() {
    every_backend(|fixture| {
        let store = fixture.store();
        assert_eq!((store.health(), store.under_way()), (Health::Fine, None));
        fixture.runtime.block_on(store.close());
        let refused = fixture
            .runtime
            .block_on(store.delete_user(user_id(1), made_at(at(0))));
        assert!(matches!(refused, Err(Error::Stopped(_))));
        fixture.runtime.block_on(store.close());
    });
}

#[test]
fn an_address_that_changes_hands_is_free_at_once() {
    every_backend(|fixture| {
        ana(&fixture);
        let store = fixture.store();
        let name = || doorward::model::Name::parse("Ana").unwrap();
        let update = |address| {
            fixture.run(store.update_user(
                user_id(1),
                profile(name(), email(address)),
                OnlyIf::Active,
                None,
                made_at(at(1)),
            ))
        };
        assert_eq!(update("ANA@example.org"), Updated::Done);
        assert_eq!(update("anna@example.org"), Updated::Done);
        let new = new_user(2, "ana@example.org", None);
        let created =
            fixture.run(store.create_user(new, Some(session(2, 2, at(2))), made_at(at(2))));
        assert!(matches!(created, Created::Done(_)));
        assert_eq!(update("ana@example.org"), Updated::EmailTaken);
        assert!(fixture.run(store.delete_user(user_id(2), made_at(at(0)))));
        assert!(!fixture.run(store.delete_user(user_id(2), made_at(at(0)))));
        assert_eq!(update("ana@example.org"), Updated::Done);
    });
}

#[test]
fn asking_again_for_a_mail_that_was_tried_in_vain_does_not_hurry_it() {
    every_backend(|fixture| {
        let store = fixture.store();
        assert!(fixture.run(store.enqueue_mail(mail(1, "a@x.org", 5))));
        fixture.run(store.postpone_mail(mail(1, "a@x.org", 5), at(9)));
        assert!(fixture.run(store.enqueue_mail(mail(2, "a@x.org", 7))));
        let waits = DueMail {
            attempts: 1,
            ..mail(2, "a@x.org", 9)
        };
        let (due, next) = fixture.run(store.due_mails(at(8)));
        assert_eq!((due, next), (vec![], Some(at(9))));
        let (due, _) = fixture.run(store.due_mails(at(9)));
        assert_eq!(
            due.iter()
                .map(|it| (it.id, it.attempts))
                .collect::<Vec<_>>(),
            [(waits.id, 1)]
        );
    });
}
