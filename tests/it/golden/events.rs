//! Checks events, their counts, idempotency records and event ids in the golden store.

use std::ops::Range;
use std::time::Duration;

use doorward::model::{
    DiskDay, Erasure, Event, EventCounts, EventQuery, EventRow, Idempotency, LiveQuery, Mark,
    Order, Position, Principal, Retention, Sketch, Timestamp, UserNumber,
};
use doorward::store::{Appended, Delivery};

use crate::harness::by_hour_and_name;
use crate::store::{FOR_EVER, StoreFixture, at, digest, made_at, user_id};

use super::story::{
    ANA, BEN, CLEO, CROWD_FROM, DISK_DAYS, DORA, EVER_STORED, HOUR, MINUTE, NOW, Sent,
    counted_name, counts, erasure, events, holder, reports,
};
use super::{golden, twice};

const ALL_HOURS: Range<u32> = 0..u32::MAX;

/// Queries that each read a different part of the stored data.
fn questions() -> Vec<EventQuery> {
    let all = || EventQuery::all(Order::Ascending);
    let named = |name: &str| EventQuery {
        name: Some(name.into()),
        ..all()
    };
    let about = |user| EventQuery {
        subject: Some(user_id(user)),
        ..all()
    };
    let by = |reporter| EventQuery {
        reporter: Some(reporter),
        ..all()
    };
    let between = |from: i64, to: i64| EventQuery {
        from: Some(at(from)),
        to: Some(at(to)),
        ..all()
    };
    vec![
        all(),
        named("match_end"),
        named("secret"),
        named("kind-00"),
        named("kind-79"),
        named("unheard of"),
        about(ANA),
        about(CLEO),
        about(DORA),
        about(CROWD_FROM + 7),
        about(500),
        by(Principal::Admin),
        by(Principal::Hub),
        by(holder(BEN)),
        by(holder(DORA)),
        between(10 * MINUTE, 30 * MINUTE),
        between(2 * HOUR, 24 * HOUR),
        between(90 * MINUTE, 24 * HOUR + 1),
        EventQuery {
            subject: Some(user_id(BEN)),
            reporter: Some(Principal::Admin),
            ..named("kind-01")
        },
    ]
}

fn answers(query: &EventQuery, event: &Event) -> bool {
    query.name.as_ref().is_none_or(|it| *it == event.name)
        && (query.subject.is_none() || query.subject == event.subject)
        && (query.reporter.is_none() || query.reporter == event.reporter)
        && query.from.is_none_or(|from| from <= event.at)
        && query.to.is_none_or(|to| event.at < to)
}

fn expected(query: &EventQuery) -> Vec<(Position, Event)> {
    let mut found = events();
    found.retain(|(_, event)| answers(query, event));
    if query.order == Order::Descending {
        found.reverse();
    }
    found
}

/// The events that match a query, read in pages of `limit` events.
fn paged(fixture: &StoreFixture, query: &EventQuery, limit: usize) -> Vec<(Position, Event)> {
    let mut query = EventQuery {
        limit,
        ..query.clone()
    };
    let mut found = Vec::new();
    loop {
        let page = fixture.run(fixture.store().read_events(query.clone()));
        assert!(page.events.len() <= limit);
        assert_eq!(page.damaged_blocks, 0);
        found.extend(page.events);
        query.after = page.next;
        if query.after.is_none() {
            return found;
        }
    }
}

#[test]
fn every_event_is_read_in_both_directions_where_it_stood() {
    twice(|fixture| {
        for query in questions() {
            for order in [Order::Ascending, Order::Descending] {
                let query = EventQuery {
                    order,
                    ..query.clone()
                };
                for limit in [1_000, 3] {
                    assert_eq!(paged(fixture, &query, limit), expected(&query), "{query:?}");
                }
            }
        }
        assert_eq!(fixture.store().damaged_blocks(), 0);
    });
}

#[test]
fn every_event_is_scanned() {
    twice(|fixture| {
        for query in questions() {
            let mut scan = fixture.run(fixture.store().scan_events(query.clone()));
            let (mut found, mut more) = (Vec::new(), true);
            while more {
                let emit = &mut |row: &EventRow<'_>| {
                    found.push((row.position, row.to_event()));
                };
                let advanced = scan.advance(emit).unwrap();
                assert_eq!(advanced.damaged_blocks, 0);
                more = advanced.more;
            }
            assert_eq!(found, expected(&query), "{query:?}");
        }
        let since = fixture.events_from(at(24 * HOUR));
        let expected = events().into_iter().map(|(_, event)| event);
        let expected: Vec<Event> = expected.filter(|it| it.at >= at(24 * HOUR)).collect();
        assert_eq!(since, expected);
    });
}

#[test]
fn a_listener_goes_on_behind_a_position_that_it_was_given() {
    let fixture = golden();
    let events = events();
    let query = LiveQuery {
        after: Some(events[events.len() - 5].0),
        ..LiveQuery::default()
    };
    let mut listener = fixture.run(fixture.store().listen(query));
    let mut heard = Vec::new();
    while heard.len() < 4 {
        match fixture.run(listener.next()) {
            Delivery::Events(events) => heard.extend(events),
            Delivery::Missed(_) => panic!(),
        }
    }
    assert_eq!(heard, events[events.len() - 4..]);
}

fn count(fixture: &StoreFixture, hours: Range<u32>, name: Option<&str>) -> EventCounts {
    fixture.run(fixture.store().event_counts(hours, name))
}

/// The sketch of the users whom these events are about.
fn sketch<'a>(events: impl Iterator<Item = &'a Event>) -> Sketch {
    let mut sketch = Sketch::default();
    for event in events {
        let subject = event.subject.unwrap();
        let number = (0..500).find(|it| user_id(*it) == subject).unwrap();
        let number = if number < CROWD_FROM {
            number - 1
        } else {
            number - CROWD_FROM + 4
        };
        sketch.add(Mark::of(UserNumber(u32::try_from(number).unwrap())));
    }
    sketch
}

#[test]
fn counts_are_exact_by_hour_and_name() {
    twice(|fixture| {
        assert_eq!(by_hour_and_name(&count(fixture, ALL_HOURS, None)), counts());
        let hour = at(HOUR).hour();
        let of_hour = by_hour_and_name(&count(fixture, hour..hour + 1, None));
        assert_eq!(of_hour.values().sum::<u64>(), 116);
        for name in ["join", "kind-00", "kind-63", "note", "(other)"] {
            let mut expected = counts();
            expected.retain(|(_, it), _| it == name);
            assert!(!expected.is_empty());
            assert_eq!(
                by_hour_and_name(&count(fixture, ALL_HOURS, Some(name))),
                expected
            );
        }
        for name in ["kind-64", "unheard of"] {
            assert_eq!(
                count(fixture, ALL_HOURS, Some(name)),
                EventCounts::default()
            );
        }
    });
}

#[test]
fn users_are_those_of_the_sketches() {
    let events: Vec<Event> = events().into_iter().map(|(_, event)| event).collect();
    twice(|fixture| {
        for name in [
            None,
            Some("join"),
            Some("note"),
            Some("(other)"),
            Some("secret"),
        ] {
            for hour in count(fixture, ALL_HOURS, name).hours {
                let here = events.iter().filter(|event| {
                    event.at.hour() == hour.hour
                        && name.is_none_or(|name| name == counted_name(event))
                });
                assert_eq!(hour.users.to_bytes(), sketch(here).to_bytes(), "{name:?}");
            }
        }
        let hour = at(HOUR).hour();
        let crowded = &count(fixture, hour..hour + 1, None).hours[0];
        // The dense form, 5 bits a register. Sketches of few users list their registers instead.
        assert_eq!(crowded.users.to_bytes().len(), 160);
    });
}

fn send(fixture: &StoreFixture, report: &Sent, millis: i64) -> Appended {
    report.with(at(millis), |request| {
        fixture.run(fixture.store().append_events(request))
    })
}

fn ever_stored(fixture: &StoreFixture) -> u64 {
    fixture.run(fixture.store().disk_use(at(NOW))).events_stored
}

#[test]
fn a_request_that_was_answered_is_answered_alike_and_not_stored() {
    twice(|fixture| {
        let reports = reports();
        for (report, millis) in [(&reports[0], 24 * HOUR - 1), (&reports[6], NOW)] {
            let answer = Appended::Replayed(report.lines.len());
            assert_eq!(send(fixture, report, millis), answer);
        }
        let mut other = self::reports().remove(6);
        let promise = other.promise.unwrap();
        other.promise = Some(Idempotency {
            body: digest("body", 9),
            ..promise
        });
        assert_eq!(send(fixture, &other, NOW), Appended::KeyReused);
        assert_eq!(ever_stored(fixture), EVER_STORED);
    });
    // The first idempotency record has expired.
    let fixture = golden();
    assert_eq!(
        send(&fixture, &reports()[0], 24 * HOUR),
        Appended::Stored(5)
    );
    assert_eq!(ever_stored(&fixture), EVER_STORED + 5);
}

#[test]
fn an_event_that_was_stored_today_or_yesterday_is_not_stored_again() {
    let fixture = golden();
    let mut joins = reports().remove(1);
    joins.lines.truncate(1);
    let later = reports().remove(7);
    let mut tick = reports().remove(6);
    tick.lines.remove(0);
    tick.promise = None;
    // The subject of the first is deleted, but the store checks subjects of new events only.
    for report in [&joins, &later, &tick] {
        assert_eq!(send(&fixture, report, NOW), Appended::Stored(1));
    }
    assert_eq!(ever_stored(&fixture), EVER_STORED);
    fixture.sweep(at(NOW + 24 * HOUR), FOR_EVER);
    assert_eq!(
        send(&fixture, &joins, NOW + 24 * HOUR),
        Appended::UnknownUser(0)
    );
    fixture.sweep(at(NOW + 48 * HOUR), FOR_EVER);
    assert_eq!(send(&fixture, &later, NOW + 48 * HOUR), Appended::Stored(1));
    assert_eq!(ever_stored(&fixture), EVER_STORED + 1);
    // Each reporter has its own ids.
    let mut others = reports().remove(7);
    others.reporter = Principal::Admin;
    assert_eq!(send(&fixture, &others, NOW), Appended::Stored(1));
    assert_eq!(ever_stored(&fixture), EVER_STORED + 2);
}

#[test]
fn disk_use_is_reported_by_day() {
    twice(|fixture| {
        // A later day, so that the writes of this test do not count for the days that it checks.
        let day = at(NOW).day() + 2;
        let about = fixture.run(fixture.store().disk_use(Timestamp::of_day(day)));
        assert_eq!(about.events_stored, EVER_STORED);
        assert!(about.disk_bytes > 0);
        let days: Vec<_> = about.days.into_iter().filter(|(it, _)| *it < day).collect();
        let expected = DISK_DAYS.map(|(day, events, written)| {
            (
                day,
                DiskDay {
                    events,
                    written_bytes: Some(written),
                },
            )
        });
        assert_eq!(days, expected);
    });
}

#[test]
fn what_comes_later_stands_behind_and_merging_changes_nothing() {
    let mut fixture = golden();
    assert_eq!(send(&fixture, &reports()[8], NOW), Appended::Stored(1));
    let all = EventQuery::all(Order::Ascending);
    let before = paged(&fixture, &all, 1_000);
    let (newest, stored) = before.split_last().unwrap();
    assert_eq!(stored, events());
    assert_eq!((newest.1.at, &newest.1.name[..]), (at(NOW), "note"));
    while fixture.run(fixture.store().merge_events(at(NOW + 3 * HOUR))) {}
    fixture.reopen();
    assert_eq!(paged(&fixture, &all, 1_000), before);
    assert_eq!(
        fixture.run(fixture.store().erase_events(erasure(), made_at(at(NOW)))),
        0
    );
}

#[test]
fn events_of_an_account_that_is_gone_are_erased() {
    let mut fixture = golden();
    let what = || Erasure {
        subject: Some(user_id(DORA)),
        ..Erasure::default()
    };
    assert_eq!(
        fixture.run(fixture.store().erase_events(what(), made_at(at(NOW)))),
        2
    );
    fixture.reopen();
    let mut kept = events();
    kept.retain(|(_, event)| event.subject != Some(user_id(DORA)));
    assert_eq!(
        paged(&fixture, &EventQuery::all(Order::Ascending), 1_000),
        kept
    );
    let counted = by_hour_and_name(&count(&fixture, ALL_HOURS, None));
    let first = |name: &str| (at(0).hour(), name.to_owned());
    assert_eq!(counted.get(&first("join")), None);
    assert_eq!(counted.get(&first("tick")), Some(&1));
}

#[test]
fn a_merged_block_is_swept_when_its_last_event_is_too_old() {
    let fixture = golden();
    let keep = |hours| Retention {
        ended: Duration::from_hours(24 * 30),
        events: Duration::from_hours(hours),
        counts: Duration::from_hours(1_000),
        max_bytes: u64::MAX,
    };
    let mut kept = events();
    for (oldest, hours) in [(0, 25), (HOUR, 24)] {
        while fixture
            .run(fixture.store().sweep(at(NOW), keep(hours)))
            .more
        {}
        kept.retain(|(_, event)| event.at >= at(oldest));
        assert_eq!(
            paged(&fixture, &EventQuery::all(Order::Ascending), 1_000),
            kept
        );
    }
    // The counts remain.
    assert_eq!(
        by_hour_and_name(&count(&fixture, ALL_HOURS, None)),
        counts()
    );
}
