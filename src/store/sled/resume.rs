//! What a listener did not hear because it was away. Listeners hear events in the order in which groups were written, and go on behind the
//! last that they heard; the log lies in the order of time. The two differ by as long as a request may wait, so reading begins
//! that much earlier, and what it finds is put into the order of writing.

use std::collections::BinaryHeap;

use super::super::{EventScan, Outcome};
use super::history::GROUP_SPAN;
use crate::model::{Event, EventQuery, EventRow, LiveQuery, Order, Position, limits};

/// What was stored meanwhile.
#[derive(Default)]
pub(super) struct Backlog {
    /// The first of it, as far as it is wanted.
    pub(super) events: Vec<(Position, Event)>,
    /// How many events lie behind these, wanted or not.
    pub(super) missed: u64,
}

/// The question whose answer holds everything that was written after `after`.
pub(super) fn query(after: Position) -> EventQuery {
    EventQuery {
        name: None,
        subject: None,
        reporter: None,
        from: Some(after.at.before(GROUP_SPAN)),
        to: None,
        order: Order::Ascending,
        after: None,
        limit: usize::MAX,
    }
}

/// Reads the first events that were written after `after`, up to the group `until`, and counts the others.
pub(super) fn read(
    mut scan: impl EventScan,
    wanted: &LiveQuery,
    after: Position,
    until: u64,
    given_up: impl Fn() -> bool,
) -> Outcome<Backlog> {
    let mut first = First::default();
    let mut more = true;
    while more && !given_up() {
        more = scan.advance(&mut |row| {
            if order(row.position) > order(after) && row.position.sequence <= until {
                first.see(row, wanted);
            }
        })?;
    }
    Ok(first.into_backlog())
}

/// A place in the order of writing: group, block, event.
type Place = (u64, u32, u32);

/// The order of writing.
fn order(position: Position) -> Place {
    (position.sequence, position.index, position.place)
}

/// The first events of those that were seen, in the order of writing.
#[derive(Default)]
struct First {
    /// The last of them on top.
    kept: BinaryHeap<Kept>,
    bytes: usize,
    seen: u64,
    /// The first that had no room: from there on nothing is kept, for there would be a gap before it.
    cut: Option<Place>,
}

impl First {
    fn see(&mut self, row: &EventRow<'_>, wanted: &LiveQuery) {
        self.seen += 1;
        if self.cut.is_some_and(|cut| order(row.position) > cut) {
            return;
        }
        let kept = Kept {
            position: row.position,
            event: wanted.matches(row).then(|| row.to_event()),
        };
        self.bytes += kept.bytes();
        self.kept.push(kept);
        while self.kept.len() > limits::LIVE_RESUME_EVENTS || self.bytes > limits::LIVE_RESUME_BYTES
        {
            let Some(last) = self.kept.pop() else { break };
            self.bytes -= last.bytes();
            self.cut = Some(order(last.position));
        }
    }

    fn into_backlog(self) -> Backlog {
        let missed = self.seen - self.kept.len() as u64;
        let kept = self.kept.into_sorted_vec().into_iter();
        let events = kept.filter_map(|kept| Some((kept.position, kept.event?)));
        Backlog {
            events: events.collect(),
            missed,
        }
    }
}

/// An event that was looked at, with what it says if that is wanted.
struct Kept {
    position: Position,
    event: Option<Event>,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.event.as_ref().map_or(0, |event| {
            event.name.len() + event.details.as_ref().map_or(0, String::len)
        })
    }
}

impl Ord for Kept {
    fn cmp(&self, other: &Kept) -> std::cmp::Ordering {
        order(self.position).cmp(&order(other.position))
    }
}

impl PartialOrd for Kept {
    fn partial_cmp(&self, other: &Kept) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Kept) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Kept {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    const BIG: usize = limits::LIVE_RESUME_BYTES * 2 / 3;

    /// Events as (millisecond, group), told one at a time.
    struct Told(std::vec::IntoIter<(i64, u64)>);

    fn position(millis: i64, sequence: u64) -> Position {
        Position {
            at: Timestamp::from_millis(millis),
            sequence,
            index: 0,
            place: 0,
        }
    }

    impl EventScan for Told {
        fn advance(&mut self, tell: &mut dyn FnMut(&EventRow<'_>)) -> Outcome<bool> {
            let Some((millis, sequence)) = self.0.next() else {
                return Ok(false);
            };
            // Some say too much to be kept beside others.
            let details = "x".repeat(if sequence % 5 == 4 { BIG } else { 0 });
            tell(&EventRow {
                position: position(millis, sequence),
                at: Timestamp::from_millis(millis),
                name: if sequence % 2 == 0 { "even" } else { "odd" },
                subject: None,
                reporter: None,
                details: Some(&details),
            });
            Ok(true)
        }
    }

    fn backlog(told: Vec<(i64, u64)>, name: Option<&str>, until: u64) -> (Vec<u64>, u64) {
        let wanted = LiveQuery {
            name: name.map(str::to_owned),
            ..LiveQuery::default()
        };
        let scan = Told(told.into_iter());
        let read = read(scan, &wanted, position(50, 10), until, || false).unwrap();
        let groups = read.events.iter().map(|(position, _)| position.sequence);
        (groups.collect(), read.missed)
    }

    #[test]
    fn what_was_written_later_counts_and_not_what_came_later() {
        let told = vec![(40, 9), (45, 12), (50, 10), (55, 8), (60, 11), (70, 13)];
        assert_eq!(backlog(told.clone(), None, 12), (vec![11, 12], 0));
        assert_eq!(backlog(told, Some("even"), 99), (vec![12], 0));
    }

    #[test]
    fn the_first_are_told_and_the_rest_is_counted_wanted_or_not() {
        let most = limits::LIVE_RESUME_EVENTS;
        // The log has them in an order that is not the order of writing.
        let groups = (11_u64..).filter(|group| group % 5 != 4);
        let mut told: Vec<(i64, u64)> = groups.map(|it| (60, it)).take(10_005).collect();
        told.reverse();
        let expected = told.iter().rev().map(|(_, group)| *group);
        let expected: Vec<u64> = expected.take(most).filter(|it| it % 2 == 1).collect();
        assert_eq!(backlog(told, Some("odd"), u64::MAX), (expected, 5));
    }

    #[test]
    fn nothing_is_kept_behind_what_had_no_room() {
        let told = vec![(60, 11), (60, 14), (60, 15), (60, 19), (60, 20), (60, 21)];
        assert_eq!(backlog(told.clone(), None, 99), (vec![11, 14, 15], 3));
        assert_eq!(
            backlog(told.clone(), Some("odd"), 99),
            (vec![11, 15, 19, 21], 0)
        );
        let backwards = told.into_iter().rev().collect();
        assert_eq!(backlog(backwards, None, 99), (vec![11, 14, 15], 3));
    }
}
