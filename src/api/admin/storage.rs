//! `GET /api/admin/storage`

use serde::Serialize;

use crate::http::{
    Call, Code, Failure, Field, Gives, Handler, Kind, Reply, Route, Shape, Takes, Verb,
};
use crate::model::{DiskDay, Timestamp};

pub(super) const ROUTE: Route = Route {
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
