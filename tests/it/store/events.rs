//! Tests of the store's promises about events.

use std::collections::BTreeMap;

use doorward::model::{EventCounts, EventQuery, Idempotency, NewEvent, Order, Principal};
use doorward::store::{Appended, Report};

use crate::harness::by_hour_and_name;

use super::{FOR_EVER, HOUR, StoreFixture, ana, at, digest, every_backend, user_id};

fn report<'a>(events: &'a [NewEvent<'a>], key: Option<(u64, u64)>, millis: i64) -> Report<'a> {
    let idempotency = key.map(|(key, body)| Idempotency {
        key: digest("key", key),
        body: digest("body", body),
    });
    Report {
        reporter: Principal::User(user_id(1)),
        events,
        idempotency,
        at: at(millis),
    }
}

fn append(fixture: &StoreFixture, report: Report<'_>) -> Appended {
    fixture.run(fixture.store().append_events(report))
}

#[test]
fn a_report_is_stored_whole_or_not_at_all() {
    every_backend(|mut fixture| {
        ana(&fixture);
        let details = Some("{ \"as\" : \"it came\" }");
        let good = NewEvent {
            id: None,
            name: "good",
            subject: user_id(1),
            details,
        };
        let bad = NewEvent {
            id: None,
            subject: user_id(9),
            ..good
        };
        assert_eq!(
            append(&fixture, report(&[good, bad], None, 0)),
            Appended::UnknownUser(1)
        );
        assert_eq!(
            append(&fixture, report(&[good; 3], Some((1, 1)), 0)),
            Appended::Stored(3)
        );
        assert_eq!(
            append(&fixture, report(&[good; 3], Some((1, 1)), 1)),
            Appended::Replayed(3)
        );
        assert_eq!(
            append(&fixture, report(&[good; 2], Some((1, 2)), 1)),
            Appended::KeyReused
        );
        fixture.reopen();
        assert_eq!(
            append(&fixture, report(&[good; 3], Some((1, 1)), 2)),
            Appended::Replayed(3)
        );
        let store = fixture.store();
        let events = fixture.events_from(at(0));
        assert_eq!(events.len(), 3);
        assert!(
            events
                .iter()
                .all(|it| it.name == "good" && it.details.as_deref() == details)
        );
        let first_two = EventQuery {
            limit: 2,
            ..EventQuery::all(Order::Ascending)
        };
        assert_eq!(fixture.run(store.read_events(first_two)).events.len(), 2);
        assert!(fixture.events_from(at(1)).is_empty());
        let hour = at(0).hour();
        let counted = fixture.run(store.event_counts(hour..hour + 1, None));
        let expected = BTreeMap::from([((hour, "good".to_owned()), 3)]);
        assert_eq!(by_hour_and_name(&counted), expected);
        assert_eq!(counted.hours[0].users.users(), 1);
        let later = fixture.run(store.event_counts(hour + 1..hour + 9, None));
        assert_eq!(later, EventCounts::default());
    });
}

#[test]
fn an_event_of_any_size_comes_back_as_it_was() {
    every_backend(|mut fixture| {
        ana(&fixture);
        // Neither compressible nor short: the SHA-256 of a counter, in hexadecimal digits.
        let noise: Vec<String> = (0..400)
            .map(|n| format!("{:02x?}", digest("noise", n).0))
            .collect();
        let texts: Vec<String> = [0, 1, 7, 40, 100]
            .map(|parts| format!("{{\"x\":{:?}}}", noise[..parts].concat()))
            .to_vec();
        let events: Vec<NewEvent<'_>> = (0..2_000)
            .map(|n| NewEvent {
                id: None,
                name: &noise[n % 300][..20],
                subject: user_id(1),
                details: if n % 3 == 0 {
                    Some(&texts[n % 5])
                } else {
                    None
                },
            })
            .collect();
        for (index, part) in events.chunks(700).enumerate() {
            let report = report(part, None, i64::try_from(index).unwrap());
            append(&fixture, report);
        }
        fixture.reopen();
        let stored = fixture.events_from(at(0));
        assert_eq!(stored.len(), events.len());
        for (stored, event) in stored.iter().zip(&events) {
            assert_eq!(
                (stored.name.as_str(), stored.details.as_deref()),
                (event.name, event.details)
            );
        }
    });
}

#[test]
fn a_key_that_is_used_again_after_its_day_is_remembered_for_another_day() {
    every_backend(|fixture| {
        ana(&fixture);
        let day = 24 * HOUR;
        let good = NewEvent {
            id: None,
            name: "good",
            subject: user_id(1),
            details: None,
        };
        let again = |millis| append(&fixture, report(&[good], Some((1, 1)), millis));
        assert_eq!(again(0), Appended::Stored(1));
        assert_eq!(again(day), Appended::Stored(1));
        // This removes what was due after the first day.
        fixture.sweep(at(day + 1), FOR_EVER);
        assert_eq!(again(day + 2), Appended::Replayed(1));
        fixture.sweep(at(2 * day), FOR_EVER);
        assert_eq!(again(2 * day - 1), Appended::Replayed(1));
        assert_eq!(again(2 * day), Appended::Stored(1));
    });
}

#[test]
fn keys_are_swept_when_their_day_is_over() {
    const KEYS: u8 = b'K';
    every_backend(|mut fixture| {
        ana(&fixture);
        for key in 0..3 {
            append(&fixture, report(&[], Some((key, 1)), 0));
        }
        fixture.sweep(at(24 * HOUR), FOR_EVER);
        assert_eq!(fixture.records(KEYS), 3);
        fixture.sweep(at(24 * HOUR + 1), FOR_EVER);
        assert_eq!(fixture.records(KEYS), 0);
    });
}
