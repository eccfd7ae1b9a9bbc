//! The ops API: the health check for operators and their monitoring.

use std::future::ready;

use serde::Serialize;

use crate::http::{
    Api, Error, ErrorCode, Handler, Method, OneOf, RenderedError, Reply, RequestBody,
    RequestContext, RequestQuery, ResponseSpec, Route, json_response, words,
};
use crate::service::Services;
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

words! {
    /// Whether all that is stored can be read.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Condition { Ok = "ok", Damaged = "damaged" }
}

words! {
    /// Whether the clock of the machine is trusted.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum ClockState { Trusted = "trusted", Suspect = "suspect" }
}

json_response! {
    /// `GET /healthz`
    pub(super) struct Healthy {
        pub(super) status: OneOf<Condition>,
        pub(super) damaged_blocks: usize,
        pub(super) damaged_records: usize,
        pub(super) clock: OneOf<ClockState>,
    }
}

#[derive(Serialize)]
struct Complaint<'a> {
    error: &'a str,
}

/// The error format of the ops API: `{"error":"…"}`.
fn render(error: &Error) -> RenderedError {
    RenderedError::json(
        error.status(),
        &Complaint {
            error: error.message(),
        },
    )
}

fn health(request: &RequestContext) -> Result<Reply, Error> {
    Ok(Reply::json(200, &healthy(&request.services)?).no_store())
}

/// Whether the clock is trusted now.
pub(super) fn clock(services: &Services) -> ClockState {
    if services.clock_is_suspect() {
        ClockState::Suspect
    } else {
        ClockState::Trusted
    }
}

/// The state of a server that keeps changes. Error: `Unavailable`, with the reason, if it does not.
pub(super) fn healthy(services: &Services) -> Result<Healthy, Error> {
    let unavailable = |why| Err(Error::with_message(ErrorCode::Unavailable, why));
    match services.health() {
        health @ (Health::Fine | Health::Damaged) => {
            let damaged_blocks = services.damaged_blocks();
            let damaged_records = services.damaged_records();
            let is_whole = damaged_blocks + damaged_records == 0 && health == Health::Fine;
            let status = if is_whole {
                Condition::Ok
            } else {
                Condition::Damaged
            };
            Ok(Healthy {
                status: OneOf(status),
                damaged_blocks,
                damaged_records,
                clock: OneOf(clock(services)),
            })
        }
        Health::NoEvents => {
            unavailable("The disk is nearly full: events are refused, other changes are kept")
        }
        Health::Full => unavailable("The disk is full: every change is refused"),
        Health::Stopped(_) => unavailable("The database has stopped"),
    }
}
