//! A moment in time, to the millisecond.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct Timestamp(i64);

const MILLIS_PER_HOUR: i64 = 3_600_000;

impl Timestamp {
    /// Later than every moment of a clock, for what has no end: the last moment of the year 9999.
    pub const NEVER: Timestamp = Timestamp(253_402_300_799_999);

    /// The moment `millis` after the epoch.
    pub const fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis)
    }

    /// This moment; none for [`Timestamp::NEVER`].
    pub fn unless_never(self) -> Option<Timestamp> {
        (self != Timestamp::NEVER).then_some(self)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Whole hours since the epoch, as events are counted; 0 before the epoch.
    pub fn hour(self) -> u32 {
        u32::try_from(self.0.div_euclid(MILLIS_PER_HOUR)).unwrap_or(0)
    }

    /// The number of the first whole hour that begins at this moment or later.
    pub fn hour_ahead(self) -> u32 {
        Timestamp(self.0.saturating_add(MILLIS_PER_HOUR - 1)).hour()
    }

    /// The moment at which the hour with this number begins.
    pub fn of_hour(hour: u32) -> Timestamp {
        Timestamp(i64::from(hour) * MILLIS_PER_HOUR)
    }

    /// Whole days since the epoch, in UTC.
    pub fn day(self) -> u32 {
        self.hour() / 24
    }

    /// The midnight at which the day with this number begins, in UTC.
    pub fn of_day(day: u32) -> Timestamp {
        Timestamp(i64::from(day) * 24 * MILLIS_PER_HOUR)
    }

    /// Its day in UTC: `2024-09-06`.
    pub fn date(self) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0)
            .unwrap_or_default()
            .format("%Y-%m-%d")
            .to_string()
    }

    /// The moment `span` later.
    #[must_use]
    pub fn after(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(millis_of(span)))
    }

    /// The moment one millisecond later, if there is one.
    pub fn successor(self) -> Option<Timestamp> {
        self.0.checked_add(1).map(Timestamp)
    }

    /// The moment `span` earlier.
    #[must_use]
    pub fn before(self, span: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(millis_of(span)))
    }

    /// The time since `earlier`; zero if `earlier` is the later one.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Its minute in UTC, for people: `2024-09-06 14:31 UTC`.
    pub fn minute(self) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0)
            .unwrap_or_default()
            .format("%Y-%m-%d %H:%M UTC")
            .to_string()
    }

    /// RFC 3339 in UTC with whole seconds: `2024-09-06T14:31:51Z`.
    pub fn rfc3339(self) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// RFC 3339 in UTC with milliseconds: `2024-09-06T14:31:51.042Z`.
    pub fn rfc3339_millis(self) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Reads RFC 3339, or a date alone, which means its midnight in UTC.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let millis = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(date) => date.and_time(NaiveTime::MIN).and_utc().timestamp_millis(),
            Err(_) => DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis(),
        };
        Some(Timestamp(millis))
    }
}

fn millis_of(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_shown_in_utc_with_whole_seconds() {
        assert_eq!(
            Timestamp::from_millis(1_725_633_111_999).rfc3339(),
            "2024-09-06T14:31:51Z"
        );
        assert_eq!(
            Timestamp::from_millis(1_725_633_111_999).seconds(),
            1_725_633_111
        );
    }

    #[test]
    fn a_moment_is_read_from_a_date_or_rfc_3339() {
        let millis = |text| Timestamp::parse(text).map(Timestamp::millis);
        assert_eq!(millis("1970-01-02"), Some(86_400_000));
        assert_eq!(millis("1970-01-01T01:00:00.5+01:00"), Some(500));
        for text in ["", "yesterday", "2026-02-30", "2026-11-20T25:00:00Z", "5"] {
            assert_eq!(millis(text), None, "{text}");
        }
        assert_eq!(
            Timestamp::from_millis(500).rfc3339_millis(),
            "1970-01-01T00:00:00.500Z"
        );
    }

    #[test]
    fn arithmetic_saturates() {
        let late = Timestamp::from_millis(i64::MAX);
        assert_eq!(late.after(Duration::from_secs(1)), late);
        assert_eq!(
            Timestamp::from_millis(5).since(Timestamp::from_millis(9)),
            Duration::ZERO
        );
    }
}
