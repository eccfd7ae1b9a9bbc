//! Checks accounts, tokens, reset codes, invites, mails and system values in the golden store.

use std::collections::BTreeMap;
use std::time::Duration;

use doorward::crypto;
use doorward::model::{
    DueMail, InviteTerms, Principal, Retention, Token, TokenId, TokenKind, TokenStatus, UserNumber,
};
use doorward::store::{Created, Redeemed, Refreshed, SystemValue};

use crate::store::{StoreFixture, at, digest, made_at, new_token, new_user, user_id};

use super::story::{
    ADMIN_HASH, ANA, BEN, CLEO, CROWD, CROWD_FROM, DORA, HOUR, NOW, RESET_ENDS, SALT, SEED,
    WELCOME, holder, mails, token, user,
};
use super::{golden, twice};

const MILLI: Duration = Duration::from_millis(1);
const YEARS: Duration = Duration::from_hours(100_000);

#[test]
fn accounts_are_found_by_id_and_address() {
    twice(|fixture| {
        let store = fixture.store();
        for number in [ANA, BEN, CLEO]
            .into_iter()
            .chain(CROWD_FROM..CROWD_FROM + CROWD)
        {
            let expected = user(number);
            let found = fixture.run(store.find_user(expected.id)).unwrap();
            assert_eq!(*found, expected);
            // The comparison above includes the hash, but its failure message would not show it.
            assert_eq!(found.password_hash, expected.password_hash);
            let found = fixture.run(store.find_user_by_email(&expected.email.key()));
            assert_eq!(found.as_deref(), Some(&expected));
            let epoch = fixture.run(store.epoch_of(Principal::User(expected.id)));
            assert_eq!(epoch, if expected.disabled { 0 } else { expected.epoch });
        }
        assert_eq!(fixture.run(store.find_user(user_id(DORA))), None);
        for address in ["dora@example.org", "benny@example.org"] {
            assert_eq!(fixture.run(store.find_user_by_email(address)), None);
        }
    });
}

#[test]
fn tokens_are_what_they_were_and_as_good() {
    twice(|fixture| {
        let store = fixture.store();
        let crowd = CROWD_FROM..CROWD_FROM + CROWD;
        for number in (1..10).chain(crowd) {
            let expected = token(number);
            let found = fixture.run(store.find_token(&expected.digest)).unwrap();
            assert_eq!(*found.token, expected.token, "{number}");
            let status = match number {
                2 | 4 | 9 => TokenStatus::Revoked,
                _ => TokenStatus::Live,
            };
            assert_eq!(found.status(at(NOW), Duration::default), status);
            let acts = matches!(expected.token.holder, Principal::User(_)) && number != 9;
            assert_eq!(found.user.is_some(), acts, "{number}");
        }
        assert!(
            fixture
                .run(store.find_token(&digest("token", 10)))
                .is_none()
        );
    });
}

#[test]
fn live_tokens_are_listed_with_their_holders() {
    twice(|fixture| {
        for (holder, numbers) in [
            (Principal::Admin, &[6][..]),
            (Principal::Hub, &[7]),
            (holder(ANA), &[1, 3, 5]),
            (holder(BEN), &[8]),
            (holder(CLEO), &[]),
            (holder(DORA), &[]),
            (holder(CROWD_FROM), &[CROWD_FROM]),
        ] {
            let by_id = |tokens: Vec<Token>| -> BTreeMap<TokenId, Token> {
                tokens.into_iter().map(|it| (it.id, it)).collect()
            };
            let live = fixture.run(fixture.store().live_tokens(holder, at(NOW)));
            let expected = numbers.iter().map(|number| token(*number).token);
            assert_eq!(by_id(live), by_id(expected.collect()));
        }
    });
}

#[test]
fn a_pair_is_renewed_with_its_code() {
    let fixture = golden();
    let store = fixture.store();
    let new = || new_token(90, TokenKind::Angen, holder(ANA), 0, at(NOW));
    let renew = |code| {
        let old = digest("token", 3);
        fixture.run(store.renew_token(old, digest("renewal", code), new(), at(NOW)))
    };
    assert_eq!(renew(4), None);
    let renewed = renew(3).unwrap();
    assert_eq!((renewed.holder, renewed.epoch), (holder(ANA), 1));
    assert_eq!(renewed.client.user_agent, token(3).token.client.user_agent);
    assert_eq!(renew(3), None);
}

#[test]
fn an_exchanged_token_leads_to_its_successor_and_then_ends_its_family() {
    let fixture = golden();
    let store = fixture.store();
    let refresh = |number, old, millis| {
        let new = new_token(number, TokenKind::Access, holder(ANA), 0, at(millis));
        let started = Duration::ZERO;
        fixture.run(store.refresh_token(digest("token", old), new, started, made_at(at(millis))))
    };
    let successor = Box::new(token(5).token);
    assert_eq!(
        refresh(90, 4, 4 * HOUR + 9_999),
        Refreshed::Again(successor)
    );
    let Refreshed::Done(newest) = refresh(91, 5, NOW) else {
        panic!()
    };
    assert_eq!(newest.family, token(4).token.id);
    assert!(matches!(refresh(92, 4, NOW), Refreshed::Reused(_)));
    for number in [4, 5, 91] {
        let gone = fixture.run(store.find_token(&digest("token", number)));
        assert!(gone.is_none(), "{number}");
    }
}

#[test]
fn epochs_know_the_password_of_the_last_start() {
    let mut fixture = golden();
    for (holder, print, epoch) in [
        (Principal::Admin, "second", 1),
        (Principal::Hub, "third", 2),
        (Principal::Admin, "first", 2),
        (Principal::Hub, "first", 3),
    ] {
        let before = fixture.run(fixture.store().epoch_of(holder));
        assert_eq!(
            before,
            token(if holder == Principal::Admin { 6 } else { 7 })
                .token
                .epoch
        );
        assert_eq!(
            fixture.run(
                fixture
                    .store()
                    .reconcile(holder, print.into(), made_at(at(0)))
            ),
            epoch
        );
    }
    fixture.reopen();
    for number in [6, 7] {
        let found = fixture.run(fixture.store().find_token(&digest("token", number)));
        let found = found.unwrap();
        assert_eq!(
            found.status(at(NOW), Duration::default),
            TokenStatus::Revoked
        );
    }
}

#[test]
fn what_is_left_of_an_invite_is_used_once() {
    let mut fixture = golden();
    let join = |fixture: &StoreFixture, number: u64, invite: &str| {
        let new = new_user(number, &format!("new-{number}@example.org"), Some(invite));
        let session = new_token(number, TokenKind::Session, holder(number), 0, at(NOW));
        match fixture.run(
            fixture
                .store()
                .create_user(new, Some(session), made_at(at(NOW))),
        ) {
            Created::Done(user) => Some(user.number),
            Created::InviteNotFound => None,
            Created::EmailTaken => panic!(),
        }
    };
    let next = 4 + u32::try_from(CROWD).unwrap();
    for (number, joined) in [(500, Some(UserNumber(next))), (501, None)] {
        let terms = InviteTerms {
            uses: WELCOME.0,
            expires_at: Some(at(WELCOME.1)),
        };
        let lasting = InviteTerms {
            uses: 1,
            expires_at: None,
        };
        let offer = vec![
            (crypto::digest(b"welcome"), terms),
            (crypto::digest(b"for ever"), lasting),
        ];
        fixture.run(fixture.store().offer_invites(offer));
        assert_eq!(join(&fixture, number, "welcome"), joined);
        fixture.reopen();
    }
    assert_eq!(join(&fixture, 502, "for ever"), Some(UserNumber(next + 1)));
    assert_eq!(join(&fixture, 503, "for ever"), None);
}

#[test]
fn a_reset_code_is_redeemed_until_it_ends() {
    twice(|fixture| {
        let find = |millis| {
            let code = digest("code", 1);
            fixture.run(fixture.store().find_reset(&code, at(millis)))
        };
        assert_eq!(find(RESET_ENDS - 1), Some(user_id(ANA)));
        assert_eq!(find(RESET_ENDS), None);
    });
    let fixture = golden();
    let redeem = || {
        let code = digest("code", 1);
        fixture.run(
            fixture
                .store()
                .redeem_reset(code, "third".into(), None, made_at(at(NOW))),
        )
    };
    assert_eq!(redeem(), Redeemed::Done(user_id(ANA)));
    assert_eq!(redeem(), Redeemed::Refused);
    let ana = fixture
        .run(fixture.store().find_user(user_id(ANA)))
        .unwrap();
    assert_eq!((ana.password_hash.as_str(), ana.epoch), ("third", 2));
    assert_eq!(
        fixture.run(fixture.store().live_tokens(holder(ANA), at(NOW))),
        []
    );
}

#[test]
fn a_new_code_takes_the_place_of_the_old_one() {
    let fixture = golden();
    let store = fixture.store();
    assert!(fixture.run(store.put_reset(
        user_id(ANA),
        digest("code", 2),
        at(NOW + 1),
        made_at(at(0))
    )));
    assert_eq!(
        fixture.run(store.find_reset(&digest("code", 1), at(NOW))),
        None
    );
}

#[test]
fn mails_wait_with_their_attempts() {
    let [tried, fresh] = mails();
    twice(|fixture| {
        let due = |now| fixture.run(fixture.store().due_mails(now));
        let (early, last) = (fresh.due_at.before(MILLI), tried.due_at);
        assert_eq!(due(early), (vec![], Some(fresh.due_at)));
        assert_eq!(due(fresh.due_at), (vec![fresh.clone()], Some(last)));
        assert_eq!(due(last), (vec![fresh.clone(), tried.clone()], None));
    });
    let fixture = golden();
    let store = fixture.store();
    let again = DueMail {
        id: fresh.id,
        asked_at: at(NOW),
        due_at: at(NOW),
        attempts: 0,
        ..tried.clone()
    };
    assert!(fixture.run(store.enqueue_mail(again.clone())));
    fixture.run(store.remove_mail(fresh));
    let waits = DueMail {
        due_at: tried.due_at,
        attempts: 2,
        ..again
    };
    assert_eq!(
        fixture.run(store.due_mails(tried.due_at)),
        (vec![waits], None)
    );
}

#[test]
fn the_facts_that_were_kept_stay() {
    twice(|fixture| {
        for (fact, kept) in [
            (SystemValue::AdminHash, ADMIN_HASH),
            (SystemValue::FingerprintSalt, SALT),
        ] {
            let store = fixture.store();
            let found = fixture.run(store.find_system_value(fact));
            assert_eq!(found.as_deref(), Some(kept));
            assert_eq!(fixture.run(store.keep_system_value(fact, vec![1])), kept);
        }
        let keys = fixture.run(
            fixture
                .store()
                .signing_keys([1; 32], Duration::ZERO, at(NOW)),
        );
        assert_eq!(keys.current.seed, SEED);
    });
}

#[test]
fn what_is_over_is_swept_and_nothing_is_left_behind() {
    let fixture = golden();
    let sweep = |millis| {
        let keep = Retention {
            ended: YEARS,
            events: YEARS,
            counts: YEARS,
            max_bytes: u64::MAX,
        };
        let (mut removed, mut more) = (0, true);
        while more {
            let swept = fixture.run(fixture.store().sweep(at(millis), keep));
            (removed, more) = (removed + swept.removed, swept.more);
        }
        removed
    };
    for (hours, removed) in [
        // The first idempotency record. The ids of events are kept for another day.
        (25, 1),
        // The three ids, the other idempotency record and the reset code.
        (100, 5),
        // The session that was used.
        (723, 1),
        // All other tokens but the two that can still be refreshed.
        (805, 6 + 110),
        (905, 2),
        (9_000, 0),
    ] {
        assert_eq!(sweep(hours * HOUR), removed, "{hours}");
    }
}
