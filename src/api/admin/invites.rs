//! Invites in the admin API. A code is in one answer only: that of making an invite to hand over.

use std::time::Duration;

use serde::Serialize;

use super::query;
use super::table::table;
use crate::http::{
    Api, BodySchema, Error, ErrorCode, Field, Handler, JsonKind, Method, OneOf, Reply, RequestBody,
    RequestContext, RequestQuery, ResponseSpec, Route, json_request, json_response, words,
};
use crate::model::{Email, InviteId, Timestamp};
use crate::service::{Administrator, ListedInvite, NewInvite};

/// The table of routes.
pub(super) static API: Api = table(&[MAKE, LIST, SHOW, END]);

const PAGE: &[Field] = &[
    Field::list("invites", Invite::FIELDS),
    Field::optional("next", JsonKind::Text),
];

/// How long an invite is good, if the request does not say it.
const USUAL_LIFETIME: Duration = Duration::from_hours(7 * 24);

const MAKE: Route = Route {
    name: "make_invite",
    method: Method::Post,
    path: "/invites",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Json(NewCode::FIELDS),
    responses: &[ResponseSpec::json(
        201,
        Made::FIELDS,
        "The invite; if it is not mailed, with its code, shown once.",
    )
    .secret()],
    errors: &[ErrorCode::SignupClosed, ErrorCode::Conflict],
    run: Handler::Admin(|request, admin| Box::pin(make(request, admin))),
    about: "Makes an invite, to be mailed or to be handed over.",
};

const LIST: Route = Route {
    name: "list_invites",
    method: Method::Get,
    path: "/invites",
    query: RequestQuery::Closed(&["limit", "cursor"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(PAGE),
        "A page of invites.",
    )],
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(list(request))),
    about: "Lists the invites of the configuration, then those made here, the latest first.",
};

const SHOW: Route = Route {
    name: "show_invite",
    method: Method::Get,
    path: "/invites/{id}",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(200, Invite::FIELDS, "The invite.")],
    errors: &[ErrorCode::UnknownId],
    run: Handler::Admin(|request, _| Box::pin(show(request))),
    about: "Shows an invite.",
};

const END: Route = Route {
    name: "end_invite",
    method: Method::Delete,
    path: "/invites/{id}",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::empty(204, "It opens no account any more.")],
    errors: &[ErrorCode::UnknownId, ErrorCode::Conflict],
    run: Handler::Admin(|request, admin| Box::pin(end(request, admin))),
    about: "Ends an invite, and drops the mail with it if that still waits.",
};

json_request! {
    /// `POST /invites`
    struct NewCode {
        email: Option<String>,
        note: Option<String>,
        uses: Option<u32>,
        lifetime_seconds: Option<u64>,
    }
}

words! {
    /// Where an invite is from.
    enum Source { Admin = "admin", Configuration = "configuration" }
}

words! {
    /// Whether an invite opens accounts.
    enum InviteStatus { Open = "open", UsedUp = "used_up", Expired = "expired" }
}

json_response! {
    /// An invite.
    struct Invite {
        id: String,
        source: OneOf<Source>,
        status: OneOf<InviteStatus>,
        uses: u32,
        used: u32,
        expires_at: Option<String>,
        email: Option<String>,
        note: Option<String>,
        created_at: Option<String>,
    }
}

json_response! {
    /// An invite that was just made; code and link only if it is not mailed.
    struct Made<'a> {
        id: String,
        expires_at: Option<String>,
        code: Option<&'a str>,
        link: Option<&'a str>,
    }
}

#[derive(Serialize)]
struct Page {
    invites: Vec<Invite>,
    next: Option<String>,
}

fn shown(invite: &ListedInvite, now: Timestamp) -> Invite {
    let made = invite.made.as_ref();
    let is_over = invite.expires_at.is_some_and(|end| now >= end);
    Invite {
        id: invite.id.to_string(),
        source: OneOf(if made.is_some() {
            Source::Admin
        } else {
            Source::Configuration
        }),
        status: OneOf(match invite.used < invite.uses {
            false => InviteStatus::UsedUp,
            true if is_over => InviteStatus::Expired,
            true => InviteStatus::Open,
        }),
        uses: invite.uses,
        used: invite.used,
        expires_at: invite.expires_at.map(Timestamp::rfc3339_millis),
        email: made.and_then(|it| Some(it.to.as_ref()?.shown().to_owned())),
        note: made.map(|it| it.note.clone()),
        created_at: made.and_then(|it| it.made_at.map(Timestamp::rfc3339_millis)),
    }
}

async fn make(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let asked: NewCode = request.json()?;
    let invite = NewInvite {
        to: asked.email.as_deref().map(Email::parse).transpose()?,
        note: asked.note.unwrap_or_default(),
        uses: asked.uses.unwrap_or(1),
        lifetime: asked
            .lifetime_seconds
            .map_or(USUAL_LIFETIME, Duration::from_secs),
    };
    let by = request.by(&admin);
    let (invite, link) = request.services.make_invite(invite, by).await?;
    let made = Made {
        id: invite.id.to_string(),
        expires_at: invite.expires_at.map(Timestamp::rfc3339_millis),
        code: link.as_ref().map(|it| it.code.reveal()),
        link: link.as_ref().map(|it| it.link.reveal()),
    };
    Ok(Reply::json(201, &made))
}

async fn list(request: RequestContext) -> Result<Reply, Error> {
    let (after, limit) = (
        query::place(&request.query, InviteId::parse)?,
        query::limit(&request.query)?,
    );
    let invites = request.services.list_invites(after, limit).await?;
    let last = invites.last().filter(|_| invites.len() == limit);
    let page = Page {
        next: last.map(|it| query::cursor_text(it.id.to_string().as_bytes())),
        invites: invites.iter().map(|it| shown(it, request.now)).collect(),
    };
    Ok(Reply::json(200, &page))
}

async fn show(request: RequestContext) -> Result<Reply, Error> {
    let invite = request
        .services
        .show_invite(request.id(InviteId::parse)?)
        .await?;
    Ok(Reply::json(200, &shown(&invite, request.now)))
}

async fn end(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let by = request.by(&admin);
    request
        .services
        .end_invite(request.id(InviteId::parse)?, by)
        .await?;
    Ok(Reply::empty(204))
}
