//! `GET /api/admin/events`: lists events page by page.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{cursor, query as asking};
use crate::api::admin::query;
use crate::http::{
    BodySchema, Error, Field, Handler, JsonKind, Method, Reply, RequestBody, RequestContext,
    RequestQuery, ResponseSpec, Route, json_response,
};
use crate::model::{Event, EventQuery, Order, Position, Scope, UserId};

pub(crate) const ROUTE: Route = Route {
    name: "list_events",
    method: Method::Get,
    path: "/events",
    query: RequestQuery::Closed(asking::LISTED),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(PAGE),
        "A page of events.",
    )],
    errors: &[],
    run: Handler::AdminOr(Scope::EventsRead, |request, _| Box::pin(list(request))),
    about: "Lists events, the newest first, by name, user, reporter and time.",
};

const PAGE: &[Field] = &[
    Field::list("events", ListedEvent::FIELDS),
    Field::required("damaged_blocks", JsonKind::Number),
    Field::optional("next", JsonKind::Text),
];

#[derive(Serialize)]
struct Page {
    events: Vec<ListedEvent>,
    /// Damaged blocks whose events are missing from this page.
    damaged_blocks: usize,
    next: Option<String>,
}

json_response! {
    /// An event.
    struct ListedEvent {
        id: String,
        at: String,
        name: String,
        user_id: Option<UserId>,
        reporter_id: Option<String>,
        details: Option<Box<RawValue>>,
    }
}

async fn list(request: RequestContext) -> Result<Reply, Error> {
    let asked = &request.query;
    let query = EventQuery {
        limit: query::limit(asked)?,
        ..asking::events(asked, Order::Descending)?
    };
    let page = request.services.read_events(query).await?;
    let events = page
        .events
        .into_iter()
        .map(listed)
        .collect::<Result<_, _>>()
        .map_err(Error::internal)?;
    let page = Page {
        events,
        damaged_blocks: page.damaged_blocks,
        next: page.next.map(cursor::text),
    };
    Ok(Reply::json(200, &page))
}

/// The event as clients get it. Its details are the bytes that the reporter sent.
fn listed((position, event): (Position, Event)) -> Result<ListedEvent, serde_json::Error> {
    Ok(ListedEvent {
        id: cursor::text(position),
        at: event.at.rfc3339_millis(),
        name: event.name,
        user_id: event.subject,
        reporter_id: event.reporter.map(|reporter| reporter.to_string()),
        details: event.details.map(RawValue::from_string).transpose()?,
    })
}
