//! `GET /api/admin/events/summary`: event counts in buckets of time.

use serde::Serialize;
use serde::ser::Serializer;

use crate::api::admin::query;
use crate::http::{
    Error, Handler, JsonKind, JsonType, Method, OneOf, QueryString, Reply, RequestBody,
    RequestContext, RequestQuery, ResponseSpec, Route, json_response,
};
use crate::model::{self, Bucket, Granularity, Invalid, Scope, SummaryQuery, Timestamp};

/// The route.
pub(crate) const ROUTE: Route = Route {
    name: "summarize_events",
    method: Method::Get,
    path: "/events/summary",
    query: RequestQuery::Closed(&["by", "name", "from", "to", "tz"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(200, Summary::FIELDS, "The counts.")],
    errors: &[],
    run: Handler::AdminOr(Scope::EventsRead, |request, _| {
        Box::pin(summarize_events(request))
    }),
    about: "Counts events and their users by hour, day or month.",
};

json_response! {
    struct Summary<'a> {
        by: OneOf<Granularity>,
        tz: String,
        from: String,
        to: String,
        total: u64,
        users: u64,
        names: Vec<Named<'a>>,
        more_names: usize,
        buckets: Vec<Counted<'a>>,
    }
}

json_response! {
    struct Named<'a> {
        name: &'a str,
        count: u64,
    }
}

json_response! {
    struct Counted<'a> {
        from: String,
        count: u64,
        users: u64,
        names: CountsByName<'a>,
    }
}

/// Counts as an object by name, in their order.
struct CountsByName<'a>(Vec<(&'a str, u64)>);

impl Serialize for CountsByName<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().copied())
    }
}

impl JsonType for CountsByName<'_> {
    const KIND: JsonKind = JsonKind::Object;
    const ITEMS: Option<JsonKind> = Some(JsonKind::Number);
}

async fn summarize_events(request: RequestContext) -> Result<Reply, Error> {
    let query = query_of(&request.query, request.now)?;
    let summary = request.services.summarize_events(&query).await?;
    Ok(Reply::json(200, &shown(&query, &summary)))
}

/// The query of a request. Defaults: by day, up to `now`, and over the usual range.
fn query_of(query: &QueryString, now: Timestamp) -> Result<SummaryQuery, Invalid> {
    let by = query.get("by").map_or(Ok(Granularity::Day), parse_by)?;
    let zone = query::zone(query)?;
    let given = query::moment(query, "to", zone)?;
    let to = given.unwrap_or(now);
    let from = query::moment(query, "from", zone)?;
    let from = from.unwrap_or_else(|| by.usual_from(zone, to));
    if from >= to {
        return Err(match given {
            Some(_) => Invalid::new("to", "must lie after from"),
            None => Invalid::new("from", "must lie in the past, or before a to"),
        });
    }
    Ok(SummaryQuery {
        by,
        zone,
        name: query.get("name").map(str::to_owned),
        from,
        to,
    })
}

fn parse_by(text: &str) -> Result<Granularity, Invalid> {
    let mut all = Granularity::ALL.into_iter();
    let by = all.find(|it| it.as_str() == text);
    by.ok_or_else(|| Invalid::new("by", "must be hour, day or month"))
}

fn shown<'a>(query: &SummaryQuery, summary: &'a model::Summary) -> Summary<'a> {
    let moment = |at| query.zone.rfc3339(at);
    let counted = |bucket: &Bucket| Counted {
        from: moment(bucket.from),
        count: bucket.count,
        users: bucket.users,
        names: counts_by_name(bucket, summary),
    };
    Summary {
        by: OneOf(query.by),
        tz: query.zone.to_string(),
        from: moment(query.from),
        to: moment(query.to),
        total: summary.total,
        users: summary.users,
        names: summary
            .names
            .iter()
            .map(|(name, count)| Named {
                name,
                count: *count,
            })
            .collect(),
        more_names: summary.more_names,
        buckets: summary.buckets.iter().map(counted).collect(),
    }
}

fn counts_by_name<'a>(bucket: &Bucket, summary: &'a model::Summary) -> CountsByName<'a> {
    let named = |(matched, count): &(usize, u64)| {
        let (name, _) = summary.names.get(*matched)?;
        Some((name.as_str(), *count))
    };
    CountsByName(bucket.names.iter().filter_map(named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The query as text, with the number of its buckets.
    fn ask(text: &str) -> Result<String, String> {
        let now = Timestamp::parse("2026-11-20T12:30:00Z").unwrap();
        let query = QueryString::parse(text, ROUTE.query)
            .and_then(|query| query_of(&query, now))
            .map_err(|it| it.to_string())?;
        let shown = |at| query.zone.rfc3339(at);
        let (from, to) = (shown(query.from), shown(query.to));
        let buckets = query.by.buckets(query.zone, query.from, query.to, 1_000);
        Ok(format!("{} from {from} to {to}", buckets.unwrap().len()))
    }

    #[test]
    fn what_is_not_said_is_thirty_days_two_days_or_a_year() {
        for (text, expected) in [
            ("", "30 from 2026-10-22T00:00:00Z to 2026-11-20T12:30:00Z"),
            (
                "by=hour",
                "48 from 2026-11-18T13:00:00Z to 2026-11-20T12:30:00Z",
            ),
            (
                "by=month&tz=Europe/Berlin",
                "12 from 2025-12-01T00:00:00+01:00 to 2026-11-20T13:30:00+01:00",
            ),
        ] {
            assert_eq!(ask(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn dates_are_those_of_the_zone() {
        assert_eq!(
            ask("by=day&from=2026-07-01&to=2026-07-03&tz=Europe/Berlin").unwrap(),
            "2 from 2026-07-01T00:00:00+02:00 to 2026-07-03T00:00:00+02:00"
        );
    }

    #[test]
    fn a_wrong_query_says_what_would_be_right() {
        for (text, begin) in [
            ("by=week", "by: must be hour, day or month"),
            ("tz=Bonn", "tz: must be Z, an offset"),
            ("from=now", "from: must be a date"),
            ("to=2026-02-30", "to: must be a date"),
            ("from=2026-11-02&to=2026-11-02", "to: must lie after from"),
            ("from=2026-11-21", "from: must lie in the past"),
        ] {
            let refused = ask(text).unwrap_err();
            assert!(refused.starts_with(begin), "{text}: {refused}");
        }
    }
}
