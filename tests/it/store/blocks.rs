//! Blocks of events: merging does not change what is read, damaged blocks are skipped and counted,
//! and sweeping removes the blocks that are too old or together too large.

use std::time::Duration;

use doorward::model::{
    Erasure, EventPage, EventQuery, NewEvent, Order, Position, Principal, Retention, Timestamp,
};
use doorward::store::Report;

use crate::harness::by_hour_and_name;

use super::{
    FOR_EVER, HOUR, StoreFixture, ana, at, every_backend, made_at, new_user, session, user_id,
};

const MINUTE: i64 = 60_000;
const ONE_HOUR: Retention = Retention {
    ended: Duration::from_hours(24 * 30),
    events: Duration::from_hours(1),
    ..FOR_EVER
};

/// A query for all events in this order, 1,000 per page.
fn all(order: Order) -> EventQuery {
    EventQuery {
        limit: 1_000,
        ..EventQuery::all(order)
    }
}

fn report(fixture: &StoreFixture, names: &[&str], now: Timestamp) {
    report_about(fixture, 1, names, now);
}

fn report_about(fixture: &StoreFixture, user: u64, names: &[&str], now: Timestamp) {
    let events: Vec<NewEvent<'_>> = names
        .iter()
        .map(|name| NewEvent {
            name,
            subject: user_id(user),
            details: Some(r#"{"some":"details","number":7}"#),
            id: None,
        })
        .collect();
    fixture.run(fixture.store().append_events(Report {
        reporter: Principal::User(user_id(1)),
        events: &events,
        idempotency: None,
        at: now,
    }));
}

fn merge(fixture: &StoreFixture, now: Timestamp) {
    while fixture.run(fixture.store().merge_events(now)) {}
}

/// An erasure that matches nothing, which merges all blocks nevertheless.
fn nothing() -> Erasure {
    Erasure {
        name: Some("nothing".into()),
        ..Erasure::default()
    }
}

fn page(fixture: &StoreFixture, query: EventQuery) -> EventPage {
    fixture.run(fixture.store().read_events(query))
}

fn names(page: &EventPage) -> Vec<String> {
    let names = page.events.iter().map(|(_, event)| event.name.clone());
    names.collect()
}

fn positions(page: &EventPage) -> Vec<Position> {
    page.events.iter().map(|(position, _)| *position).collect()
}

#[test]
fn merging_changes_neither_what_is_read_nor_where_it_stands() {
    every_backend(|mut fixture| {
        ana(&fixture);
        for minute in 0..200 {
            report(&fixture, &["a", "b", "c"], at(minute * 60_000));
        }
        let now = at(10 * HOUR);
        let before = page(&fixture, all(Order::Ascending));
        let cursor = before.events[100].0;
        merge(&fixture, now);
        fixture.reopen();
        assert_eq!(page(&fixture, all(Order::Ascending)), before);
        let rest = EventQuery {
            after: Some(cursor),
            ..all(Order::Ascending)
        };
        assert_eq!(page(&fixture, rest).events, before.events[101..]);
        let back = EventQuery {
            after: Some(cursor),
            ..all(Order::Descending)
        };
        let mut reversed = page(&fixture, back).events;
        reversed.reverse();
        assert_eq!(reversed, before.events[..100]);
        let some = EventQuery {
            name: Some("b".into()),
            from: Some(at(HOUR)),
            to: Some(at(2 * HOUR)),
            ..all(Order::Descending)
        };
        assert_eq!(page(&fixture, some).events.len(), 60);
    });
}

#[test]
fn what_is_stored_later_stands_behind_whatever_the_clock_does() {
    every_backend(|mut fixture| {
        ana(&fixture);
        report(&fixture, &["ahead"], at(100 * HOUR));
        report(&fixture, &["set back"], at(0));
        merge(&fixture, at(0));
        fixture.reopen();
        report(&fixture, &["later"], at(1));
        let read = page(&fixture, all(Order::Ascending));
        assert_eq!(names(&read), ["ahead", "set back", "later"]);
        assert!(positions(&read).is_sorted());
        let early = EventQuery {
            to: Some(at(HOUR)),
            ..all(Order::Descending)
        };
        assert_eq!(names(&page(&fixture, early)), ["later", "set back"]);
    });
}

#[test]
fn a_damaged_block_is_left_out_and_said_and_stops_nothing() {
    every_backend(|mut fixture| {
        ana(&fixture);
        report(&fixture, &["before"], at(0));
        report(&fixture, &["lost"], at(1));
        fixture.damage(b"B");
        report(&fixture, &["behind"], at(2));
        // First as loose blocks, then merged.
        for now in [at(3), at(5 * HOUR)] {
            merge(&fixture, now);
            for order in [Order::Ascending, Order::Descending] {
                let mut read = names(&page(&fixture, all(order)));
                read.sort();
                assert_eq!(read, ["before", "behind"]);
                assert_eq!(page(&fixture, all(order)).damaged_blocks, 1);
            }
            assert_eq!(fixture.store().damaged_blocks(), 1);
        }
        fixture.sweep(at(9 * HOUR), ONE_HOUR);
        let swept = page(&fixture, all(Order::Ascending));
        assert_eq!((names(&swept), swept.damaged_blocks), (vec![], 0));
    });
}

#[test]
fn the_oldest_events_go_when_all_together_are_too_large() {
    every_backend(|fixture| {
        ana(&fixture);
        for hour in 0..50 {
            report(&fixture, &["a"; 40], at(hour * 2 * HOUR));
        }
        let now = at(200 * HOUR);
        merge(&fixture, now);
        let small = Retention {
            max_bytes: 2_000,
            ..FOR_EVER
        };
        fixture.sweep(now, small);
        let mut query = all(Order::Ascending);
        query.limit = 10_000;
        let kept = page(&fixture, query).events;
        assert!((40..1_000).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last().unwrap().1.at, at(98 * HOUR));
        // The counts remain.
        let counts = fixture.run(fixture.store().event_counts(0..u32::MAX, None));
        let counted = counts.hours.iter().flat_map(|hour| &hour.counts);
        assert_eq!(counted.map(|it| it.count).sum::<u64>(), 2_000);
    });
}

#[test]
fn names_that_have_no_room_are_counted_under_one_and_kept_with_their_events() {
    every_backend(|mut fixture| {
        ana(&fixture);
        let many: Vec<String> = (0..super::MAX_NAMES + 5)
            .map(|it| format!("n{it}"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        report(&fixture, &many, at(0));
        fixture.reopen();
        let counts = fixture.run(fixture.store().event_counts(0..u32::MAX, Some("(other)")));
        assert_eq!(counts.hours[0].counts[0].count, 5);
        for now in [at(0), at(5 * HOUR)] {
            merge(&fixture, now);
            let last = EventQuery {
                name: Some(many.last().unwrap().to_string()),
                ..all(Order::Descending)
            };
            assert_eq!(names(&page(&fixture, last)), [*many.last().unwrap()]);
        }
    });
}

#[test]
fn a_merged_block_is_kept_as_long_as_its_latest_event() {
    every_backend(|fixture| {
        ana(&fixture);
        // Both go into one merged block, whose key has the time of the first event.
        report(&fixture, &["first"], at(0));
        report(&fixture, &["latest"], at(50 * MINUTE));
        merge(&fixture, at(5 * HOUR));
        let kept = || names(&page(&fixture, all(Order::Ascending)));
        fixture.sweep(at(110 * MINUTE), ONE_HOUR);
        assert_eq!(kept(), ["first", "latest"]);
        fixture.sweep(at(110 * MINUTE + 1), ONE_HOUR);
        assert!(kept().is_empty());
    });
}

#[test]
fn events_of_a_clock_that_was_set_back_are_kept_no_longer_than_others() {
    every_backend(|fixture| {
        ana(&fixture);
        report(&fixture, &["ahead"], at(100 * HOUR));
        // It is stored after the other event, under a key with the other event's time.
        report(&fixture, &["set back"], at(0));
        merge(&fixture, at(HOUR));
        fixture.sweep(at(HOUR + 1), ONE_HOUR);
        assert_eq!(names(&page(&fixture, all(Order::Ascending))), ["ahead"]);
    });
}

#[test]
fn an_erasure_corrects_the_counts_of_the_hours_of_its_events() {
    every_backend(|mut fixture| {
        ana(&fixture);
        let ben = new_user(2, "ben@example.org", None);
        fixture.run(
            fixture
                .store()
                .create_user(ben, Some(session(2, 2, at(0))), made_at(at(0))),
        );
        // One merged block with the events of two hours.
        report(&fixture, &["a", "a", "a", "b"], at(50 * MINUTE));
        report(&fixture, &["a", "a"], at(70 * MINUTE));
        report_about(&fixture, 2, &["a"], at(70 * MINUTE));
        let hour = at(0).hour();
        let erased = |fixture: &StoreFixture, what| {
            let erased = fixture.run(fixture.store().erase_events(what, made_at(at(80 * MINUTE))));
            let counts = fixture.run(fixture.store().event_counts(0..u32::MAX, None));
            let counts = by_hour_and_name(&counts).into_iter();
            let counts = counts.map(|((of, name), count)| (of - hour, name, count));
            (erased, counts.collect::<Vec<_>>())
        };
        let of_ben = Erasure {
            name: None,
            subject: Some(user_id(2)),
            before: None,
        };
        let (a, b) = ("a".to_owned(), "b".to_owned());
        let left = vec![(0, a.clone(), 3), (0, b.clone(), 1), (1, a.clone(), 2)];
        assert_eq!(erased(&fixture, of_ben), (1, left));
        let of_the_first_hour = Erasure {
            name: Some(a.clone()),
            subject: None,
            before: Some(at(HOUR)),
        };
        let left = vec![(0, b, 1), (1, a, 2)];
        assert_eq!(
            erased(&fixture, of_the_first_hour.clone()),
            (3, left.clone())
        );
        fixture.reopen();
        assert_eq!(erased(&fixture, of_the_first_hour), (0, left));
    });
}

#[test]
fn blocks_dated_in_the_future_shield_nothing_from_retention() {
    every_backend(|fixture| {
        ana(&fixture);
        // More merged blocks than a step of the sweep looks at.
        for hour in 0..70 {
            report(&fixture, &["ahead"], at((91 * 24 + hour) * HOUR));
        }
        report(&fixture, &["now"], at(0));
        let now = at(2 * HOUR);
        fixture.run(fixture.store().erase_events(nothing(), made_at(now)));
        fixture.sweep(now, ONE_HOUR);
        let left = names(&page(&fixture, all(Order::Ascending)));
        assert_eq!(left, vec!["ahead"; 70]);
        // The next pass begins an hour later, and finds what has become old since.
        report(&fixture, &["later"], now);
        fixture.run(fixture.store().erase_events(nothing(), made_at(now)));
        fixture.sweep(at(3 * HOUR), ONE_HOUR);
        assert_eq!(page(&fixture, all(Order::Ascending)).events.len(), 71);
        fixture.sweep(at(4 * HOUR), ONE_HOUR);
        assert_eq!(page(&fixture, all(Order::Ascending)).events.len(), 70);
    });
}
