//! For whoever runs the appliance.

use std::future::ready;

use serde::Serialize;

use crate::http::{
    Api, Call, Code, Failure, Gives, Handler, Reply, Route, Takes, Verb, Worded, answer,
};
use crate::store::Health;

/// The API.
pub static API: Api = Api {
    name: "ops",
    mounts: &[""],
    routes: ROUTES,
    dialect: word,
};

const ROUTES: &[Route] = &[Route {
    name: "health",
    verb: Verb::Get,
    path: "/healthz",
    takes: Takes::Nothing,
    gives: &[Gives::json(
        200,
        Status::FIELDS,
        "Requests are answered and changes are kept.",
    )],
    fails: &[Code::Unavailable],
    run: Handler::Open(|call| Box::pin(ready(health(&call)))),
    about: "Says whether changes can be kept.",
}];

answer! {
    /// `GET /healthz`
    struct Status<'a> {
        status: &'a str,
        damaged_blocks: usize,
    }
}

#[derive(Serialize)]
struct Complaint<'a> {
    error: &'a str,
}

/// How the APIs of the appliance itself word an error: `{"error":"…"}`.
pub(super) fn word(failure: &Failure) -> Worded {
    Worded::json(
        failure.status(),
        &Complaint {
            error: failure.why(),
        },
    )
}

fn health(call: &Call) -> Result<Reply, Failure> {
    match call.services.health() {
        Health::Fine => {
            let damaged_blocks = call.services.damaged_blocks();
            let status = if damaged_blocks == 0 { "ok" } else { "damaged" };
            let status = Status {
                status,
                damaged_blocks,
            };
            Ok(Reply::json(200, &status).no_store())
        }
        Health::NoEvents => Err(Failure::because(
            Code::Unavailable,
            "The disk is nearly full: events are refused, other changes are kept",
        )),
        Health::Full => Err(Failure::because(
            Code::Unavailable,
            "The disk is full: every change is refused",
        )),
        Health::Stopped(_) => Err(Failure::because(
            Code::Unavailable,
            "The database has stopped",
        )),
    }
}
