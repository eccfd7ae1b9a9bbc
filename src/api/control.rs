//! What only the control socket serves, beside the admin API and the metrics: whoever can open that
//! socket is the administrator, and needs no token.

use std::future::ready;

use super::ops::{ClockState, Condition};
use super::{admin, metrics, ops};
use crate::http::{
    Api, Error, ErrorCode, Handler, Method, OneOf, Reply, RequestBody, RequestContext,
    RequestQuery, ResponseSpec, Route, json_response,
};
use crate::model::Secret;
use crate::service::Administrator;

/// The tables of the control socket: what follows here, the admin API, and the metrics.
pub fn served() -> Vec<&'static Api> {
    let mut tables = vec![&API];
    tables.extend(admin::TABLES);
    tables.push(&metrics::API);
    tables
}

static API: Api = Api {
    name: "control",
    mounts: &[""],
    routes: ROUTES,
    render_error: admin::render,
};

const ROUTES: &[Route] = &[HEALTH, RESET_PASSWORD];

const RESET_PASSWORD: Route = Route {
    name: "reset_admin_password",
    method: Method::Post,
    path: "/admin/password",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(
        200,
        NewPassword::FIELDS,
        "The new password, in force already; none: the configuration sets the password.",
    )],
    errors: &[ErrorCode::Unavailable],
    run: Handler::Admin(|request, admin| Box::pin(reset_password(request, admin))),
    about: "Makes a new password for the administrator and ends the tokens of the old one.",
};

const HEALTH: Route = Route {
    name: "server_health",
    method: Method::Get,
    path: "/health",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(
        200,
        Running::FIELDS,
        "Requests are answered and changes are kept.",
    )],
    errors: &[ErrorCode::Unavailable],
    run: Handler::Open(|request| Box::pin(ready(health(&request)))),
    about: "Says whether changes can be kept, and which process serves where.",
};

json_response! {
    /// `GET /health`
    struct Running<'a> {
        status: OneOf<Condition>,
        damaged_blocks: usize,
        damaged_records: usize,
        clock: OneOf<ClockState>,
        version: &'a str,
        pid: u32,
        uptime_seconds: u64,
        addresses: Vec<&'a str>,
    }
}

json_response! {
    /// `POST /admin/password`
    struct NewPassword<'a> {
        password: Option<&'a str>,
    }
}

async fn reset_password(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let by = request.by(&admin);
    let made = request.services.reset_admin_password(by).await?;
    let password = made.as_ref().map(Secret::reveal);
    Ok(Reply::json(200, &NewPassword { password }).no_store())
}

fn health(request: &RequestContext) -> Result<Reply, Error> {
    let services = &request.services;
    let healthy = ops::healthy(services)?;
    let running = Running {
        status: healthy.status,
        damaged_blocks: healthy.damaged_blocks,
        damaged_records: healthy.damaged_records,
        clock: healthy.clock,
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
        uptime_seconds: services.uptime().as_secs(),
        addresses: services.addresses().iter().map(String::as_str).collect(),
    };
    Ok(Reply::json(200, &running).no_store())
}
