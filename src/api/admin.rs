//! For the administrator: what was reported. Opened by the token of the Token API.

mod erase;
mod export;
mod live;
mod row;
mod storage;
mod summary;

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::http::{
    Api, BodySchema, Error, ErrorCode, Field, Handler, JsonKind, Method, Reply, RequestBody,
    RequestContext, ResponseSpec, Route,
};
use crate::model::{Event, Position, UserId};
use crate::service::{EventQuestion, position_text};

/// The API.
pub static API: Api = Api {
    name: "admin",
    mounts: &["/api/admin"],
    routes: ROUTES,
    render_error: super::ops::render,
};

const ROUTES: &[Route] = &[
    LIST_EVENTS,
    erase::ROUTE,
    export::ROUTE,
    live::ROUTE,
    storage::ROUTE,
    summary::ROUTE,
];

const LIST_EVENTS: Route = Route {
    name: "list_events",
    method: Method::Get,
    path: "/events",
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(PAGE),
        "A page of events.",
    )],
    errors: FAILS,
    run: Handler::Admin(|request, _| Box::pin(list_events(request))),
    about: "Lists events, the newest first, by name, user, reporter and time.",
};

/// How questions to these routes fail.
const FAILS: &[ErrorCode] = &[
    ErrorCode::Invalid,
    ErrorCode::NoToken,
    ErrorCode::BadToken,
    ErrorCode::NotPermitted,
];

/// The same where only so many may ask at once.
const STREAM_FAILS: &[ErrorCode] = &[
    ErrorCode::Invalid,
    ErrorCode::NoToken,
    ErrorCode::BadToken,
    ErrorCode::NotPermitted,
    ErrorCode::Busy,
];

const PAGE: &[Field] = &[
    Field {
        name: "events",
        kind: JsonKind::List,
        required: true,
        secret: false,
    },
    Field {
        name: "damaged_blocks",
        kind: JsonKind::Number,
        required: true,
        secret: false,
    },
    Field {
        name: "next",
        kind: JsonKind::Text,
        required: false,
        secret: false,
    },
];

#[derive(Serialize)]
struct Page {
    events: Vec<Listed>,
    /// Blocks that belong here and cannot be read.
    damaged_blocks: usize,
    next: Option<String>,
}

#[derive(Serialize)]
struct Listed {
    id: String,
    at: String,
    name: String,
    user_id: Option<UserId>,
    reporter_id: Option<String>,
    details: Option<Box<RawValue>>,
}

/// What a request asks for in its query string.
struct Asked<'a> {
    name: Option<Cow<'a, str>>,
    user_id: Option<Cow<'a, str>>,
    reporter_id: Option<Cow<'a, str>>,
    from: Option<Cow<'a, str>>,
    to: Option<Cow<'a, str>>,
    order: Option<Cow<'a, str>>,
    limit: Option<Cow<'a, str>>,
    cursor: Option<Cow<'a, str>>,
}

impl Asked<'_> {
    fn of(request: &RequestContext) -> Asked<'_> {
        Asked {
            name: request.query("name"),
            user_id: request.query("user_id"),
            reporter_id: request.query("reporter_id"),
            from: request.query("from"),
            to: request.query("to"),
            order: request.query("order"),
            limit: request.query("limit"),
            cursor: request.query("cursor"),
        }
    }

    fn question(&self) -> EventQuestion<'_> {
        EventQuestion {
            name: self.name.as_deref(),
            user_id: self.user_id.as_deref(),
            reporter_id: self.reporter_id.as_deref(),
            from: self.from.as_deref(),
            to: self.to.as_deref(),
            order: self.order.as_deref(),
            limit: self.limit.as_deref(),
            cursor: self.cursor.as_deref(),
        }
    }
}

async fn list_events(request: RequestContext) -> Result<Reply, Error> {
    let asked = Asked::of(&request);
    let page = request.services.read_events(asked.question()).await?;
    let events = page
        .events
        .into_iter()
        .map(listed)
        .collect::<Result<_, _>>()
        .map_err(Error::internal)?;
    Ok(Reply::json(
        200,
        &Page {
            events,
            damaged_blocks: page.damaged_blocks,
            next: page.next.map(position_text),
        },
    ))
}

/// An event as it is shown; its details go out byte for byte as they came in.
fn listed((position, event): (Position, Event)) -> Result<Listed, serde_json::Error> {
    Ok(Listed {
        id: position_text(position),
        at: event.at.rfc3339_millis(),
        name: event.name,
        user_id: event.subject,
        reporter_id: event.reporter.map(|holder| holder.to_string()),
        details: event.details.map(RawValue::from_string).transpose()?,
    })
}
