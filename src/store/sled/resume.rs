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

/// The order of writing.
fn order(position: Position) -> (u64, u32, u32) {
    (position.sequence, position.index, position.place)
}

/// The first events of those that were seen, in the order of writing.
#[derive(Default)]
struct First {
    /// The last of them on top.
    kept: BinaryHeap<Kept>,
    bytes: usize,
    seen: u64,
}

impl First {
    fn see(&mut self, row: &EventRow<'_>, wanted: &LiveQuery) {
        self.seen += 1;
        let is_full = self.kept.len() >= limits::LIVE_RESUME_EVENTS
            || self.bytes >= limits::LIVE_RESUME_BYTES;
        let last = self.kept.peek().map(|kept| order(kept.position));
        if is_full && last.is_some_and(|last| order(row.position) > last) {
            return;
        }
        let event = wanted.matches(row).then(|| row.to_event());
        let kept = Kept {
            position: row.position,
            event,
        };
        self.bytes += kept.bytes();
        self.kept.push(kept);
        while self.kept.len() > limits::LIVE_RESUME_EVENTS
            || (self.bytes > limits::LIVE_RESUME_BYTES && self.kept.len() > 1)
        {
            self.bytes -= self.kept.pop().map_or(0, |kept| kept.bytes());
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
            tell(&EventRow {
                position: position(millis, sequence),
                at: Timestamp::from_millis(millis),
                name: if sequence % 2 == 0 { "even" } else { "odd" },
                subject: None,
                reporter: None,
                details: None,
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
        let most = limits::LIVE_RESUME_EVENTS as u64;
        // The log has them in an order that is not the order of writing.
        let mut told: Vec<(i64, u64)> = (11..=10 + most + 5).map(|it| (60, it)).collect();
        told.reverse();
        let (groups, missed) = backlog(told, Some("odd"), u64::MAX);
        assert_eq!(missed, 5);
        assert!(groups.iter().copied().eq((11..=10 + most).step_by(2)));
    }
}
