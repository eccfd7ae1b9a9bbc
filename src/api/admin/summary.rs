//! What was counted, in buckets of time.

use serde::Serialize;
use serde::ser::Serializer;

use super::FAILS;
use crate::http::{
    Error, Handler, Method, Reply, RequestBody, RequestContext, ResponseSpec, Route, json_response,
};
use crate::model::{self, Bucket};
use crate::service::{SummaryQuestion, SummaryRange};

/// The route.
pub(super) const ROUTE: Route = Route {
    name: "summarize_events",
    method: Method::Get,
    path: "/events/summary",
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(200, Summary::FIELDS, "The counts.")],
    errors: FAILS,
    run: Handler::Admin(|request, _| Box::pin(summarize_events(request))),
    about: "Counts events and their users by hour, day or month.",
};

json_response! {
    struct Summary<'a> {
        by: &'static str,
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

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    count: u64,
}

#[derive(Serialize)]
struct Counted<'a> {
    from: String,
    count: u64,
    users: u64,
    #[serde(serialize_with = "as_object")]
    names: Vec<(&'a str, u64)>,
}

/// Pairs as an object, in their order.
fn as_object<S: Serializer>(pairs: &Vec<(&str, u64)>, to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(pairs.iter().copied())
}

async fn summarize_events(request: RequestContext) -> Result<Reply, Error> {
    let asked = |name| request.query(name);
    let (by, name, tz) = (asked("by"), asked("name"), asked("tz"));
    let (from, to) = (asked("from"), asked("to"));
    let question = SummaryQuestion {
        by: by.as_deref(),
        name: name.as_deref(),
        from: from.as_deref(),
        to: to.as_deref(),
        tz: tz.as_deref(),
    };
    let (range, summary) = request
        .services
        .summarize_events(question, request.now)
        .await?;
    Ok(Reply::json(200, &shown(&range, &summary)))
}

fn shown<'a>(range: &SummaryRange, summary: &'a model::Summary) -> Summary<'a> {
    let moment = |at| range.zone.rfc3339(at);
    let counted = |bucket: &Bucket| Counted {
        from: moment(bucket.from),
        count: bucket.count,
        users: bucket.users,
        names: bucket
            .names
            .iter()
            .filter_map(|(matched, count)| Some((summary.names.get(*matched)?.0.as_str(), *count)))
            .collect(),
    };
    Summary {
        by: range.by.as_str(),
        tz: range.zone.to_string(),
        from: moment(range.from),
        to: moment(range.to),
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
