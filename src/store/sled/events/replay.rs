//! What a listener did not hear because it was away. Positions are in the order of writing, so it
//! is simply what stands behind the last that it heard, up to the group from which on it listens
//! again.

use crate::model::{Event, EventQuery, EventRow, LiveQuery, Order, Position, limits};
use crate::store::{EventScan, Result};

/// What was stored meanwhile.
#[derive(Default)]
pub(crate) struct Backlog {
    /// The first of it, as far as it is wanted.
    pub(crate) events: Vec<(Position, Event)>,
    /// How many events lie behind these, wanted or not.
    pub(crate) missed: u64,
    spent: usize,
    bytes: usize,
}

/// The question whose answer is everything that was written after `after`.
pub(crate) fn query(after: Position) -> EventQuery {
    EventQuery {
        after: Some(after),
        ..EventQuery::all(Order::Ascending)
    }
}

/// Reads the first events that a scan tells, up to the group `until`, and counts the others.
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
    /// Once something had no room, nothing is kept any more: there would be a gap before it.
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

    /// Events of these groups, told one at a time.
    struct Told(std::vec::IntoIter<u64>);

    impl EventScan for Told {
        fn advance(&mut self, emit: &mut dyn FnMut(&EventRow<'_>)) -> Result<ScanProgress> {
            let next = self.0.next();
            if let Some(sequence) = next {
                // Some say too much to be kept beside others.
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

    fn backlog(told: Vec<u64>, name: Option<&str>, until: u64) -> (Vec<u64>, u64) {
        let filter = LiveQuery {
            name: name.map(str::to_owned),
            ..LiveQuery::default()
        };
        let read = read(Told(told.into_iter()), &filter, until, || false).unwrap();
        let groups = read.events.iter().map(|(position, _)| position.sequence);
        (groups.collect(), read.missed)
    }

    #[test]
    fn what_is_listened_to_again_is_not_told_twice() {
        assert_eq!(backlog(vec![11, 12, 13], None, 12), (vec![11, 12], 0));
        assert_eq!(backlog(vec![11, 12, 13], Some("even"), 99), (vec![12], 0));
    }

    #[test]
    fn the_first_are_told_and_the_rest_is_counted_wanted_or_not() {
        let most = limits::LIVE_RESUME_EVENTS;
        let groups = (11_u64..).filter(|group| group % 5 != 4);
        let told: Vec<u64> = groups.take(most + 5).collect();
        let expected = told.iter().copied().take(most).filter(|it| it % 2 == 1);
        let expected = expected.collect();
        assert_eq!(backlog(told, Some("odd"), u64::MAX), (expected, 5));
    }

    #[test]
    fn nothing_is_kept_behind_what_had_no_room() {
        let told = vec![11, 14, 15, 19, 20, 21];
        assert_eq!(backlog(told.clone(), None, 99), (vec![11, 14, 15], 3));
        assert_eq!(backlog(told, Some("odd"), 99), (vec![11, 15, 19, 21], 0));
    }
}
