//! What was counted of events, and how long it is kept.

use std::time::Duration;

use super::Sketch;

/// What was counted in some hours, in the order of time. Hours without events are left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventCounts {
    /// The names that occurred, each once, in no order.
    pub names: Vec<String>,
    /// The hours.
    pub hours: Vec<HourCounts>,
}

/// What was counted in one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourCounts {
    /// Hours since the epoch.
    pub hour: u32,
    /// How often each name occurred: exact.
    pub counts: Vec<NameCount>,
    /// Whom the events were about: approximate.
    pub users: Sketch,
}

/// How often one name occurred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameCount {
    /// Its place in [`EventCounts::names`].
    pub name: u32,
    /// How many.
    pub count: u64,
}

/// How long events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The events themselves.
    pub events: Duration,
    /// What was counted of them.
    pub counts: Duration,
    /// What all events may take in the database, in bytes; beyond it the oldest go.
    pub max_bytes: u64,
}
