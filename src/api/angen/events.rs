//! The routes that store telemetry events, simple and complex.

use serde_json::value::RawValue;

use super::report::{self, WireEvent};
use crate::crypto;
use crate::http::{
    Error, ErrorCode, Field, Handler, JsonKind, Method, Reply, RequestBody, RequestContext,
    RequestQuery, ResponseSpec, Route, json_repair, json_response,
};
use crate::model::{EventId, Idempotency, Invalid, Scope, UserId, limits};
use crate::service::{Bearer, ReportedEvent};

const STORED: &[ResponseSpec] = &[ResponseSpec::json(
    201,
    Stored::FIELDS,
    "All events are on the disk.",
)];
const ERRORS: &[ErrorCode] = &[ErrorCode::IdempotencyKeyReused];

pub(super) const SIMPLE: Route = Route {
    name: "simple_events",
    method: Method::Post,
    path: "/api/events/simple_clientapp",
    query: RequestQuery::NONE,
    body: RequestBody::Events(SIMPLE_EVENT),
    responses: STORED,
    errors: ERRORS,
    run: Handler::AuthenticatedOr(Scope::EventsWrite, |request, bearer| {
        Box::pin(report(request, bearer, Details::Refused))
    }),
    about: "Stores events that have a name and nothing more.",
};

pub(super) const COMPLEX: Route = Route {
    name: "complex_events",
    method: Method::Post,
    path: "/api/events/complex_clientapp",
    query: RequestQuery::NONE,
    body: RequestBody::Events(COMPLEX_EVENT),
    responses: STORED,
    errors: ERRORS,
    run: Handler::AuthenticatedOr(Scope::EventsWrite, |request, bearer| {
        Box::pin(report(request, bearer, Details::Required))
    }),
    about: "Stores events with details.",
};

json_response! {
    /// The answer: how many events were stored.
    struct Stored<'a> {
        result: &'a str,
        count: usize,
    }
}

/// The fields of an event, for the API documents only: `WireEvent` parses events, without copying.
const SIMPLE_EVENT: &[Field] = &[NAME, USER_ID, ID];
const COMPLEX_EVENT: &[Field] = &[NAME, DETAILS, USER_ID, ID];
const NAME: Field = Field::required("name", JsonKind::Text);
const DETAILS: Field = Field::required("details", JsonKind::Object);
const USER_ID: Field = Field::optional("user_id", JsonKind::Text);
const ID: Field = Field::optional("id", JsonKind::Text);

/// Whether a route refuses or requires `details`.
#[derive(Clone, Copy)]
enum Details {
    Refused,
    Required,
}

async fn report(request: RequestContext, bearer: Bearer, details: Details) -> Result<Reply, Error> {
    let repaired;
    let events = match report::read(&request.body) {
        Ok(events) => events,
        // The API's own examples contain Elixir's `%{`: repair it and parse again.
        Err(error) => {
            repaired = json_repair::without_percent(&request.body).ok_or(error)?;
            report::read(&repaired)?
        }
    };
    let reported = events
        .iter()
        .enumerate()
        .map(|(index, event)| reported(index, event, details))
        .collect::<Result<Vec<_>, Invalid>>()?;
    let idempotency = idempotency(&request)?;
    let bytes = request.body.len() as u64;
    let count = request
        .services
        .report_events(&bearer, &reported, idempotency, bytes, request.now)
        .await?;
    let result = if count == 0 {
        "No events created"
    } else {
        "Event(s) created"
    };
    Ok(Reply::json(201, &Stored { result, count }))
}

/// The digests that let the store recognize a repeated request; none without an `Idempotency-Key`.
fn idempotency(request: &RequestContext) -> Result<Option<Idempotency>, Invalid> {
    let Some(key) = request.header_once("Idempotency-Key")? else {
        return Ok(None);
    };
    let most = limits::IDEMPOTENCY_KEY_BYTES;
    if !(1..=most).contains(&key.len()) {
        let why = format!("must be 1 to {most} bytes long");
        return Err(Invalid::new("Idempotency-Key", why));
    }
    Ok(Some(Idempotency {
        key: crypto::digest(key.as_bytes()),
        body: crypto::digest(&request.body),
    }))
}

/// Parses the ids of an event and checks its details for the route.
fn reported<'a>(
    index: usize,
    event: &'a WireEvent<'_>,
    details: Details,
) -> Result<ReportedEvent<'a>, Invalid> {
    let wrong = |field: &str, why: &str| Invalid::new(format!("events[{index}].{field}"), why);
    let details = details.check(event.details.map(RawValue::get));
    let details = details.map_err(|why| wrong("details", why))?;
    let user_id = event
        .user_id
        .as_deref()
        .map(|text| UserId::parse(text).ok_or_else(|| wrong("user_id", "must be a UUID")));
    let id = event
        .id
        .as_deref()
        .map(|text| EventId::parse(text).ok_or_else(|| wrong("id", "must be a UUID")));
    Ok(ReportedEvent {
        id: id.transpose()?,
        name: &event.name,
        user_id: user_id.transpose()?,
        details,
    })
}

impl Details {
    /// Checks an event's details. The error completes a sentence that starts with the field.
    fn check(self, details: Option<&str>) -> Result<Option<&str>, &'static str> {
        match (self, details) {
            (Details::Refused, None) => Ok(None),
            (Details::Refused, Some(_)) => Err("would be lost: send it to complex_clientapp"),
            (Details::Required, None) => Err("is missing"),
            (Details::Required, Some(text)) if text.starts_with('{') => Ok(Some(text)),
            (Details::Required, Some(_)) => Err("must be an object"),
        }
    }
}
