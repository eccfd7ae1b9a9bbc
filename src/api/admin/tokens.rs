//! Tokens in the admin API, by their public ids. No answer holds a secret or a digest.

use serde::Serialize;

use super::query;
use super::table::table;
use crate::http::{
    Api, BodySchema, Error, ErrorCode, Field, Handler, JsonKind, Method, OneOf, QueryString, Reply,
    RequestBody, RequestContext, RequestQuery, ResponseSpec, Route, json_response,
};
use crate::model::{
    Invalid, Principal, Timestamp, Token, TokenId, TokenKind, TokenPlace, TokenQuery, TokenStatus,
};
use crate::service::Administrator;

/// The table of routes.
pub(super) static API: Api = table(&[LIST, SHOW, END]);

/// A page of tokens.
pub(super) const PAGE: &[Field] = &[
    Field::list("tokens", ListedToken::FIELDS),
    Field::optional("next", JsonKind::Text),
];

const LIST: Route = Route {
    name: "list_tokens",
    method: Method::Get,
    path: "/tokens",
    query: RequestQuery::Closed(&["kind", "holder", "limit", "cursor"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(PAGE),
        "A page of tokens.",
    )],
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(list(request))),
    about: "Lists the stored tokens, holder by holder.",
};

const SHOW: Route = Route {
    name: "show_token",
    method: Method::Get,
    path: "/tokens/{id}",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(200, ListedToken::FIELDS, "The token.")],
    errors: &[ErrorCode::UnknownId],
    run: Handler::Admin(|request, _| Box::pin(show(request))),
    about: "Shows a token by its public id.",
};

const END: Route = Route {
    name: "end_token",
    method: Method::Delete,
    path: "/tokens/{id}",
    query: RequestQuery::Closed(&["own"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::empty(
        204,
        "The token and its login are ended.",
    )],
    errors: &[ErrorCode::UnknownId, ErrorCode::Conflict],
    run: Handler::Admin(|request, admin| Box::pin(end(request, admin))),
    about: "Ends a token, with those that it was exchanged from or for.",
};

json_response! {
    /// A token.
    pub(super) struct ListedToken {
        id: TokenId,
        family: TokenId,
        kind: OneOf<TokenKind>,
        holder: String,
        status: OneOf<TokenStatus>,
        issued_at: String,
        last_used_at: String,
        expires_at: Option<String>,
        address: std::net::IpAddr,
        user_agent: String,
    }
}

#[derive(Serialize)]
struct Page {
    tokens: Vec<ListedToken>,
    next: Option<String>,
}

impl ListedToken {
    fn of(token: &Token, status: TokenStatus) -> ListedToken {
        ListedToken {
            id: token.id,
            family: token.family,
            kind: OneOf(token.kind),
            holder: token.holder.to_string(),
            status: OneOf(status),
            issued_at: token.issued_at.rfc3339_millis(),
            last_used_at: token.last_used_at.rfc3339_millis(),
            expires_at: token.end().map(Timestamp::rfc3339_millis),
            address: token.client.address,
            user_agent: token.client.user_agent.clone(),
        }
    }

    /// A page of the tokens that a query asks for, as an answer.
    pub(super) async fn page(request: &RequestContext, query: TokenQuery) -> Result<Reply, Error> {
        let now: Timestamp = request.now;
        let page = request.services.list_tokens(query).await?;
        let tokens = page.tokens.iter();
        let listed = |(token, epoch): &(Token, Option<u32>)| {
            ListedToken::of(token, token.status(*epoch, now, false))
        };
        let page = Page {
            tokens: tokens.map(listed).collect(),
            next: page.next.map(place_text),
        };
        Ok(Reply::json(200, &page))
    }
}

fn place_text(place: TokenPlace) -> String {
    let TokenPlace { holder, family, id } = place;
    query::cursor_text(format!("{holder} {family} {id}").as_bytes())
}

fn place(text: &str) -> Option<TokenPlace> {
    let mut parts = text.split(' ');
    Some(TokenPlace {
        holder: Principal::parse(parts.next()?)?,
        family: TokenId::parse(parts.next()?)?,
        id: TokenId::parse(parts.next()?)?,
    })
}

/// The tokens that a request asks for.
pub(super) fn asked_for(asked: &QueryString) -> Result<TokenQuery, Invalid> {
    let holder = |text| {
        let why = "must be admin, hub, machine:NAME, or the id of a user";
        Principal::parse(text).ok_or_else(|| Invalid::new("holder", why))
    };
    let kind = |text| {
        let names = TokenKind::ALL.map(TokenKind::as_str).join(", ");
        let known = TokenKind::ALL.into_iter().find(|it| it.as_str() == text);
        known.ok_or_else(|| Invalid::new("kind", format!("must be one of {names}")))
    };
    Ok(TokenQuery {
        holder: asked.get("holder").map(holder).transpose()?,
        kind: asked.get("kind").map(kind).transpose()?,
        after: query::place(asked, place)?,
        limit: query::limit(asked)?,
    })
}

async fn list(request: RequestContext) -> Result<Reply, Error> {
    let query = asked_for(&request.query)?;
    ListedToken::page(&request, query).await
}

async fn show(request: RequestContext) -> Result<Reply, Error> {
    let (token, status) = request
        .services
        .token(request.id(TokenId::parse)?, request.now)
        .await?;
    Ok(Reply::json(200, &ListedToken::of(&token, status)))
}

async fn end(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let own = query::flag(&request.query, "own")?.unwrap_or(false);
    let by = request.by(&admin);
    let id = request.id(TokenId::parse)?;
    request.services.end_token(&admin, id, own, by).await?;
    Ok(Reply::empty(204))
}
