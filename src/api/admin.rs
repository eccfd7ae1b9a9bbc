//! For the administrator: what was reported. Opened by the token of the Token API.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::http::{
    Api, Call, Code, Failure, Field, Gives, Handler, Kind, Reply, Route, Shape, Takes, Verb,
};
use crate::model::{DiskDay, Event, Position, Timestamp, UserId};
use crate::service::{EventQuestion, position_text};

/// The API.
pub static API: Api = Api {
    name: "admin",
    mounts: &["/api/admin"],
    routes: ROUTES,
    dialect: super::ops::word,
};

const ROUTES: &[Route] = &[LIST_EVENTS, STORAGE];

const LIST_EVENTS: Route = Route {
    name: "list_events",
    verb: Verb::Get,
    path: "/events",
    takes: Takes::Nothing,
    gives: &[Gives::new(200, Shape::Json(PAGE), "A page of events.")],
    fails: &[
        Code::BadRequest,
        Code::NoToken,
        Code::BadToken,
        Code::NotPermitted,
    ],
    run: Handler::Admin(|call, _| Box::pin(list_events(call))),
    about: "Lists events, the newest first, by name, user, reporter and time.",
};

const STORAGE: Route = Route {
    name: "storage",
    verb: Verb::Get,
    path: "/storage",
    takes: Takes::Nothing,
    gives: &[Gives::new(
        200,
        Shape::Json(STORED),
        "What the data take, and how much is written.",
    )],
    fails: &[Code::NoToken, Code::BadToken, Code::NotPermitted],
    run: Handler::Admin(|call, _| Box::pin(storage(call))),
    about: "Says what the data take of the disk, and how much is written to it day by day.",
};

const fn field(name: &'static str, kind: Kind) -> Field {
    Field {
        name,
        kind,
        required: true,
        secret: false,
    }
}

const STORED: &[Field] = &[
    field("disk_bytes", Kind::Number),
    field("free_bytes", Kind::Number),
    field("events_stored", Kind::Number),
    field("today", Kind::Object),
    field("days", Kind::List),
];

const PAGE: &[Field] = &[
    Field {
        name: "events",
        kind: Kind::List,
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

#[derive(Serialize)]
struct DiskAnswer {
    disk_bytes: u64,
    free_bytes: u64,
    events_stored: u64,
    today: DayAnswer,
    days: Vec<DayAnswer>,
}

#[derive(Serialize)]
struct DayAnswer {
    day: String,
    events: u64,
    written_bytes: Option<u64>,
    written_bytes_per_event: Option<u64>,
}

async fn storage(call: Call) -> Result<Reply, Failure> {
    let used = call.services.disk_use(call.now).await?;
    let day = |(day, it): (u32, DiskDay)| DayAnswer {
        day: Timestamp::of_day(day).date(),
        events: it.events,
        written_bytes: it.written_bytes,
        written_bytes_per_event: it
            .written_bytes
            .and_then(|bytes| bytes.checked_div(it.events)),
    };
    let today = call.now.day();
    let counted = used.days.iter().rfind(|(day, _)| *day == today);
    let stored = DiskAnswer {
        disk_bytes: used.disk_bytes,
        free_bytes: used.free_bytes,
        events_stored: used.events_stored,
        today: day(counted.copied().unwrap_or((today, DiskDay::default()))),
        days: used.days.into_iter().rev().map(day).collect(),
    };
    Ok(Reply::json(200, &stored))
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
