//! Mails that come with a change of an account, and invites by mail.

use doorward::model::{Digest, DueMail, EndReason, MadeInvite, MailId, MailKind, Name, SecretKind};
use doorward::store::{Created, OnlyIf, Redeemed, Updated};

use super::{
    FOR_EVER, StoreFixture, ana, at, bytes, digest, email, every_backend, made_at, new_user,
    profile, session, user_id,
};

fn id(number: u64) -> MailId {
    MailId::from_random(bytes("mail", number))
}

/// The mails in the outbox.
fn waiting(fixture: &StoreFixture) -> Vec<DueMail> {
    fixture.run(fixture.store().due_mails(at(1_000))).0
}

fn mail(number: u64, kind: MailKind, to: &str, now: i64) -> DueMail {
    DueMail::new(id(number), kind, email(to), at(now))
}

#[test]
fn a_change_and_its_mail_are_one_step() {
    every_backend(|mut fixture| {
        ana(&fixture);
        let change = |fixture: &StoreFixture, epoch, number, now| {
            let hash = format!("hash {number}");
            let notice = Some(id(number));
            let store = fixture.store();
            fixture.run(store.change_password(
                user_id(1),
                epoch,
                hash,
                None,
                notice,
                made_at(at(now)),
            ))
        };
        assert_eq!(change(&fixture, 9, 1, 1), Updated::Gone);
        assert_eq!(waiting(&fixture), []);
        assert_eq!(change(&fixture, 0, 2, 2), Updated::Done);
        fixture.reopen();
        let changed = |number, now| mail(number, MailKind::PasswordChanged, "ana@example.org", now);
        assert_eq!(waiting(&fixture), [changed(2, 2)]);
        assert_eq!(change(&fixture, 1, 3, 3), Updated::Done);
        assert_eq!(waiting(&fixture), [changed(3, 3)]);

        let store = fixture.store();
        let code = digest("code", 1);
        assert!(fixture.run(store.put_reset(user_id(1), code, at(100), made_at(at(0)))));
        let redeem = |code, number| {
            fixture.run(store.redeem_reset(code, "reset".into(), Some(id(number)), made_at(at(4))))
        };
        assert_eq!(redeem(digest("code", 2), 4), Redeemed::Refused);
        assert_eq!(waiting(&fixture), [changed(3, 3)]);
        assert_eq!(redeem(code, 5), Redeemed::Done(user_id(1)));
        assert_eq!(waiting(&fixture), [changed(5, 4)]);
        fixture.run(store.remove_mail(changed(5, 4)));
        assert_eq!(waiting(&fixture), []);
    });
}

#[test]
fn a_moved_account_is_reported_to_the_address_it_leaves() {
    every_backend(|mut fixture| {
        ana(&fixture);
        let rival = new_user(2, "ben@example.org", None);
        let session = session(2, 2, at(0));
        fixture.run(
            fixture
                .store()
                .create_user(rival, Some(session), made_at(at(0))),
        );
        let update = |fixture: &StoreFixture, to: &str, number| {
            let name = Name::parse("Ana").unwrap();
            let (store, notice) = (fixture.store(), Some(id(number)));
            fixture.run(store.update_user(
                user_id(1),
                profile(name, email(to)),
                OnlyIf::Active,
                notice,
                made_at(at(1)),
            ))
        };
        assert_eq!(update(&fixture, "ben@example.org", 1), Updated::EmailTaken);
        assert_eq!(update(&fixture, "ANA@example.org", 2), Updated::Done);
        assert_eq!(waiting(&fixture), []);
        assert_eq!(update(&fixture, "anna@example.org", 3), Updated::Done);
        fixture.reopen();
        let moved = mail(3, MailKind::EmailChanged, "ANA@example.org", 1);
        assert_eq!(waiting(&fixture), [moved]);
    });
}

#[test]
fn one_mail_of_each_kind_waits_for_an_address() {
    every_backend(|mut fixture| {
        let expires_at = at(9);
        let kinds = [
            MailKind::Reset,
            MailKind::PasswordChanged,
            MailKind::EmailChanged,
            MailKind::Invite {
                uses: 1,
                expires_at,
            },
        ];
        for (number, kind) in (0..).zip(kinds.into_iter().chain(kinds)) {
            let mail = mail(number, kind, "ana@example.org", number.cast_signed());
            assert!(fixture.run(fixture.store().enqueue_mail(mail)));
        }
        fixture.reopen();
        let found: Vec<_> = waiting(&fixture)
            .iter()
            .map(|it| (it.id, it.kind))
            .collect();
        let expected: Vec<_> = (4..)
            .zip(kinds)
            .map(|(number, kind)| (id(number), kind))
            .collect();
        assert_eq!(found, expected);
    });
}

fn invite(number: u64, uses: u32, expires_at: i64) -> MadeInvite {
    MadeInvite {
        id: id(number).into(),
        to: Some(email("ana@example.org")),
        note: String::new(),
        uses,
        used: 0,
        expires_at: at(expires_at),
        made_at: Some(at(1)),
    }
}

/// Makes an invite whose code nobody knows yet.
fn make(fixture: &StoreFixture, invite: &MadeInvite) {
    let code = of(&invite.id.to_string());
    let made = fixture
        .store()
        .make_invite(code, invite.clone(), made_at(at(1)));
    assert!(fixture.run(made));
}

/// Gives the invite of the mail that waits another code.
fn recode(fixture: &StoreFixture, code: &str) -> bool {
    let (due, _) = fixture.run(fixture.store().due_mails(at(2)));
    let recoded = fixture
        .store()
        .recode_invite(due[0].clone(), of(code), at(2));
    fixture.run(recoded)
}

/// Whether a new account can be opened with this code.
fn opens(fixture: &StoreFixture, number: u64, code: &str, now: i64) -> bool {
    let user = new_user(number, &format!("user{number}@example.org"), Some(code));
    let session = session(number, number, at(now));
    let created = fixture.run(
        fixture
            .store()
            .create_user(user, Some(session), made_at(at(now))),
    );
    matches!(created, Created::Done(_))
}

fn of(code: &str) -> Digest {
    doorward::crypto::digest(code.as_bytes())
}

#[test]
fn an_address_has_one_invite_and_each_attempt_to_mail_it_ends_the_one_before() {
    every_backend(|mut fixture| {
        make(&fixture, &invite(1, 2, 100));
        assert!(recode(&fixture, "first"));
        fixture.reopen();
        assert!(opens(&fixture, 1, "first", 1));
        // Another attempt of the same mail: the use counts.
        assert!(recode(&fixture, "second"));
        assert!(!opens(&fixture, 2, "first", 1));
        assert!(opens(&fixture, 3, "second", 1));
        assert!(!opens(&fixture, 4, "second", 1));
        assert!(!recode(&fixture, "third"), "it is used up");
        assert!(!opens(&fixture, 5, "third", 1));
        // Another invite for the address.
        make(&fixture, &invite(2, 1, 100));
        assert!(recode(&fixture, "fourth"));
        assert!(!opens(&fixture, 6, "fourth", 100));
        let end = |number| {
            fixture.run(
                fixture
                    .store()
                    .end_invite(id(number).into(), made_at(at(3))),
            )
        };
        assert!(!end(1));
        assert!(end(2) && !end(2));
        assert!(!opens(&fixture, 7, "fourth", 99));
        for kind in [b'i', b'v', b'V', b'O'] {
            assert_eq!(fixture.records(kind), 0);
        }
        let ended = fixture
            .run(fixture.store().find_ended(&of("fourth")))
            .unwrap();
        assert_eq!(
            (ended.kind, ended.reason),
            (SecretKind::Invite, EndReason::Ended)
        );
    });
}

#[test]
fn a_mail_that_was_dropped_brings_no_invite() {
    every_backend(|fixture| {
        make(&fixture, &invite(1, 1, 100));
        let (due, _) = fixture.run(fixture.store().due_mails(at(2)));
        assert!(fixture.run(fixture.store().end_invite(id(1).into(), made_at(at(2)))));
        // The sender had read it before.
        let recoded = fixture
            .store()
            .recode_invite(due[0].clone(), of("code"), at(2));
        assert!(!fixture.run(recoded));
        assert!(!opens(&fixture, 1, "code", 3));
    });
}

#[test]
fn a_mail_of_an_earlier_version_brings_its_invite() {
    every_backend(|fixture| {
        let kind = MailKind::Invite {
            uses: 1,
            expires_at: at(100),
        };
        let mail = DueMail::new(id(1), kind, email("ana@example.org"), at(1));
        assert!(fixture.run(fixture.store().enqueue_mail(mail)));
        assert!(recode(&fixture, "code"));
        assert!(opens(&fixture, 1, "code", 3));
        let listed = fixture.run(fixture.store().list_invites(None, 9));
        assert_eq!(listed.len(), 1);
    });
}

#[test]
fn invites_are_listed_the_latest_first() {
    every_backend(|fixture| {
        let by_hand = |number| MadeInvite {
            to: None,
            ..invite(number, 1, 100)
        };
        for number in 1..=5 {
            make(&fixture, &by_hand(number));
        }
        let mut seen = Vec::new();
        let mut before = None;
        loop {
            let page = fixture.run(fixture.store().list_invites(before, 2));
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            seen.extend(page);
        }
        let mut expected: Vec<_> = (1..=5).map(by_hand).collect();
        expected.sort_by_key(|it| std::cmp::Reverse(it.id));
        assert_eq!(seen, expected);
    });
}

#[test]
fn an_expired_invite_is_swept() {
    every_backend(|mut fixture| {
        for (number, to, end) in [(1, "ana@example.org", 50), (2, "ben@example.org", 100)] {
            let to = Some(email(to));
            make(
                &fixture,
                &MadeInvite {
                    to,
                    ..invite(number, 1, end)
                },
            );
        }
        let records =
            |fixture: &mut StoreFixture| [b'i', b'v', b'V'].map(|kind| fixture.records(kind));
        fixture.sweep(at(99), FOR_EVER);
        assert_eq!(records(&mut fixture), [1, 1, 1]);
        fixture.sweep(at(101), FOR_EVER);
        assert_eq!(records(&mut fixture), [0, 0, 0]);
    });
}
