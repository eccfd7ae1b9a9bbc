//! Time zones, and the hours, days and months in them.
//!
//! Events are counted by whole hours of UTC. An hour belongs to the day and month in which it
//! *begins*. In a zone that is half an hour off UTC, this counts half an hour of events on the
//! wrong side of midnight.

use chrono::{
    DateTime, Datelike, Days, FixedOffset, Months, NaiveDate, NaiveTime, Offset, SecondsFormat, Utc,
};
use tz::TimeZoneRef;

use super::Timestamp;

const MILLIS_PER_HOUR: i64 = 3_600_000;
/// The years of UTC that are accepted: RFC 3339 writes a year in four digits.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// A time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// A fixed offset from UTC.
    Fixed(FixedOffset),
    /// A zone of the IANA database: its name and its rules.
    Named(&'static str, TimeZoneRef<'static>),
}

impl Zone {
    /// Reads `Z`, an offset such as `+02:00`, or the name of a zone such as `Europe/Berlin`.
    pub fn parse(text: &str) -> Option<Zone> {
        if text == "Z" {
            return Some(Zone::default());
        }
        if text.starts_with(['+', '-']) {
            // Accepts every offset that RFC 3339 allows after a time.
            let moment = DateTime::parse_from_rfc3339(&format!("2000-01-01T00:00:00{text}"));
            return moment.ok().map(|it| Zone::Fixed(*it.offset()));
        }
        let name = tzdb_data::TZ_NAMES.iter().find(|name| **name == text)?;
        let rules = tzdb_data::find_tz(name.as_bytes())?;
        Some(Zone::Named(name, *rules))
    }

    /// Reads a moment (RFC 3339), or a date, which means its first moment in this zone. None for
    /// moments before the year 1 or after the year 9999 of UTC.
    pub fn read(self, text: &str) -> Option<Timestamp> {
        let moment = match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            Ok(date) if YEARS.contains(&date.year()) => self.begin(date),
            Ok(_) => return None,
            Err(_) => Timestamp::parse(text)?,
        };
        let moment_utc = DateTime::from_timestamp_millis(moment.millis())?;
        YEARS.contains(&moment_utc.year()).then_some(moment)
    }

    /// RFC 3339 with this zone's offset, in whole seconds; `Z` if the offset is zero. A moment
    /// whose local year has more than four digits is shown in UTC.
    pub fn rfc3339(self, at: Timestamp) -> String {
        let local = self.local(at);
        if local.year() > *YEARS.end() {
            return at.rfc3339();
        }
        local.to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    fn local(self, at: Timestamp) -> DateTime<FixedOffset> {
        let utc = DateTime::from_timestamp_millis(at.millis()).unwrap_or_default();
        let offset = FixedOffset::east_opt(self.offset(at.seconds()));
        utc.with_timezone(&offset.unwrap_or(Utc.fix()))
    }

    fn date(self, at: Timestamp) -> NaiveDate {
        self.local(at).date_naive()
    }

    /// How many seconds local clocks are ahead of UTC at `at`, in seconds since the epoch.
    fn offset(self, at: i64) -> i32 {
        match self {
            Zone::Fixed(offset) => offset.local_minus_utc(),
            Zone::Named(_, rules) => rules
                .find_local_time_type(at)
                .map_or(0, tz::LocalTimeType::ut_offset),
        }
    }

    /// The first moment of a date.
    fn begin(self, date: NaiveDate) -> Timestamp {
        const DAY: i64 = 86_400;
        let midnight = date.and_time(NaiveTime::MIN).and_utc().timestamp();
        // Clocks change at most once within two days, so midnight has either the offset before it
        // or the offset after it.
        let offsets = [midnight - DAY, midnight + DAY].map(|it| self.offset(it));
        let [before, behind] = offsets.map(|offset| midnight - i64::from(offset));
        let is_by = |at: i64, offset: i32| self.offset(at) == offset;
        let [old, new] = offsets;
        let first = match (is_by(before, old), is_by(behind, new)) {
            (true, true) => before.min(behind),
            (true, false) => before,
            (false, true) => behind,
            (false, false) => self.change(behind, before, old),
        };
        Timestamp::from_millis(first.saturating_mul(1_000))
    }

    /// The second in `from..=to` at which clocks leave the offset `old`. They jump over midnight
    /// there, and the date begins at that second.
    fn change(self, mut from: i64, mut to: i64, old: i32) -> i64 {
        while from < to {
            // Rounds down before 1970 too, so that every round narrows the range.
            let middle = from + (to - from) / 2;
            if self.offset(middle) == old {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        to
    }
}

impl Default for Zone {
    fn default() -> Zone {
        Zone::Fixed(Utc.fix())
    }
}

impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Zone::Fixed(offset) if offset.local_minus_utc() == 0 => f.write_str("Z"),
            Zone::Fixed(offset) => offset.fmt(f),
            Zone::Named(name, _) => f.write_str(name),
        }
    }
}

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granularity {
    /// An hour of UTC, as events are counted.
    Hour,
    /// A day of the zone: usually 24 hours, 23 or 25 where clocks change.
    Day,
    /// A month of the calendar.
    Month,
}

impl Granularity {
    /// Every granularity.
    pub const ALL: [Granularity; 3] = [Granularity::Hour, Granularity::Day, Granularity::Month];

    /// The names of all.
    pub const WORDS: &'static [&'static str] = &[
        Granularity::Hour.as_str(),
        Granularity::Day.as_str(),
        Granularity::Month.as_str(),
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Granularity::Hour => "hour",
            Granularity::Day => "day",
            Granularity::Month => "month",
        }
    }

    /// The default beginning of a range that ends at `to`. The range spans 48 hours, 30 days or 12
    /// months, and the last of these contains the moment before `to`.
    pub fn usual_from(self, zone: Zone, to: Timestamp) -> Timestamp {
        let last = Timestamp::from_millis(to.millis().saturating_sub(1));
        let date = zone.date(last);
        let first = match self {
            Granularity::Hour => {
                let hour = last.millis().div_euclid(MILLIS_PER_HOUR);
                return Timestamp::from_millis((hour - 47) * MILLIS_PER_HOUR);
            }
            Granularity::Day => date.checked_sub_days(Days::new(29)),
            Granularity::Month => first_of_month(date).checked_sub_months(Months::new(11)),
        };
        zone.begin(first.unwrap_or(date))
    }

    /// The beginnings of the buckets in `from..to`, in order. The first bucket of days or months
    /// begins at `from`; the first of hours at the first whole hour from `from` on. None if there
    /// are more than `most`.
    pub fn buckets(
        self,
        zone: Zone,
        from: Timestamp,
        to: Timestamp,
        most: usize,
    ) -> Option<Vec<Timestamp>> {
        let mut begins = Vec::new();
        let mut next = match self {
            Granularity::Hour => self.after(zone, Timestamp::from_millis(from.millis() - 1))?,
            Granularity::Day | Granularity::Month => from,
        };
        while next < to {
            if begins.len() == most {
                return None;
            }
            begins.push(next);
            next = self.after(zone, next)?;
        }
        Some(begins)
    }

    /// The beginning of the first bucket after `at`.
    fn after(self, zone: Zone, at: Timestamp) -> Option<Timestamp> {
        if self == Granularity::Hour {
            let hour = at.millis().div_euclid(MILLIS_PER_HOUR) + 1;
            return Some(Timestamp::from_millis(hour * MILLIS_PER_HOUR));
        }
        let mut date = zone.date(at);
        // Where a zone skipped a whole day, two dates begin at the same moment. The skipped date
        // has no bucket.
        loop {
            date = match self {
                Granularity::Month => first_of_month(date).checked_add_months(Months::new(1))?,
                _ => date.succ_opt()?,
            };
            let begin = zone.begin(date);
            if begin > at {
                return Some(begin);
            }
        }
    }
}

fn first_of_month(date: NaiveDate) -> NaiveDate {
    date.with_day(1).unwrap_or(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(text: &str) -> Zone {
        Zone::parse(text).unwrap()
    }

    /// The beginnings of the buckets as text.
    fn shown(granularity: Granularity, zone: Zone, from: &str, to: &str) -> Vec<String> {
        let (from, to) = (zone.read(from).unwrap(), zone.read(to).unwrap());
        let begins = granularity.buckets(zone, from, to, 1_000).unwrap();
        begins.into_iter().map(|it| zone.rfc3339(it)).collect()
    }

    #[test]
    fn a_zone_is_z_an_offset_or_a_name() {
        for text in ["Z", "+02:00", "-03:30", "Europe/Berlin", "UTC"] {
            assert_eq!(zone(text).to_string(), text);
        }
        assert_eq!(zone("+00:00"), zone("Z"));
        for text in [
            "",
            "+2",
            "+25:00",
            "+02:60",
            "02:00",
            "Europe/Bonn",
            "europe/berlin",
            "z",
            "+02:00 ",
        ] {
            assert_eq!(Zone::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_begins_at_midnight_of_its_zone() {
        let begin = |place: &str, date| zone(place).read(date).unwrap().rfc3339();
        assert_eq!(begin("+02:00", "2026-11-20"), "2026-11-19T22:00:00Z");
        assert_eq!(begin("Europe/Berlin", "2026-07-01"), "2026-06-30T22:00:00Z");
        for (place, date, first) in [
            // Clocks went from midnight to one; a whole day was skipped.
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z"),
            ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z"),
            // Midnight came twice; clocks went back at midnight, which came again an hour later.
            ("America/Havana", "2026-11-01", "2026-11-01T04:00:00Z"),
            ("America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z"),
            // Clocks went from half past eleven to half past midnight, and the date began at that
            // moment.
            ("America/Toronto", "1919-03-31", "1919-03-31T04:30:00Z"),
        ] {
            assert_eq!(begin(place, date), first, "{place}");
        }
        for text in ["+12026-11-20", "0000-01-01", "2026-02-30", ""] {
            assert_eq!(zone("-12:00").read(text), None, "{text}");
        }
    }

    #[test]
    fn years_have_four_digits_in_questions_and_in_answers() {
        let late = zone("-02:00").read("9999-12-31").unwrap();
        assert_eq!(late.rfc3339(), "9999-12-31T02:00:00Z");
        let last = Zone::default().read("9999-12-31T23:59:59Z").unwrap();
        assert_eq!(zone("-02:00").rfc3339(last), "9999-12-31T21:59:59-02:00");
        assert_eq!(zone("+02:00").rfc3339(last), "9999-12-31T23:59:59Z");
        for text in ["9999-12-31T23:59:59-00:01", "10000-01-01", "+10000-01-01"] {
            assert_eq!(Zone::default().read(text), None, "{text}");
        }
        for granularity in Granularity::ALL {
            let from = granularity.usual_from(zone("+02:00"), last);
            let begins = granularity
                .buckets(zone("+02:00"), from, last, 100)
                .unwrap();
            assert!(begins.len() >= 12, "{granularity:?}");
        }
    }

    #[test]
    fn days_have_23_and_25_hours_where_clocks_change() {
        let berlin = zone("Europe/Berlin");
        let lengths = |from, to| -> Vec<i64> {
            let (from, to) = (berlin.read(from).unwrap(), berlin.read(to).unwrap());
            let mut begins = Granularity::Day.buckets(berlin, from, to, 9).unwrap();
            begins.push(to);
            let hours = begins.windows(2).map(|it| it[1].since(it[0]).as_secs());
            hours.map(|it| i64::try_from(it / 3_600).unwrap()).collect()
        };
        assert_eq!(lengths("2026-03-28", "2026-03-31"), [24, 23, 24]);
        assert_eq!(lengths("2026-10-24", "2026-10-27"), [24, 25, 24]);
        assert_eq!(
            shown(Granularity::Day, berlin, "2026-03-29", "2026-03-31"),
            ["2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"]
        );
    }

    #[test]
    fn buckets_fill_the_range_and_the_first_begins_with_it() {
        let utc = Zone::default();
        assert_eq!(
            shown(
                Granularity::Month,
                utc,
                "2026-01-31T12:00:00Z",
                "2026-03-01T00:00:00.001Z"
            ),
            [
                "2026-01-31T12:00:00Z",
                "2026-02-01T00:00:00Z",
                "2026-03-01T00:00:00Z"
            ]
        );
        assert_eq!(
            shown(
                Granularity::Hour,
                zone("+05:30"),
                "2026-01-01",
                "2026-01-01T01:31:00+05:30"
            ),
            ["2026-01-01T00:30:00+05:30", "2026-01-01T01:30:00+05:30"]
        );
        assert_eq!(
            shown(
                Granularity::Day,
                zone("Pacific/Apia"),
                "2011-12-29",
                "2012-01-01"
            )
            .len(),
            2
        );
        let (from, to) = (
            utc.read("2026-01-01").unwrap(),
            utc.read("2026-01-11").unwrap(),
        );
        assert!(Granularity::Day.buckets(utc, from, to, 10).is_some());
        assert!(Granularity::Day.buckets(utc, from, to, 9).is_none());
    }

    #[test]
    fn the_usual_range_ends_with_the_bucket_under_way() {
        let berlin = zone("Europe/Berlin");
        let now = Timestamp::parse("2026-11-20T22:59:59.999Z").unwrap();
        let from =
            |granularity: Granularity, now| berlin.rfc3339(granularity.usual_from(berlin, now));
        assert_eq!(from(Granularity::Hour, now), "2026-11-19T00:00:00+01:00");
        assert_eq!(from(Granularity::Day, now), "2026-10-22T00:00:00+02:00");
        assert_eq!(from(Granularity::Month, now), "2025-12-01T00:00:00+01:00");
        let midnight = Timestamp::parse("2026-11-20T23:00:00Z").unwrap();
        assert_eq!(
            from(Granularity::Day, midnight),
            "2026-10-22T00:00:00+02:00"
        );
        let begins = Granularity::Day.buckets(berlin, berlin.read("2026-10-22").unwrap(), now, 99);
        assert_eq!(begins.unwrap().len(), 30);
    }
}
