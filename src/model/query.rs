//! Queries for stored events, and positions in the event log.

use serde::{Deserialize, Serialize};

use super::{Event, Granularity, Principal, Timestamp, UserId, Zone};

/// The position of an event in the log. Events are ordered by the moment of their block, then by
/// their group of changes, their block in it and their place in the block. No two events have the
/// same position, and a position never changes. An event that is stored later has a higher
/// position, even if the clock was set back in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Position {
    /// The moment of the block: that of its latest event, or that of the block before if the clock
    /// was set back.
    pub at: Timestamp,
    /// The number of the group of changes that stored it.
    pub sequence: u64,
    /// The index of the block in the group.
    pub index: u32,
    /// The place in the block.
    pub place: u32,
}

impl Position {
    /// The position as 24 bytes, big-endian.
    pub fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let moment = u128::from(self.at.millis().cast_unsigned());
        let group = (moment << 64) | u128::from(self.sequence);
        let place = (u64::from(self.index) << 32) | u64::from(self.place);
        if let Some((head, tail)) = bytes.split_first_chunk_mut() {
            *head = group.to_be_bytes();
            tail.copy_from_slice(&place.to_be_bytes());
        }
        bytes
    }

    /// The position that `to_bytes` encoded; none unless there are exactly 24 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Position> {
        let (at, rest) = bytes.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        Some(Position {
            at: Timestamp::from_millis(i64::from_be_bytes(*at)),
            sequence: u64::from_be_bytes(*sequence),
            index: u32::from_be_bytes(*index),
            place: u32::from_be_bytes(rest.try_into().ok()?),
        })
    }
}

/// The order of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    Descending,
    /// The oldest first.
    Ascending,
}

/// Which events to read. A filter that is none matches all events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQuery {
    /// Those of this name.
    pub name: Option<String>,
    /// Those about this user.
    pub subject: Option<UserId>,
    /// Those that this holder reported.
    pub reporter: Option<Principal>,
    /// Those from this moment on.
    pub from: Option<Timestamp>,
    /// Those before this moment.
    pub to: Option<Timestamp>,
    /// The order of the events.
    pub order: Order,
    /// Where an earlier page ended; reading resumes after it.
    pub after: Option<Position>,
    /// The most events to return.
    pub limit: usize,
}

impl EventQuery {
    /// A query for all events, in this order.
    pub fn all(order: Order) -> EventQuery {
        EventQuery {
            name: None,
            subject: None,
            reporter: None,
            from: None,
            to: None,
            order,
            after: None,
            limit: usize::MAX,
        }
    }
}

/// A query for the counts of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryQuery {
    /// How long a bucket is.
    pub by: Granularity,
    /// The time zone in which days and months begin.
    pub zone: Zone,
    /// Events of this name; none: of all names.
    pub name: Option<String>,
    /// The beginning of the range, inclusive.
    pub from: Timestamp,
    /// The end of the range, exclusive.
    pub to: Timestamp,
}

/// Which events to remove: those that match every filter that is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erasure {
    /// Those of this name.
    pub name: Option<String>,
    /// Those about this user, whose account may be gone.
    pub subject: Option<UserId>,
    /// Those before this moment.
    pub before: Option<Timestamp>,
}

/// A page of the events that match a query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventPage {
    /// The events, each with its position. There may be fewer than asked for, even none, although
    /// more follow: the work of one page is bounded.
    pub events: Vec<(Position, Event)>,
    /// Where this page ended; none: nothing follows.
    pub next: Option<Position>,
    /// Blocks of this page that could not be read: their events are missing from it.
    pub damaged_blocks: usize,
}

/// A borrowed view of a stored event: the fields of an [`Event`], and its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRow<'a> {
    /// Its position.
    pub position: Position,
    /// When it was stored.
    pub at: Timestamp,
    /// What happened.
    pub name: &'a str,
    /// The user it is about; none if that account's number is no longer known.
    pub subject: Option<UserId>,
    /// Who reported it; none if that account's number is no longer known.
    pub reporter: Option<Principal>,
    /// Its details, byte for byte as received.
    pub details: Option<&'a str>,
}

impl EventRow<'_> {
    /// An owned copy of the event.
    pub fn to_event(&self) -> Event {
        Event {
            at: self.at,
            name: self.name.to_owned(),
            subject: self.subject,
            reporter: self.reporter,
            details: self.details.map(str::to_owned),
        }
    }

    /// A borrowed view of an owned event.
    pub fn of(position: Position, event: &Event) -> EventRow<'_> {
        EventRow {
            position,
            at: event.at,
            name: &event.name,
            subject: event.subject,
            reporter: event.reporter,
            details: event.details.as_deref(),
        }
    }
}

/// Which events a listener receives. A filter that is none matches all events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveQuery {
    /// Those of this name.
    pub name: Option<String>,
    /// Those about this user.
    pub subject: Option<UserId>,
    /// The last event that the listener received before; the events stored since then come first.
    pub after: Option<Position>,
}

impl LiveQuery {
    /// Whether the listener receives this event.
    pub fn matches(&self, event: &EventRow<'_>) -> bool {
        self.name.as_deref().is_none_or(|name| event.name == name)
            && (self.subject.is_none() || event.subject == self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back_from_its_bytes() {
        let position = Position {
            at: Timestamp::from_millis(1_700_000_000_123),
            sequence: 7,
            index: 2,
            place: 99,
        };
        assert_eq!(Position::from_bytes(&position.to_bytes()), Some(position));
        assert_eq!(Position::from_bytes(&[0; 23]), None);
        assert_eq!(Position::from_bytes(&[0; 25]), None);
    }
}
