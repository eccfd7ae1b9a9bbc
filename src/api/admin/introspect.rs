//! `POST /api/admin/introspect`: tells services behind this one what a token is (RFC 7662).

use super::table::table;
use crate::http::{
    Api, Error, Handler, Method, OneOf, Reply, RequestBody, RequestContext, RequestQuery,
    ResponseSpec, Route, json_request, json_response,
};
use crate::model::{Grant, Invalid, Scope, Secret, Timestamp, TokenId, TokenKind};
use crate::service::Introspected;

/// The table of routes.
pub(super) static API: Api = table(&[ROUTE]);

const ROUTE: Route = Route {
    name: "introspect_token",
    method: Method::Post,
    path: "/introspect",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Form(Asked::FIELDS),
    responses: &[ResponseSpec::json(
        200,
        Answer::FIELDS,
        "What the token is, or no more than that it is not live.",
    )],
    errors: &[],
    run: Handler::AdminOr(Scope::TokensVerify, |request, _| {
        Box::pin(introspect(request))
    }),
    about: "Says whether a token is live, and whose it is (RFC 7662). It is no use of the token.",
};

json_request! {
    /// The token to look at.
    struct Asked {
        token: Secret,
        #[expect(dead_code, reason = "RFC 7662 has it; all tokens are found in one way")]
        token_type_hint: Option<String>,
    }
}

json_response! {
    /// The answer; of a token that is not live only `active` (RFC 7662, section 2.2).
    #[derive(Default)]
    struct Answer {
        active: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        sub: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        scope: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        networks: Option<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        token_type: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<OneOf<TokenKind>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        iss: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        jti: Option<TokenId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        iat: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        exp: Option<i64>,
    }
}

/// The token that a form or a JSON object names.
fn asked(request: &RequestContext) -> Result<Secret, Error> {
    if !request.is_form() {
        return Ok(request.json::<Asked>()?.token);
    }
    let form = request.form(&["token", "token_type_hint"])?;
    let token = form.get("token");
    let token = token.ok_or_else(|| Invalid::new("token", "is missing"))?;
    Ok(Secret::new(token))
}

async fn introspect(request: RequestContext) -> Result<Reply, Error> {
    let shown = asked(&request)?;
    let found = request.services.introspect(&shown, request.now).await?;
    let issuer = &request.services.config().server.public_url;
    let answer = found.map_or_else(Answer::default, |it| answer(&it, issuer));
    Ok(Reply::json(200, &answer).no_store())
}

fn answer(found: &Introspected, issuer: &str) -> Answer {
    let Introspected { token, user } = found;
    let grant = token.grant.as_ref();
    Answer {
        active: true,
        sub: Some(token.holder.to_string()),
        username: user.as_ref().map(|user| user.email.shown().to_owned()),
        client_id: grant.map(|grant| grant.name.into()),
        scope: grant.map(Grant::scope_text),
        networks: grant.map(Grant::network_texts),
        token_type: Some("Bearer"),
        kind: Some(OneOf(token.kind)),
        iss: Some(issuer.to_owned()),
        jti: Some(token.id),
        iat: Some(token.issued_at.seconds()),
        exp: token.end().map(Timestamp::seconds),
    }
}
