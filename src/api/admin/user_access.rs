//! The ways into an account, in the admin API: its password, links to set one, its tokens.

use std::time::Duration;

use super::table::table;
use super::tokens::{self, ListedToken};
use crate::http::{
    Api, BodySchema, Error, ErrorCode, Handler, Method, Reply, RequestBody, RequestContext,
    RequestQuery, ResponseSpec, Route, json_request, json_response,
};
use crate::model::{Invalid, Principal, Scope, Secret, TokenId, TokenQuery, UserId};
use crate::service::Administrator;

/// The table of routes.
pub(super) static API: Api = table(&[PASSWORD, RESET_LINK, TOKENS, END_TOKENS]);

const PASSWORD: Route = Route {
    name: "set_user_password",
    method: Method::Post,
    path: "/users/{id}/password",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Json(NewPassword::FIELDS),
    responses: &[ResponseSpec::empty(204, "The password is set.")],
    errors: &[ErrorCode::UnknownId, ErrorCode::Conflict],
    run: Handler::Admin(|request, admin| Box::pin(set_password(request, admin))),
    about: "Sets a password, which ends all tokens of the account.",
};

const RESET_LINK: Route = Route {
    name: "make_reset_link",
    method: Method::Post,
    path: "/users/{id}/reset-link",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Json(Lifetime::FIELDS),
    responses: &[ResponseSpec::json(201, Link::FIELDS, "The link, shown once.").secret()],
    errors: &[ErrorCode::UnknownId, ErrorCode::Conflict],
    run: Handler::Admin(|request, admin| Box::pin(reset_link(request, admin))),
    about: "Makes a link for a new password, to hand over by hand. It works once.",
};

const TOKENS: Route = Route {
    name: "list_user_tokens",
    method: Method::Get,
    path: "/users/{id}/tokens",
    query: RequestQuery::Closed(&["kind", "limit", "cursor"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(tokens::PAGE),
        "A page of the account's tokens.",
    )],
    errors: &[ErrorCode::UnknownId],
    run: Handler::AdminOr(Scope::UsersRead, |request, _| {
        Box::pin(list_tokens(request))
    }),
    about: "Lists the tokens of an account.",
};

const END_TOKENS: Route = Route {
    name: "end_user_tokens",
    method: Method::Delete,
    path: "/users/{id}/tokens",
    query: RequestQuery::Closed(&["except"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::empty(204, "They are ended.")],
    errors: &[ErrorCode::UnknownId],
    run: Handler::Admin(|request, admin| Box::pin(end_tokens(request, admin))),
    about: "Ends all tokens of an account, but the one with the id that except names.",
};

json_request! {
    /// `POST /users/{id}/password`
    struct NewPassword {
        password: Secret,
        notify: Option<bool>,
    }
}

json_request! {
    /// `POST /users/{id}/reset-link`
    #[derive(Default)]
    struct Lifetime {
        lifetime_seconds: Option<u64>,
    }
}

json_response! {
    /// `POST /users/{id}/reset-link`
    struct Link<'a> {
        link: &'a str,
        expires_at: String,
    }
}

async fn set_password(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let asked: NewPassword = request.json()?;
    let (id, by) = (request.id(UserId::parse)?, request.by(&admin));
    let notify = asked.notify.unwrap_or(true);
    let services = &request.services;
    services
        .set_user_password(id, &asked.password, notify, by)
        .await?;
    Ok(Reply::empty(204))
}

async fn reset_link(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let asked: Lifetime = request.optional_json()?;
    let (id, by) = (request.id(UserId::parse)?, request.by(&admin));
    let lifetime = asked.lifetime_seconds.map(Duration::from_secs);
    let (link, end) = request.services.reset_link(id, lifetime, by).await?;
    let link = Link {
        link: link.reveal(),
        expires_at: end.rfc3339(),
    };
    Ok(Reply::json(201, &link))
}

async fn list_tokens(request: RequestContext) -> Result<Reply, Error> {
    let user = request.services.user(request.id(UserId::parse)?).await?;
    let query = TokenQuery {
        holder: Some(Principal::User(user.id)),
        ..tokens::asked_for(&request.query)?
    };
    ListedToken::page(&request, query).await
}

async fn end_tokens(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let parse = |text| {
        TokenId::parse(text).ok_or_else(|| Invalid::new("except", "must be the id of a token"))
    };
    let except = request.query.get("except").map(parse).transpose()?;
    let (id, by) = (request.id(UserId::parse)?, request.by(&admin));
    request.services.end_user_tokens(id, except, by).await?;
    Ok(Reply::empty(204))
}
