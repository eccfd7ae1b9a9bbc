//! What only the control socket serves, beside the admin API: whoever can open that socket is the
//! administrator, and needs no token.

use std::future::ready;
use std::time::Duration;

use super::{admin, ops};
use crate::http::{
    Api, Error, ErrorCode, Handler, Method, Reply, RequestBody, RequestContext, RequestQuery,
    ResponseSpec, Route, json_request, json_response,
};
use crate::model::{Email, Secret};
use crate::service::{self, Administrator};

/// The tables of the control socket: the admin API, and what follows here.
pub fn served() -> Vec<&'static Api> {
    let mut tables = vec![&API];
    tables.extend(admin::TABLES);
    tables
}

static API: Api = Api {
    name: "control",
    mounts: &[""],
    routes: ROUTES,
    render_error: admin::render,
};

const ROUTES: &[Route] = &[HEALTH, RESET_PASSWORD, SEND_INVITE];

const SEND_INVITE: Route = Route {
    name: "send_invite",
    method: Method::Post,
    path: "/invites",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Json(Invite::FIELDS),
    responses: &[ResponseSpec::empty(202, "The mail is in the outbox.")],
    errors: &[ErrorCode::SignupClosed, ErrorCode::Busy],
    run: Handler::Admin(|request, _| Box::pin(send_invite(request))),
    about: "Mails a link with a code that opens accounts.",
};

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
        status: &'a str,
        damaged_blocks: usize,
        damaged_records: usize,
        clock: &'a str,
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

json_request! {
    /// `POST /invites`
    struct Invite {
        address: String,
        uses: u32,
        lifetime_seconds: u64,
    }
}

async fn send_invite(request: RequestContext) -> Result<Reply, Error> {
    let invite: Invite = request.json()?;
    let to = Email::parse(&invite.address)?;
    let lifetime = Duration::from_secs(invite.lifetime_seconds);
    let services = &request.services;
    let sent = services
        .invite(to, invite.uses, lifetime, request.now)
        .await;
    sent.map_err(|error| match error {
        service::Error::Busy { .. } => Error::with_message(
            ErrorCode::Busy,
            "The outbox is full: no mail leaves, and the log says why",
        ),
        other => other.into(),
    })?;
    Ok(Reply::empty(202))
}

async fn reset_password(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let by = request.caller().acting(admin.actor());
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
