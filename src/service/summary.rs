//! Summarizes the counts of events in buckets of time.

use super::{Error, Services};
use crate::model::{Invalid, Summary, SummaryBuilder, SummaryQuery, limits};

impl Services {
    /// Events by hour, day or month: counts are exact, users approximate. It reads only the
    /// counters, which remain when retention removes the events.
    pub async fn summarize_events(&self, query: &SummaryQuery) -> Result<Summary, Error> {
        let most = limits::SUMMARY_BUCKETS;
        let buckets = query.by.buckets(query.zone, query.from, query.to, most);
        let begins = buckets.ok_or_else(|| too_many(&format!("buckets, more than {most}")))?;
        let mut builder = SummaryBuilder::new(&begins);
        let (mut next, end) = (query.from.hour_ahead(), query.to.hour_ahead());
        while next < end {
            let until = end.min(next.saturating_add(limits::SUMMARY_HOURS));
            let counted = self.store.event_counts(next..until, query.name.as_deref());
            builder.add(counted.await?);
            if builder.cells() > limits::SUMMARY_CELLS {
                return Err(too_many("names in so many buckets").into());
            }
            next = until;
        }
        Ok(builder.finish(limits::SUMMARY_NAMES))
    }
}

fn too_many(what: &str) -> Invalid {
    let why = format!("asks for too many {what}; a shorter range or a longer by has fewer");
    Invalid::new("from", why)
}
