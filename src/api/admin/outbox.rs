//! Mail that waits, in the admin API. No answer holds a code: it does not exist before the mail is
//! sent.

use serde::Serialize;

use super::query;
use super::table::table;
use crate::http::{
    Api, BodySchema, Error, ErrorCode, Field, Handler, Method, OneOf, QueryString, Reply,
    RequestBody, RequestContext, RequestQuery, ResponseSpec, Route, json_response,
};
use crate::model::{DueMail, Invalid, MailId, MailKind, Timestamp};
use crate::service::Administrator;

/// The table of routes.
pub(super) static API: Api = table(&[LIST, RETRY, DROP]);

const PAGE: &[Field] = &[
    Field::list("mails", Mail::FIELDS),
    Field::optional("next", crate::http::JsonKind::Text),
];

const LIST: Route = Route {
    name: "list_outbox",
    method: Method::Get,
    path: "/outbox",
    query: RequestQuery::Closed(&["limit", "cursor"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(PAGE),
        "A page of the mails that wait.",
    )],
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(list(request))),
    about: "Lists the mails that wait to be sent, the first due first.",
};

const RETRY: Route = Route {
    name: "retry_mail",
    method: Method::Post,
    path: "/outbox/{id}/retry",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::empty(202, "It is tried now.")],
    errors: &[ErrorCode::UnknownId],
    run: Handler::Admin(|request, admin| Box::pin(retry(request, admin))),
    about: "Tries a mail at once, instead of when it is due.",
};

const DROP: Route = Route {
    name: "drop_mail",
    method: Method::Delete,
    path: "/outbox/{id}",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::empty(204, "It will not be sent.")],
    errors: &[ErrorCode::UnknownId],
    run: Handler::Admin(|request, admin| Box::pin(discard(request, admin))),
    about: "Drops a mail; an invite that an earlier attempt may have brought ends with it.",
};

json_response! {
    /// A mail that waits.
    struct Mail {
        id: uuid::Uuid,
        kind: OneOf<MailKind>,
        to: String,
        asked_at: String,
        due_at: String,
        ends_at: String,
        attempts: u32,
    }
}

#[derive(Serialize)]
struct Page {
    mails: Vec<Mail>,
    next: Option<String>,
}

fn shown(mail: &DueMail) -> Mail {
    Mail {
        id: mail.id.0,
        kind: OneOf(mail.kind),
        to: mail.to.shown().to_owned(),
        asked_at: mail.asked_at.rfc3339_millis(),
        due_at: mail.due_at.rfc3339_millis(),
        ends_at: mail.ends_at().rfc3339_millis(),
        attempts: mail.attempts,
    }
}

fn place_text(mail: &DueMail) -> String {
    let place = format!("{} {}", mail.due_at.millis(), mail.id.0);
    query::cursor_text(place.as_bytes())
}

fn cursor(asked: &QueryString) -> Result<Option<(Timestamp, MailId)>, Invalid> {
    query::place(asked, |text| {
        let (due_at, id) = text.split_once(' ')?;
        let due_at = Timestamp::from_millis(due_at.parse().ok()?);
        Some((due_at, MailId::parse(id)?))
    })
}

async fn list(request: RequestContext) -> Result<Reply, Error> {
    let (after, limit) = (cursor(&request.query)?, query::limit(&request.query)?);
    let mails = request.services.list_mails(after, limit).await?;
    let last = mails.last().filter(|_| mails.len() == limit);
    let page = Page {
        next: last.map(place_text),
        mails: mails.iter().map(shown).collect(),
    };
    Ok(Reply::json(200, &page))
}

async fn retry(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let by = request.by(&admin);
    request
        .services
        .retry_mail(request.id(MailId::parse)?, by)
        .await?;
    Ok(Reply::empty(202))
}

async fn discard(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let by = request.by(&admin);
    request
        .services
        .drop_mail(request.id(MailId::parse)?, by)
        .await?;
    Ok(Reply::empty(204))
}
