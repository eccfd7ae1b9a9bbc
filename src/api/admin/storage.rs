//! `GET /api/admin/storage`: reports the disk use and how much is written each day.

use serde::Serialize;

use crate::http::{
    BodySchema, Error, Field, Handler, JsonKind, Method, Reply, RequestBody, RequestContext,
    RequestQuery, ResponseSpec, Route, json_response,
};
use crate::model::{DiskDay, Timestamp};

pub(super) const ROUTE: Route = Route {
    name: "storage",
    method: Method::Get,
    path: "/storage",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(STORED),
        "What the data take, and how much is written.",
    )],
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(storage(request))),
    about: "Says what the data take of the disk, and how much is written to it day by day.",
};

const STORED: &[Field] = &[
    Field::required("disk_bytes", JsonKind::Number),
    Field::required("free_bytes", JsonKind::Number),
    Field::required("events_stored", JsonKind::Number),
    Field::object("today", DayAnswer::FIELDS),
    Field::list("days", DayAnswer::FIELDS),
];

#[derive(Serialize)]
struct DiskAnswer {
    disk_bytes: u64,
    free_bytes: u64,
    events_stored: u64,
    today: DayAnswer,
    days: Vec<DayAnswer>,
}

json_response! {
    /// What was stored and written on a day.
    struct DayAnswer {
        day: String,
        events: u64,
        written_bytes: Option<u64>,
        written_bytes_per_event: Option<u64>,
    }
}

async fn storage(request: RequestContext) -> Result<Reply, Error> {
    let used = request.services.disk_use(request.now).await?;
    let day = |(day, it): (u32, DiskDay)| DayAnswer {
        day: Timestamp::of_day(day).date(),
        events: it.events,
        written_bytes: it.written_bytes,
        written_bytes_per_event: it
            .written_bytes
            .and_then(|bytes| bytes.checked_div(it.events)),
    };
    let today = request.now.day();
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
