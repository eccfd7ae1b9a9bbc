//! The keys that sign access tokens, in the admin API.

use std::future::ready;

use serde::Serialize;

use super::table::table;
use crate::http::{
    Api, BodySchema, Error, ErrorCode, Field, Handler, Method, OneOf, Reply, RequestBody,
    RequestContext, RequestQuery, ResponseSpec, Route, Word, json_response,
};
use crate::model::Timestamp;
use crate::service::{Administrator, KeyState, ListedKey};

/// The table of routes.
pub(super) static API: Api = table(&[LIST, PREPARE, ROTATE, REMOVE]);

const ALL: &[Field] = &[Field::list("signing_keys", Key::FIELDS)];

const LIST: Route = Route {
    name: "list_signing_keys",
    method: Method::Get,
    path: "/signing-keys",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(200, BodySchema::Json(ALL), "All keys.")],
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(ready(Ok(list(&request, 200))))),
    about: "Lists the keys that sign access tokens, the one in use first.",
};

const PREPARE: Route = Route {
    name: "prepare_signing_key",
    method: Method::Post,
    path: "/signing-key/next",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(201, BodySchema::Json(ALL), "All keys.")],
    errors: &[],
    run: Handler::Admin(|request, admin| Box::pin(prepare(request, admin))),
    about: "Makes the next key, if there is none, and shows it to others before it is used.",
};

const ROTATE: Route = Route {
    name: "rotate_signing_key",
    method: Method::Post,
    path: "/signing-key/rotate",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(200, BodySchema::Json(ALL), "All keys.")],
    errors: &[ErrorCode::Conflict],
    run: Handler::Admin(|request, admin| Box::pin(rotate(request, admin))),
    about: "Lets the next key sign, or a new one; the key before stays until its tokens expire.",
};

const REMOVE: Route = Route {
    name: "remove_signing_key",
    method: Method::Delete,
    path: "/signing-keys/{id}",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::empty(204, "It is in the key set no more.")],
    errors: &[ErrorCode::UnknownId, ErrorCode::Conflict],
    run: Handler::Admin(|request, admin| Box::pin(remove(request, admin))),
    about: "Removes a key that does not sign from the key set at once.",
};

json_response! {
    /// A key.
    struct Key {
        id: String,
        status: OneOf<KeyState>,
        created_at: Option<String>,
        used_from: Option<String>,
        until: Option<String>,
    }
}

impl Word for KeyState {
    const WORDS: &'static [&'static str] = &["current", "next", "old"];

    fn word(&self) -> &'static str {
        match self {
            KeyState::Current => "current",
            KeyState::Next => "next",
            KeyState::Old => "old",
        }
    }
}

#[derive(Serialize)]
struct All {
    signing_keys: Vec<Key>,
}

fn shown(key: ListedKey) -> Key {
    Key {
        id: key.id,
        status: OneOf(key.state),
        created_at: key.made_at.map(Timestamp::rfc3339_millis),
        used_from: key.used_from.map(Timestamp::rfc3339_millis),
        until: key.until.map(Timestamp::rfc3339_millis),
    }
}

fn list(request: &RequestContext, status: u16) -> Reply {
    let keys = request.services.list_keys(request.now);
    let signing_keys = keys.into_iter().map(shown).collect();
    Reply::json(status, &All { signing_keys })
}

async fn prepare(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let by = request.by(&admin);
    request.services.prepare_key(by).await?;
    Ok(list(&request, 201))
}

async fn rotate(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let by = request.by(&admin);
    request.services.rotate_key(by).await?;
    Ok(list(&request, 200))
}

async fn remove(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let by = request.by(&admin);
    request.services.remove_key(request.param("id"), by).await?;
    Ok(Reply::empty(204))
}
