//! What was counted of events, in buckets of time.

use super::question::{given, moment, zone};
use super::{Error, Services};
use crate::model::{Granularity, Invalid, Summary, SummaryBuilder, Timestamp, Zone, limits};

/// A question as it is asked, unchecked. What is none or empty asks for nothing in particular.
#[derive(Debug, Clone, Copy, Default)]
pub struct SummaryQuestion<'a> {
    /// `hour`, `day` or `month`.
    pub by: Option<&'a str>,
    /// Events of this name.
    pub name: Option<&'a str>,
    /// From this moment on: RFC 3339, or a date, which begins at midnight in `tz`.
    pub from: Option<&'a str>,
    /// Before this moment.
    pub to: Option<&'a str>,
    /// The time zone of days and months.
    pub tz: Option<&'a str>,
}

/// A question as it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRange {
    /// How long a bucket is.
    pub by: Granularity,
    /// Where days and months begin at midnight.
    pub zone: Zone,
    /// The first moment.
    pub from: Timestamp,
    /// The moment behind the last.
    pub to: Timestamp,
    /// Where the buckets begin.
    begins: Vec<Timestamp>,
}

impl Services {
    /// Events by hour, day or month: counts are exact, users approximate. Answered from the counters alone, whatever
    /// became of the events.
    pub async fn summarize_events(
        &self,
        question: SummaryQuestion<'_>,
        now: Timestamp,
    ) -> Result<(SummaryRange, Summary), Error> {
        let range = parse(&question, now)?;
        let name = given(question.name);
        let mut builder = SummaryBuilder::new(&range.begins);
        let (mut next, end) = (range.from.hour_ahead(), range.to.hour_ahead());
        while next < end {
            let until = end.min(next.saturating_add(limits::SUMMARY_HOURS));
            builder.add(self.store.event_counts(next..until, name).await?);
            if builder.cells() > limits::SUMMARY_CELLS {
                return Err(too_many("names in so many buckets").into());
            }
            next = until;
        }
        Ok((range, builder.finish(limits::SUMMARY_NAMES)))
    }
}

fn parse(question: &SummaryQuestion<'_>, now: Timestamp) -> Result<SummaryRange, Invalid> {
    let by = granularity(question.by)?;
    let zone = zone(question.tz)?;
    let given = moment("to", question.to, zone)?;
    let to = given.unwrap_or(now);
    let from = moment("from", question.from, zone)?.unwrap_or_else(|| by.usual_from(zone, to));
    if from >= to {
        return Err(match given {
            Some(_) => Invalid::new("to", "must lie after from"),
            None => Invalid::new("from", "must lie in the past, or before a to"),
        });
    }
    let begins = by
        .buckets(zone, from, to, limits::SUMMARY_BUCKETS)
        .ok_or_else(|| too_many("buckets, more than 1000"))?;
    Ok(SummaryRange {
        by,
        zone,
        from,
        to,
        begins,
    })
}

fn granularity(text: Option<&str>) -> Result<Granularity, Invalid> {
    let Some(text) = given(text) else {
        return Ok(Granularity::Day);
    };
    let granularity = Granularity::ALL.into_iter().find(|it| it.as_str() == text);
    granularity.ok_or_else(|| Invalid::new("by", "must be hour, day or month"))
}

fn too_many(what: &str) -> Invalid {
    let why = format!("asks for too many {what}; a shorter range or a longer by has fewer");
    Invalid::new("from", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The range and its buckets, as they are shown.
    fn ask(by: &str, from: &str, to: &str, tz: &str) -> Result<String, String> {
        let question = SummaryQuestion {
            by: Some(by),
            name: None,
            from: Some(from),
            to: Some(to),
            tz: Some(tz),
        };
        let now = Timestamp::parse("2026-11-20T12:30:00Z").unwrap();
        let range = parse(&question, now).map_err(|it| it.to_string())?;
        let shown = |at| range.zone.rfc3339(at);
        let (from, to, buckets) = (shown(range.from), shown(range.to), range.begins.len());
        Ok(format!("{buckets} from {from} to {to}"))
    }

    #[test]
    fn what_is_not_said_is_thirty_days_two_days_or_a_year() {
        let asked = |by, tz| ask(by, "", "", tz).unwrap();
        assert_eq!(
            asked("", ""),
            "30 from 2026-10-22T00:00:00Z to 2026-11-20T12:30:00Z"
        );
        assert_eq!(
            asked("hour", ""),
            "48 from 2026-11-18T13:00:00Z to 2026-11-20T12:30:00Z"
        );
        assert_eq!(
            asked("month", "Europe/Berlin"),
            "12 from 2025-12-01T00:00:00+01:00 to 2026-11-20T13:30:00+01:00"
        );
    }

    #[test]
    fn dates_are_those_of_the_zone() {
        assert_eq!(
            ask("day", "2026-07-01", "2026-07-03", "Europe/Berlin").unwrap(),
            "2 from 2026-07-01T00:00:00+02:00 to 2026-07-03T00:00:00+02:00"
        );
    }

    #[test]
    fn a_wrong_question_says_what_would_be_right() {
        let refused = |by, from, to, tz| ask(by, from, to, tz).unwrap_err();
        assert_eq!(
            refused("week", "", "", ""),
            "by: must be hour, day or month"
        );
        assert!(refused("", "", "", "Bonn").starts_with("tz: must be Z, an offset"));
        assert!(refused("", "now", "", "").starts_with("from: must be a date"));
        assert!(refused("", "", "2026-02-30", "").starts_with("to: must be a date"));
        assert_eq!(
            refused("", "2026-11-02", "2026-11-02", ""),
            "to: must lie after from"
        );
        assert!(refused("", "2026-11-21", "", "").starts_with("from: must lie in the past"));
        let fewer = "from: asks for too many buckets, more than 1000";
        for (by, from) in [
            ("hour", "2026-10-01"),
            ("day", "2024-01-01"),
            ("month", "1900-01-01"),
        ] {
            assert!(refused(by, from, "", "").starts_with(fewer), "{by}");
        }
    }
}
