//! For the administrator: what was reported. Opened by the token of the Token API.

mod erase;
mod summary;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::http::{
    Api, Call, Code, Failure, Field, Gives, Handler, Kind, Reply, Route, Shape, Takes, Verb,
};
use crate::model::{Event, Position, UserId};
use crate::service::{EventQuestion, position_text};

/// The API.
pub static API: Api = Api {
    name: "admin",
    mounts: &["/api/admin"],
    routes: ROUTES,
    dialect: super::ops::word,
};

const ROUTES: &[Route] = &[LIST, erase::ROUTE, summary::ROUTE];

const LIST: Route = Route {
    name: "list_events",
    verb: Verb::Get,
    path: "/events",
    takes: Takes::Nothing,
    gives: &[Gives::new(200, Shape::Json(PAGE), "A page of events.")],
    fails: FAILS,
    run: Handler::Admin(|call, _| Box::pin(list_events(call))),
    about: "Lists events, the newest first, by name, user, reporter and time.",
};

/// How questions to these routes fail.
const FAILS: &[Code] = &[
    Code::BadRequest,
    Code::NoToken,
    Code::BadToken,
    Code::NotPermitted,
];

const PAGE: &[Field] = &[
    Field {
        name: "events",
        kind: Kind::List,
        required: true,
        secret: false,
    },
    Field {
        name: "damaged_blocks",
        kind: Kind::Number,
        required: true,
        secret: false,
    },
    Field {
        name: "next",
        kind: Kind::Text,
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

async fn list_events(call: Call) -> Result<Reply, Failure> {
    let asked = |name| call.query(name);
    let (name, user_id, reporter_id) = (asked("name"), asked("user_id"), asked("reporter_id"));
    let (from, to, order) = (asked("from"), asked("to"), asked("order"));
    let (limit, cursor) = (asked("limit"), asked("cursor"));
    let question = EventQuestion {
        name: name.as_deref(),
        user_id: user_id.as_deref(),
        reporter_id: reporter_id.as_deref(),
        from: from.as_deref(),
        to: to.as_deref(),
        order: order.as_deref(),
        limit: limit.as_deref(),
        cursor: cursor.as_deref(),
    };
    let page = call.services.read_events(question).await?;
    let events = page
        .events
        .into_iter()
        .map(listed)
        .collect::<Result<_, _>>()
        .map_err(Failure::fault)?;
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
