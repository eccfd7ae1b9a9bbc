//! Reads the backlog of a listener: the events that were stored while it was away. Positions are in
//! the order of writing, so the backlog is everything after the last position that the listener
//! received, up to the last group that began before it was registered again.

use crate::model::{Event, EventQuery, EventRow, LiveQuery, Order, Position, limits};
use crate::store::{EventScan, Result};

/// The events that were stored while the listener was away.
#[derive(Default)]
pub(crate) struct Backlog {
    /// The first events that match the listener's query.
    pub(crate) events: Vec<(Position, Event)>,
    /// How many later events are not kept, matching or not.
    pub(crate) missed: u64,
    spent: usize,
    bytes: usize,
}

/// The query for everything that was written after `after`.
pub(crate) fn query(after: Position) -> EventQuery {
    EventQuery {
        after: Some(after),
        ..EventQuery::all(Order::Ascending)
    }
}

/// Keeps the first matching events of a scan, up to the group `until`, and counts the others. Stops
/// early when `given_up` returns true.
pub(crate) fn read(
    mut scan: impl EventScan,
    filter: &LiveQuery,
    until: u64,
    given_up: impl Fn() -> bool,
) -> Result<Backlog> {
    let mut backlog = Backlog::default();
    let (mut more, mut is_there) = (true, false);
    while more && !is_there && !given_up() {
        let advanced = scan.advance(&mut |row| {
            is_there |= row.position.sequence > until;
            if !is_there {
                backlog.see(row, filter);
            }
        })?;
        more = advanced.more;
    }
    Ok(backlog)
}

impl Backlog {
    /// Keeps an event or counts it. Once an event did not fit, no later one is kept: a gap would
    /// precede it.
    fn see(&mut self, row: &EventRow<'_>, filter: &LiveQuery) {
        let bytes = row.name.len() + row.details.map_or(0, str::len);
        let is_wanted = filter.matches(row);
        self.spent += 1;
        self.bytes += if is_wanted { bytes } else { 0 };
        let has_room = self.spent <= limits::LIVE_RESUME_EVENTS
            && self.bytes <= limits::LIVE_RESUME_BYTES
            && self.missed == 0;
        if !has_room {
            self.missed += 1;
        } else if is_wanted {
            self.events.push((row.position, row.to_event()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ScanProgress;

    const BIG: usize = limits::LIVE_RESUME_BYTES * 2 / 3;

    /// A scan that emits one event of each of these groups, one at a time.
    struct GroupScan(std::vec::IntoIter<u64>);

    impl EventScan for GroupScan {
        fn advance(&mut self, emit: &mut dyn FnMut(&EventRow<'_>)) -> Result<ScanProgress> {
            let next = self.0.next();
            if let Some(sequence) = next {
                // Some have details so large that two of them do not fit.
                let details = "x".repeat(if sequence % 5 == 4 { BIG } else { 0 });
                emit(&EventRow {
                    position: Position {
                        sequence,
                        ..Position::default()
                    },
                    at: crate::model::Timestamp::default(),
                    name: if sequence % 2 == 0 { "even" } else { "odd" },
                    subject: None,
                    reporter: None,
                    details: Some(&details),
                });
            }
            Ok(ScanProgress {
                more: next.is_some(),
                damaged_blocks: 0,
            })
        }
    }

    fn backlog(groups: Vec<u64>, name: Option<&str>, until: u64) -> (Vec<u64>, u64) {
        let filter = LiveQuery {
            name: name.map(str::to_owned),
            ..LiveQuery::default()
        };
        let read = read(GroupScan(groups.into_iter()), &filter, until, || false).unwrap();
        let groups = read.events.iter().map(|(position, _)| position.sequence);
        (groups.collect(), read.missed)
    }

    #[test]
    fn a_backlog_ends_before_the_groups_that_are_delivered_live() {
        assert_eq!(backlog(vec![11, 12, 13], None, 12), (vec![11, 12], 0));
        assert_eq!(backlog(vec![11, 12, 13], Some("even"), 99), (vec![12], 0));
    }

    #[test]
    fn events_beyond_the_limit_are_counted_matching_or_not() {
        let most = limits::LIVE_RESUME_EVENTS;
        let groups = (11_u64..).filter(|group| group % 5 != 4);
        let stored: Vec<u64> = groups.take(most + 5).collect();
        let expected = stored.iter().copied().take(most).filter(|it| it % 2 == 1);
        let expected = expected.collect();
        assert_eq!(backlog(stored, Some("odd"), u64::MAX), (expected, 5));
    }

    #[test]
    fn nothing_is_kept_behind_what_had_no_room() {
        let stored = vec![11, 14, 15, 19, 20, 21];
        assert_eq!(backlog(stored.clone(), None, 99), (vec![11, 14, 15], 3));
        assert_eq!(backlog(stored, Some("odd"), 99), (vec![11, 15, 19, 21], 0));
    }
}
