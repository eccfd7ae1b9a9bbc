//! Damaged records: no list, sweep or start ends at one. It is left out and counted; only who asks
//! for it by its key gets an error, and nobody gets in by it.

use std::time::Duration;

use doorward::model::{
    AuditAction, DueMail, Erasure, Event, EventQuery, InviteTerms, MailId, MailKind, NewEvent,
    Order, Principal, Retention, SigningKeys, TokenKind, TokenStatus,
};
use doorward::store::{Appended, Error, Report, Result, SystemValue};
use uuid::Builder;

use super::{
    FOR_EVER, HOUR, StoreFixture, ana, at, bytes, digest, email, every_backend, made_at, new_token,
    new_user, session, user_id,
};

const ONE_HOUR: Retention = Retention {
    ended: Duration::from_hours(24 * 30),
    events: std::time::Duration::from_hours(1),
    counts: std::time::Duration::from_hours(1),
    max_bytes: u64::MAX,
};

fn mail(number: u64) -> DueMail {
    DueMail {
        id: MailId(Builder::from_random_bytes(bytes("mail", number)).into_uuid()),
        kind: MailKind::Reset,
        to: email(&format!("user{number}@example.org")),
        asked_at: at(0),
        due_at: at(i64::try_from(number).unwrap()),
        attempts: 0,
    }
}

/// The addresses of the mails that are due.
fn due(fixture: &StoreFixture) -> Vec<String> {
    let (due, _) = fixture.run(fixture.store().due_mails(at(HOUR)));
    due.into_iter().map(|mail| mail.to.key()).collect()
}

fn try_report(fixture: &StoreFixture, names: &[&str], millis: i64) -> Result<Appended> {
    let event = |name| NewEvent {
        id: None,
        name,
        subject: user_id(1),
        details: None,
    };
    let events: Vec<NewEvent<'_>> = names.iter().copied().map(event).collect();
    fixture
        .runtime
        .block_on(fixture.store().append_events(Report {
            reporter: Principal::Admin,
            events: &events,
            idempotency: None,
            at: at(millis),
        }))
}

fn report(fixture: &StoreFixture, names: &[&str], millis: i64) {
    try_report(fixture, names, millis).unwrap();
}

fn events(fixture: &StoreFixture) -> Vec<Event> {
    let query = EventQuery::all(Order::Ascending);
    let page = fixture.run(fixture.store().read_events(query));
    page.events.into_iter().map(|(_, event)| event).collect()
}

fn names(fixture: &StoreFixture) -> Vec<String> {
    let events = events(fixture).into_iter();
    events.map(|event| event.name).collect()
}

/// The sum of all counts.
fn counted(fixture: &StoreFixture, name: Option<&str>) -> u64 {
    let counts = fixture.run(fixture.store().event_counts(0..u32::MAX, name));
    let counts = counts.hours.iter().flat_map(|hour| &hour.counts);
    counts.map(|it| it.count).sum()
}

fn has_damaged(fixture: &StoreFixture, records: usize) {
    assert_eq!(fixture.store().damaged_records(), records);
}

#[test]
fn a_list_of_sessions_goes_on_behind_damaged_ones() {
    every_backend(|mut fixture| {
        let ana = ana(&fixture);
        for number in 2..6 {
            fixture.run(fixture.store().issue_token(
                session(number, 1, at(0)),
                9,
                AuditAction::LogIn,
                made_at(at(0)),
            ));
        }
        for (is_token, live) in [(true, 4), (false, 3)] {
            if is_token {
                fixture.damage(b"T");
            } else {
                fixture.damage_first(b"H", 1);
            }
            let listed = fixture.run(fixture.store().live_tokens(ana, at(1)));
            assert_eq!(listed.len(), live);
            has_damaged(&fixture, 5 - live);
            // It is counted once.
            fixture.run(fixture.store().live_tokens(ana, at(1)));
            has_damaged(&fixture, 5 - live);
        }
        let found = (1..6).map(|number| {
            let token = digest("token", number);
            fixture.runtime.block_on(fixture.store().find_token(&token))
        });
        let refused = found.filter(|it| matches!(it, Err(Error::Corrupt(_))));
        assert_eq!(refused.count(), 1);
        let another = session(6, 1, at(0));
        assert!(
            fixture.run(fixture.store().issue_token(
                another,
                2,
                AuditAction::LogIn,
                made_at(at(1))
            ))
        );
    });
}

#[test]
fn an_account_with_damaged_tokens_and_codes_can_be_deleted() {
    every_backend(|mut fixture| {
        ana(&fixture);
        fixture.run(fixture.store().issue_token(
            session(2, 1, at(0)),
            9,
            AuditAction::LogIn,
            made_at(at(0)),
        ));
        let code = digest("code", 1);
        assert!(
            fixture.run(
                fixture
                    .store()
                    .put_reset(user_id(1), code, at(HOUR), made_at(at(0)))
            )
        );
        for kind in [b"T", b"H", b"r"] {
            fixture.damage(kind);
        }
        assert!(fixture.run(fixture.store().delete_user(user_id(1), made_at(at(0)))));
        assert!(fixture.run(fixture.store().find_user(user_id(1))).is_none());
        assert_eq!(fixture.records(b'H'), 0);
    });
}

#[test]
fn a_damaged_reset_code_is_replaced_and_opens_nothing() {
    every_backend(|mut fixture| {
        ana(&fixture);
        let (old, new) = (digest("code", 1), digest("code", 2));
        assert!(
            fixture.run(
                fixture
                    .store()
                    .put_reset(user_id(1), old, at(HOUR), made_at(at(0)))
            )
        );
        fixture.damage(b"R");
        let refused = fixture.store().find_reset(&old, at(1));
        let refused = fixture.runtime.block_on(refused);
        assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
        assert!(
            fixture.run(
                fixture
                    .store()
                    .put_reset(user_id(1), new, at(HOUR), made_at(at(0)))
            )
        );
        let found = |code| fixture.run(fixture.store().find_reset(&code, at(1)));
        assert_eq!((found(old), found(new)), (None, Some(user_id(1))));
    });
}

#[test]
fn mails_behind_damaged_ones_are_sent_and_can_be_asked_for_again() {
    every_backend(|mut fixture| {
        // More than one read returns.
        for number in 0..20 {
            assert!(fixture.run(fixture.store().enqueue_mail(mail(number))));
        }
        fixture.damage_first(b"O", 18);
        assert_eq!(due(&fixture), ["user18@example.org", "user19@example.org"]);
        has_damaged(&fixture, 18);
        let again = DueMail {
            id: mail(100).id,
            ..mail(3)
        };
        assert!(fixture.run(fixture.store().enqueue_mail(again)));
        assert_eq!(due(&fixture)[0], "user3@example.org");
        assert_eq!((fixture.records(b'O'), fixture.records(b'o')), (20, 20));
    });
}

#[test]
fn a_mail_is_sent_once_although_the_record_of_its_address_is_damaged() {
    every_backend(|mut fixture| {
        assert!(fixture.run(fixture.store().enqueue_mail(mail(1))));
        fixture.damage(b"o");
        let postponed = fixture.store().postpone_mail(mail(1), at(7));
        fixture.run(postponed);
        let (due, _) = fixture.run(fixture.store().due_mails(at(HOUR)));
        assert_eq!((due.len(), due[0].attempts), (1, 1));
        fixture.damage(b"o");
        // The one that is asked for next does not find the first, and both are sent.
        assert!(fixture.run(fixture.store().enqueue_mail(DueMail {
            id: mail(2).id,
            due_at: at(9),
            ..mail(1)
        })));
        let (due, _) = fixture.run(fixture.store().due_mails(at(HOUR)));
        assert_eq!(due.len(), 2);
        for mail in due {
            fixture.run(fixture.store().remove_mail(mail));
        }
        assert_eq!((fixture.records(b'O'), fixture.records(b'o')), (0, 0));
    });
}

#[test]
fn a_sweep_passes_damaged_tokens_and_counts_and_leaves_them() {
    every_backend(|mut fixture| {
        let ana = ana(&fixture);
        for number in 2..5 {
            let token = new_token(number, TokenKind::Session, ana, 0, at(0));
            fixture.run(
                fixture
                    .store()
                    .issue_token(token, 9, AuditAction::LogIn, made_at(at(0))),
            );
        }
        for hour in 0..9 {
            report(&fixture, &["a"], hour * HOUR);
        }
        fixture.damage(b"T");
        fixture.damage_first(b"C", 5);
        fixture.sweep(at(20 * HOUR), ONE_HOUR);
        assert_eq!((fixture.records(b'T'), fixture.records(b'C')), (1, 5));
    });
}

#[test]
fn counts_are_read_and_events_erased_beside_damaged_counts() {
    every_backend(|mut fixture| {
        ana(&fixture);
        report(&fixture, &["a", "a"], 0);
        report(&fixture, &["a"], HOUR);
        fixture.damage_first(b"C", 1);
        assert_eq!(
            (counted(&fixture, None), counted(&fixture, Some("a"))),
            (1, 1)
        );
        has_damaged(&fixture, 1);
        // They would be counted from zero again.
        let refused = try_report(&fixture, &["a"], 1);
        assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
        let all = Erasure::default();
        assert_eq!(
            fixture.run(fixture.store().erase_events(all, made_at(at(9 * HOUR)))),
            3
        );
        assert!(try_report(&fixture, &["a"], 1).is_err());
        fixture.damage(b"S");
        assert_eq!(counted(&fixture, None), 0);
    });
}

#[test]
fn events_of_a_damaged_number_or_name_are_read_without_it() {
    every_backend(|mut fixture| {
        ana(&fixture);
        report(&fixture, &["before"], 0);
        fixture.damage(b"D");
        assert_eq!(names(&fixture), ["(lost 1)"]);
        report(&fixture, &["after"], 1);
        assert_eq!(names(&fixture), ["(lost 1)", "after"]);
        fixture.damage(b"N");
        assert_eq!(events(&fixture)[0].subject, None);
        has_damaged(&fixture, 2);
    });
}

#[test]
fn a_start_passes_every_damaged_record_that_it_reads() {
    every_backend(|mut fixture| {
        ana(&fixture);
        let terms = InviteTerms {
            uses: 1,
            expires_at: None,
        };
        let invite = vec![(digest("invite", 1), terms)];
        fixture.run(fixture.store().offer_invites(invite));
        report(&fixture, &["before"], 0);
        fixture.store().note_moment(at(HOUR));
        let which = SystemValue::FingerprintSalt;
        fixture.run(fixture.store().keep_system_value(which, vec![7; 32]));
        fixture.run(fixture.store().signing_keys([7; 32], Duration::ZERO, at(1)));
        fixture.reopen();
        let kinds: [&[u8]; 7] = [
            b"D",
            b"W",
            &[b'M', 4],
            &[b'M', 5],
            &[b'M', 8],
            &[b'M', 18],
            &[b'M', 19],
        ];
        for kind in kinds {
            fixture.damage(kind);
            fixture.run(fixture.store().keep_system_value(which, vec![8; 32]));
            fixture.run(fixture.store().signing_keys([8; 32], Duration::ZERO, at(2)));
            assert!(fixture.store().damaged_records() > 0, "{kind:?}");
        }
        let replaced = fixture.store().find_system_value(which);
        assert_eq!(fixture.run(replaced), Some(vec![8; 32]));
        let keys = fixture.run(fixture.store().signing_keys([9; 32], Duration::ZERO, at(3)));
        assert_eq!(keys, SigningKeys::first([8; 32], at(2)));
        assert_eq!(
            fixture.run(fixture.store().disk_use(at(1))).events_stored,
            1
        );
    });
}

#[test]
fn a_damaged_invite_stays_refused_however_often_it_is_offered() {
    every_backend(|mut fixture| {
        let terms = InviteTerms {
            uses: 1,
            expires_at: None,
        };
        let code = doorward::crypto::digest(b"welcome");
        let offers = vec![(code, terms.clone()), (digest("invite", 2), terms)];
        fixture.run(fixture.store().offer_invites(offers.clone()[..1].to_vec()));
        fixture.damage(b"I");
        fixture.run(fixture.store().offer_invites(offers));
        assert_eq!(fixture.records(b'I'), 2);
        let user = new_user(1, "ana@example.org", Some("welcome"));
        let refused = fixture
            .store()
            .create_user(user, Some(session(1, 1, at(0))), made_at(at(0)));
        let refused = fixture.runtime.block_on(refused);
        assert!(matches!(refused, Err(Error::Corrupt(_))), "{refused:?}");
    });
}

#[test]
fn no_token_outlives_the_damage_of_its_holders_epoch() {
    every_backend(|mut fixture| {
        let reconcile = |fixture: &StoreFixture, fingerprint: &str| {
            let admin = Principal::Admin;
            fixture.run(
                fixture
                    .store()
                    .reconcile(admin, fingerprint.to_owned(), made_at(at(0))),
            )
        };
        let status = |fixture: &StoreFixture| {
            let found = fixture.run(fixture.store().find_token(&digest("token", 1)));
            let found = found.unwrap();
            found.token.status(found.epoch, at(1), false)
        };
        let epoch = reconcile(&fixture, "one");
        let token = new_token(1, TokenKind::Angen, Principal::Admin, epoch, at(0));
        assert!(
            fixture.run(
                fixture
                    .store()
                    .issue_token(token, 9, AuditAction::LogIn, made_at(at(0)))
            )
        );
        assert_eq!(status(&fixture), TokenStatus::Live);
        fixture.damage(b"P");
        assert_eq!(status(&fixture), TokenStatus::Revoked);
        assert_eq!(reconcile(&fixture, "one"), epoch + 1);
        assert_eq!(status(&fixture), TokenStatus::Revoked);
        fixture.sweep(at(1), FOR_EVER);
    });
}
