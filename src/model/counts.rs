//! The counts of events, and how long events and counts are kept.

use std::time::Duration;

use super::Sketch;

/// The counts of some hours, in the order of time. Hours without events are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventCounts {
    /// The names that occurred, each once, in no particular order.
    pub names: Vec<String>,
    /// The hours.
    pub hours: Vec<HourCounts>,
}

/// The counts of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourCounts {
    /// The hour, in hours since the epoch.
    pub hour: u32,
    /// How often each name occurred: exact.
    pub counts: Vec<NameCount>,
    /// The users that the events were about: approximate.
    pub users: Sketch,
}

/// How often one name occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameCount {
    /// The index of the name in [`EventCounts::names`].
    pub name: u32,
    /// How many.
    pub count: u64,
}

/// How long events and their counts are kept, and how much space events may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long the events are kept.
    pub events: Duration,
    /// How long their counts are kept.
    pub counts: Duration,
    /// How long it is remembered how a token or a code ended.
    pub ended: Duration,
    /// The most space that events may take in the database, in bytes. Beyond it the oldest events
    /// are removed.
    pub max_bytes: u64,
}
