//! `/v1/machine-tokens`: tokens that users make for programs of their own, which report events for
//! them. They stand beside the Ephemeride API, under the same paths and with the same errors.

use serde::Serialize;

use super::admin::machine_tokens::{Listed, Made, moment, networks};
use super::ephemeride;
use crate::http::{
    Api, BodySchema, Error, ErrorCode, Field, Handler, Method, Reply, RequestBody, RequestContext,
    RequestQuery, ResponseSpec, Route, UserBearer, json_request,
};
use crate::model::{MachineName, Scope, TokenId, TokenStatus};
use crate::service::{Maker, NewMachine};

/// The API.
pub static API: Api = Api {
    routes: &[MAKE, LIST, END],
    ..ephemeride::API
};

const ALL: &[Field] = &[Field::list("machine_tokens", Listed::FIELDS)];

const MAKE: Route = Route {
    name: "make_own_machine_token",
    method: Method::Post,
    path: "/v1/machine-tokens",
    query: RequestQuery::NONE,
    body: RequestBody::Json(NewToken::FIELDS),
    responses: &[ResponseSpec::json(201, Made::FIELDS, "The token, shown once.").secret()],
    errors: &[ErrorCode::Conflict],
    run: Handler::User(|request, own| Box::pin(make(request, own))),
    about: "Makes a token that can do nothing but report events, if users may.",
};

const LIST: Route = Route {
    name: "list_own_machine_tokens",
    method: Method::Get,
    path: "/v1/machine-tokens",
    query: RequestQuery::NONE,
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(ALL),
        "All of them, the newest first.",
    )],
    errors: &[],
    run: Handler::User(|request, own| Box::pin(list(request, own))),
    about: "Lists the live machine tokens that the user made.",
};

const END: Route = Route {
    name: "end_own_machine_token",
    method: Method::Delete,
    path: "/v1/machine-tokens/{id}",
    query: RequestQuery::NONE,
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::empty(204, "It is ended.")],
    errors: &[ErrorCode::UnknownId],
    run: Handler::User(|request, own| Box::pin(end(request, own))),
    about: "Ends a machine token that the user made.",
};

json_request! {
    /// `POST /v1/machine-tokens`
    struct NewToken {
        name: String,
        expires_at: Option<String>,
        networks: Option<Vec<String>>,
    }
}

#[derive(Serialize)]
struct All {
    machine_tokens: Vec<Listed>,
}

async fn make(request: RequestContext, own: UserBearer) -> Result<Reply, Error> {
    let asked: NewToken = request.json()?;
    let machine = NewMachine {
        name: MachineName::parse(&asked.name)?,
        scopes: vec![Scope::EventsWrite],
        user: Some(own.user.id),
        networks: networks(asked.networks.as_ref())?,
        expires_at: moment(asked.expires_at.as_ref())?,
    };
    if !request.services.config().tokens.user_machine_tokens {
        let why = "Users make no machine tokens here: tokens.user_machine_tokens is false";
        return Err(Error::with_message(ErrorCode::NotPermitted, why));
    }
    let (maker, caller) = (Maker::of_user(&own.bearer), request.caller());
    let made = request
        .services
        .make_machine_token(machine, maker, &caller)
        .await?;
    Ok(Made::reply(&made))
}

async fn list(request: RequestContext, own: UserBearer) -> Result<Reply, Error> {
    let tokens = request
        .services
        .own_machine_tokens(&own.bearer, request.now)
        .await?;
    let listed = |token| Listed::of(token, TokenStatus::Live);
    let machine_tokens = tokens.iter().filter_map(listed).collect();
    Ok(Reply::json(200, &All { machine_tokens }))
}

async fn end(request: RequestContext, own: UserBearer) -> Result<Reply, Error> {
    let (id, caller) = (request.id(TokenId::parse)?, request.caller());
    request
        .services
        .end_own_machine_token(&own.bearer, id, &caller)
        .await?;
    Ok(Reply::empty(204))
}
