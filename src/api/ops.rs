//! The ops API: the health check for operators and their monitoring.

use std::future::ready;

use serde::Serialize;

use crate::http::{
    Api, Error, ErrorCode, Handler, Method, RenderedError, Reply, RequestBody, RequestContext,
    RequestQuery, ResponseSpec, Route, json_response,
};
use crate::store::Health;

/// The API.
pub static API: Api = Api {
    name: "ops",
    mounts: &[""],
    routes: ROUTES,
    render_error: render,
};

const ROUTES: &[Route] = &[Route {
    name: "health",
    method: Method::Get,
    path: "/healthz",
    query: RequestQuery::NONE,
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(
        200,
        Healthy::FIELDS,
        "Requests are answered and changes are kept.",
    )],
    errors: &[ErrorCode::Unavailable],
    run: Handler::Open(|request| Box::pin(ready(health(&request)))),
    about: "Says whether changes can be kept.",
}];

json_response! {
    /// `GET /healthz`
    struct Healthy<'a> {
        status: &'a str,
        damaged_blocks: usize,
        damaged_records: usize,
        clock: &'a str,
    }
}

#[derive(Serialize)]
struct Complaint<'a> {
    error: &'a str,
}

/// The error format of the ops and admin APIs: `{"error":"…"}`.
pub(super) fn render(error: &Error) -> RenderedError {
    RenderedError::json(
        error.status(),
        &Complaint {
            error: error.message(),
        },
    )
}

fn health(request: &RequestContext) -> Result<Reply, Error> {
    match request.services.health() {
        health @ (Health::Fine | Health::Damaged) => {
            let damaged_blocks = request.services.damaged_blocks();
            let damaged_records = request.services.damaged_records();
            let is_whole = damaged_blocks + damaged_records == 0 && health == Health::Fine;
            let status = if is_whole { "ok" } else { "damaged" };
            let status = Healthy {
                status,
                damaged_blocks,
                damaged_records,
                clock: if request.services.clock_is_suspect() {
                    "suspect"
                } else {
                    "trusted"
                },
            };
            Ok(Reply::json(200, &status).no_store())
        }
        Health::NoEvents => Err(Error::with_message(
            ErrorCode::Unavailable,
            "The disk is nearly full: events are refused, other changes are kept",
        )),
        Health::Full => Err(Error::with_message(
            ErrorCode::Unavailable,
            "The disk is full: every change is refused",
        )),
        Health::Stopped(_) => Err(Error::with_message(
            ErrorCode::Unavailable,
            "The database has stopped",
        )),
    }
}
