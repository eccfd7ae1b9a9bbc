//! One route as an operation of the OpenAPI document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::super::{
    Api, BodySchema, EntityTag, ErrorCode, Handler, RequestBody, ResponseSpec, Route,
};
use super::{failure, header, schema, vocabulary};
use crate::model::limits;

/// The operation. Under a further mount its id also names the mount.
pub(super) fn of(api: &Api, route: &Route, mount: &str, is_further: bool) -> Value {
    let mut operation = Map::new();
    let id = if is_further {
        format!("{}_under{}", route.name, mount.replace('/', "_"))
    } else {
        route.name.to_owned()
    };
    operation.insert("operationId".into(), id.into());
    operation.insert("tags".into(), json!([api.name]));
    operation.insert("summary".into(), route.about.into());
    operation.insert("parameters".into(), parameters(route));
    if let Some(body) = request_body(&route.body) {
        operation.insert("requestBody".into(), body);
    }
    operation.insert("responses".into(), responses(api, route));
    operation.insert("security".into(), security(&route.run));
    operation.insert("x-who".into(), route.run.who().into());
    operation.into()
}

fn security(run: &Handler) -> Value {
    match run {
        Handler::Open(_) => json!([]),
        _ => json!([{ "bearer": [] }, { "x_token": [] }, { "token": [] }]),
    }
}

fn parameters(route: &Route) -> Value {
    let segments = route.path.split('/');
    let in_path = segments.filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
    let in_path = in_path.map(|name| {
        json!({
            "name": name, "in": "path", "required": true,
            "schema": { "type": "string", "minLength": 1 },
            "example": vocabulary::ID,
        })
    });
    let in_query = route
        .query
        .names()
        .iter()
        .map(|name| vocabulary::parameter(name));
    let mut parameters: Vec<Value> = in_path.chain(in_query).collect();
    let mut header = |name: &str, about: &str, most: usize| {
        parameters.push(json!({
            "name": name, "in": "header", "required": false, "description": about,
            "schema": { "type": "string", "minLength": 1, "maxLength": most },
        }));
    };
    if route.errors.contains(&ErrorCode::Outdated) {
        header(
            "If-Match",
            "The ETag that the resource must still have.",
            255,
        );
    }
    let mut answers = route.responses.iter();
    if answers.any(|it| it.entity_tag == EntityTag::Digest) {
        header(
            "If-None-Match",
            "ETags that the client has: with the present one, the answer is 304.",
            255,
        );
    }
    if route.errors.contains(&ErrorCode::IdempotencyKeyReused) {
        let most = limits::IDEMPOTENCY_KEY_BYTES;
        header(
            "Idempotency-Key",
            "The same key gives the same answer for 24 hours.",
            most,
        );
    }
    parameters.into()
}

fn request_body(body: &RequestBody) -> Option<Value> {
    let (content_type, schema, example) = match body {
        RequestBody::Nothing => return None,
        RequestBody::Json(fields) => (
            "application/json",
            schema::object(fields, schema::Use::Request),
            schema::example(fields),
        ),
        RequestBody::Form(fields) => {
            let media = json!({
                "schema": schema::object(fields, schema::Use::Request),
                "example": schema::example(fields),
            });
            let content = json!({
                "application/x-www-form-urlencoded": media, "application/json": media,
            });
            return Some(json!({ "required": true, "content": content }));
        }
        RequestBody::Events(fields) => {
            let list = json!({
                "type": "array",
                "items": schema::object(fields, schema::Use::Request),
                "maxItems": limits::EVENTS_PER_REQUEST,
            });
            let object = json!({
                "type": "object", "properties": { "events": list }, "required": ["events"],
            });
            (
                "application/json",
                json!({ "oneOf": [object, list] }),
                json!({ "events": [schema::example(fields)] }),
            )
        }
        RequestBody::Anything => return Some(json!({ "content": { "*/*": {} } })),
    };
    let media = json!({ "schema": schema, "example": example });
    let is_required = true;
    Some(json!({ "required": is_required, "content": { content_type: media } }))
}

fn responses(api: &Api, route: &Route) -> Value {
    let mut responses = BTreeMap::new();
    let mut failures: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in route.possible_errors() {
        let codes = failures.entry(failure::status(api, code)).or_default();
        codes.push(code);
    }
    for (status, codes) in failures {
        responses.insert(status, failure::reference(api, status, &codes));
    }
    for spec in route.responses {
        responses.insert(spec.status, success(spec));
    }
    let named = responses.into_iter();
    Value::Object(named.map(|(status, it)| (status.to_string(), it)).collect())
}

fn success(spec: &ResponseSpec) -> Value {
    let mut sent = vec!["X-Request-Id"];
    if spec.secret {
        sent.push("Cache-Control");
    }
    if spec.entity_tag != EntityTag::Absent {
        sent.push("ETag");
    }
    let content = match spec.body {
        BodySchema::Empty => None,
        BodySchema::Json(fields) => {
            let schema = schema::object(fields, schema::Use::Response);
            let media = json!({ "schema": schema, "example": schema::example(fields) });
            Some(json!({ "application/json": media }))
        }
        BodySchema::List(fields) => {
            let items = schema::object(fields, schema::Use::Response);
            let media = json!({
                "schema": { "type": "array", "items": items },
                "example": [schema::example(fields)],
            });
            Some(json!({ "application/json": media }))
        }
        BodySchema::Any => Some(json!({ "application/json": {} })),
        BodySchema::Text => Some(json!({
            "text/plain; charset=utf-8": { "schema": { "type": "string" } }
        })),
        BodySchema::File(types) | BodySchema::Stream(types) => {
            let types = types.iter().map(|it| ((*it).to_owned(), json!({})));
            Some(Value::Object(types.collect()))
        }
    };
    let mut answer = json!({ "description": spec.about, "headers": header::references(&sent) });
    if let (Value::Object(answer), Some(content)) = (&mut answer, content) {
        answer.insert("content".into(), content);
    }
    answer
}
