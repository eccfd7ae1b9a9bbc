//! Questions about stored events, and where in the log an answer stands.

use serde::{Deserialize, Serialize};

use super::{Event, Granularity, Principal, Timestamp, UserId, Zone};

/// Where an event stands: events are ordered by when they were stored, then by their group, their
/// block in it and their place in the block. No two have the same position, a position never
/// changes, and what is stored later stands behind what was stored before, whatever the clock did
/// in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Position {
    /// The moment of the block: that of its latest event, or of the block before if the clock was
    /// set back.
    pub at: Timestamp,
    /// The group that brought it.
    pub sequence: u64,
    /// The block in the group.
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

    /// What `to_bytes` was called on; none for anything but 24 bytes.
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

/// Which way to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    Descending,
    /// The oldest first.
    Ascending,
}

/// Which events are asked for. What is none asks for all.
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
    /// Which way to read.
    pub order: Order,
    /// Where an earlier page ended; reading goes on behind it.
    pub after: Option<Position>,
    /// How many at the most.
    pub limit: usize,
}

impl EventQuery {
    /// The one that asks for all events, in this order.
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

/// What is asked of the counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryQuery {
    /// How long a bucket is.
    pub by: Granularity,
    /// Where days and months begin at midnight.
    pub zone: Zone,
    /// Events of this name; none: of all names.
    pub name: Option<String>,
    /// The first moment.
    pub from: Timestamp,
    /// The moment behind the last.
    pub to: Timestamp,
}

/// Which events are to be removed: those that fit everything that is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erasure {
    /// Those of this name.
    pub name: Option<String>,
    /// Those about this user, whose account may be gone.
    pub subject: Option<UserId>,
    /// Those before this moment.
    pub before: Option<Timestamp>,
}

/// Some of the events that were asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventPage {
    /// The events, each with its position. There may be fewer than asked for, even none, although
    /// more follow: the work of one page is bounded.
    pub events: Vec<(Position, Event)>,
    /// Where this page ended; none: nothing follows.
    pub next: Option<Position>,
    /// Blocks that should be in this page and could not be read: their events are missing from it.
    pub damaged_blocks: usize,
}

/// An event that is shown in passing, borrowed from where it lies. It says what an [`Event`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventRow<'a> {
    /// Where it stands.
    pub position: Position,
    /// When it was stored.
    pub at: Timestamp,
    /// What happened.
    pub name: &'a str,
    /// Whom it is about.
    pub subject: Option<UserId>,
    /// Who reported it.
    pub reporter: Option<Principal>,
    /// Its details as they came.
    pub details: Option<&'a str>,
}

impl EventRow<'_> {
    /// The event, to be kept.
    pub fn to_event(&self) -> Event {
        Event {
            at: self.at,
            name: self.name.to_owned(),
            subject: self.subject,
            reporter: self.reporter,
            details: self.details.map(str::to_owned),
        }
    }

    /// An event that is kept, shown in passing.
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

/// Which events are listened for. What is none asks for all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LiveQuery {
    /// Those of this name.
    pub name: Option<String>,
    /// Those about this user.
    pub subject: Option<UserId>,
    /// The last event that was heard before: those that were stored since come first.
    pub after: Option<Position>,
}

impl LiveQuery {
    /// Whether an event is listened for.
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
