//! Limits in the admin API: who has to wait, and letting them try again.

use std::net::IpAddr;

use serde::Serialize;

use super::query;
use super::table::table;
use crate::http::{
    Api, BodySchema, Error, ErrorCode, Field, Handler, Method, OneOf, Reply, RequestBody,
    RequestContext, RequestQuery, ResponseSpec, Route, Word, json_response,
};
use crate::model::UserId;
use crate::service::{Administrator, Wait, Waiting};

/// The table of routes.
pub(super) static API: Api = table(&[LIST, LIFT]);

const WAITS: &[Field] = &[Field::list("waits", Listed::FIELDS)];

const LIST: Route = Route {
    name: "list_waits",
    method: Method::Get,
    path: "/limits",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(WAITS),
        "Who waits, the longest wait first; 1,000 at most.",
    )],
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(std::future::ready(Ok(list(&request))))),
    about: "Lists who has to wait because of a limit, and for how long.",
};

const LIFT: Route = Route {
    name: "lift_wait",
    method: Method::Delete,
    path: "/limits/{id}",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::empty(204, "They may try again at once.")],
    errors: &[ErrorCode::UnknownId],
    run: Handler::Admin(|request, admin| Box::pin(lift(request, admin))),
    about: "Lets somebody try again at once.",
};

json_response! {
    /// A wait.
    struct Listed {
        id: String,
        limit: OneOf<Waiting>,
        user_id: Option<UserId>,
        network: Option<IpAddr>,
        wait_seconds: u64,
    }
}

impl Word for Waiting {
    const WORDS: &'static [&'static str] = Waiting::LIMITS;

    fn word(&self) -> &'static str {
        self.limit()
    }
}

#[derive(Serialize)]
struct Page {
    waits: Vec<Listed>,
}

fn listed(wait: &Wait) -> Listed {
    let seconds = wait.wait.as_millis().div_ceil(1000);
    Listed {
        id: query::cursor_text(wait.who.to_string().as_bytes()),
        limit: OneOf(wait.who),
        user_id: wait.who.user(),
        network: wait.who.network(),
        wait_seconds: u64::try_from(seconds).unwrap_or(u64::MAX),
    }
}

fn list(request: &RequestContext) -> Reply {
    let waits = request.services.waits();
    let waits = waits.iter().map(listed).collect();
    Reply::json(200, &Page { waits })
}

async fn lift(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let who = request.id(|id| Waiting::parse(&query::decoded(id)?))?;
    let by = request.by(&admin);
    request.services.lift(who, by).await?;
    Ok(Reply::empty(204))
}
