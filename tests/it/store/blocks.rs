//! What becomes of blocks of events: merged they say the same, damaged they are left out and said, too old or too many they go.

use std::time::Duration;

use doorward::model::{
    EventPage, EventQuery, Holder, NewEvent, Order, Position, Retention, Timestamp,
};
use doorward::store::Report;

use super::{Shelf, ana, at, every_backend, user_id};

const HOUR: i64 = 3_600_000;
const FOR_EVER: Retention = Retention {
    events: Duration::from_hours(24 * 365),
    counts: Duration::from_hours(24 * 365),
    max_bytes: u64::MAX,
};

/// Everything, in this order.
fn all(order: Order) -> EventQuery {
    EventQuery {
        limit: 1_000,
        ..EventQuery::all(order)
    }
}

fn report(shelf: &Shelf, names: &[&str], now: Timestamp) {
    let events: Vec<NewEvent<'_>> = names
        .iter()
        .map(|name| NewEvent {
            name,
            subject: user_id(1),
            details: Some(r#"{"some":"details","number":7}"#),
            id: None,
        })
        .collect();
    shelf.run(shelf.store().append_events(Report {
        reporter: Holder::User(user_id(1)),
        events: &events,
        idempotency: None,
        at: now,
    }));
}

fn merge(shelf: &Shelf, now: Timestamp) {
    while shelf.run(shelf.store().merge_events(now)) {}
}

fn page(shelf: &Shelf, query: EventQuery) -> EventPage {
    shelf.run(shelf.store().read_events(query))
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
    every_backend(|mut shelf| {
        ana(&shelf);
        for minute in 0..200 {
            report(&shelf, &["a", "b", "c"], at(minute * 60_000));
        }
        let now = at(10 * HOUR);
        let before = page(&shelf, all(Order::Ascending));
        let cursor = before.events[100].0;
        merge(&shelf, now);
        shelf.reopen();
        assert_eq!(page(&shelf, all(Order::Ascending)), before);
        let rest = EventQuery {
            after: Some(cursor),
            ..all(Order::Ascending)
        };
        assert_eq!(page(&shelf, rest).events, before.events[101..]);
        let back = EventQuery {
            after: Some(cursor),
            ..all(Order::Descending)
        };
        let mut reversed = page(&shelf, back).events;
        reversed.reverse();
        assert_eq!(reversed, before.events[..100]);
        let some = EventQuery {
            name: Some("b".into()),
            from: Some(at(HOUR)),
            to: Some(at(2 * HOUR)),
            ..all(Order::Descending)
        };
        assert_eq!(page(&shelf, some).events.len(), 60);
    });
}

#[test]
fn what_is_stored_later_stands_behind_whatever_the_clock_does() {
    every_backend(|mut shelf| {
        ana(&shelf);
        report(&shelf, &["ahead"], at(100 * HOUR));
        report(&shelf, &["set back"], at(0));
        merge(&shelf, at(0));
        shelf.reopen();
        report(&shelf, &["later"], at(1));
        let read = page(&shelf, all(Order::Ascending));
        assert_eq!(names(&read), ["ahead", "set back", "later"]);
        assert!(positions(&read).is_sorted());
        let early = EventQuery {
            to: Some(at(HOUR)),
            ..all(Order::Descending)
        };
        assert_eq!(names(&page(&shelf, early)), ["later", "set back"]);
    });
}

#[test]
fn a_damaged_block_is_left_out_and_said_and_stops_nothing() {
    every_backend(|mut shelf| {
        ana(&shelf);
        report(&shelf, &["before"], at(0));
        report(&shelf, &["lost"], at(1));
        shelf.damage(b'B');
        report(&shelf, &["behind"], at(2));
        // Loose, and then merged.
        for now in [at(3), at(5 * HOUR)] {
            merge(&shelf, now);
            for order in [Order::Ascending, Order::Descending] {
                let mut read = names(&page(&shelf, all(order)));
                read.sort();
                assert_eq!(read, ["before", "behind"]);
                assert_eq!(page(&shelf, all(order)).damaged_blocks, 1);
            }
            assert_eq!(shelf.store().damaged_blocks(), 1);
        }
        let short = Retention {
            events: Duration::from_hours(1),
            ..FOR_EVER
        };
        while shelf.run(shelf.store().sweep(at(9 * HOUR), short)).more {}
        let swept = page(&shelf, all(Order::Ascending));
        assert_eq!((names(&swept), swept.damaged_blocks), (vec![], 0));
    });
}

#[test]
fn the_oldest_events_go_when_all_together_are_too_large() {
    every_backend(|shelf| {
        ana(&shelf);
        for hour in 0..50 {
            report(&shelf, &["a"; 40], at(hour * 2 * HOUR));
        }
        let now = at(200 * HOUR);
        merge(&shelf, now);
        let small = Retention {
            max_bytes: 2_000,
            ..FOR_EVER
        };
        while shelf.run(shelf.store().sweep(now, small)).more {}
        let mut query = all(Order::Ascending);
        query.limit = 10_000;
        let kept = page(&shelf, query).events;
        assert!((40..1_000).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept.last().unwrap().1.at, at(98 * HOUR));
        // What was counted stays.
        let counts = shelf.run(shelf.store().event_counts(0..u32::MAX, None));
        let counted = counts.hours.iter().flat_map(|hour| &hour.counts);
        assert_eq!(counted.map(|it| it.count).sum::<u64>(), 2_000);
    });
}

#[test]
fn names_that_have_no_room_are_counted_under_one_and_kept_with_their_events() {
    every_backend(|mut shelf| {
        ana(&shelf);
        let many: Vec<String> = (0..super::MAX_NAMES + 5)
            .map(|it| format!("n{it}"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        report(&shelf, &many, at(0));
        shelf.reopen();
        let counts = shelf.run(shelf.store().event_counts(0..u32::MAX, Some("(other)")));
        assert_eq!(counts.hours[0].counts[0].count, 5);
        for now in [at(0), at(5 * HOUR)] {
            merge(&shelf, now);
            let last = EventQuery {
                name: Some(many.last().unwrap().to_string()),
                ..all(Order::Descending)
            };
            assert_eq!(names(&page(&shelf, last)), [*many.last().unwrap()]);
        }
    });
}
