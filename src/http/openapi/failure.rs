//! The errors of each API in the OpenAPI document. Their shapes are read off errors that the API's
//! renderer has made, so that nobody has to write them down.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::{Api, Error, ErrorCode, RenderedError, Route};
use super::header;
use crate::model::Invalid;

/// The name of the schema of an API's errors.
fn schema_name(api: &Api) -> String {
    format!("{}_error", api.name)
}

/// The name of the answer of an API with this status.
fn response_name(api: &Api, status: u16) -> String {
    format!("{}_{status}", api.name)
}

/// A reference to the answer of a route with one of its errors.
pub(super) fn reference(api: &Api, status: u16, codes: &[ErrorCode]) -> Value {
    let messages: BTreeSet<&str> = codes.iter().map(|code| code.message()).collect();
    let messages: Vec<&str> = messages.into_iter().collect();
    let name = response_name(api, status);
    json!({
        "$ref": format!("#/components/responses/{name}"),
        "description": messages.join("; "),
    })
}

/// The status with which an API answers an error.
pub(super) fn status(api: &Api, code: ErrorCode) -> u16 {
    (api.render_error)(&sample(code)).status.as_u16()
}

/// An error of this code as it usually is.
fn sample(code: ErrorCode) -> Error {
    match code {
        ErrorCode::Unprocessable => Error::unprocessable(vec![
            "Password confirmation doesn't match Password".to_owned(),
        ]),
        code => Error::new(code),
    }
}

fn body(rendered: &RenderedError) -> Value {
    serde_json::from_slice(&rendered.body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&rendered.body).into_owned()))
}

/// The answers of all APIs with an error, one for each status.
pub(super) fn responses(apis: &[&Api]) -> Value {
    let mut responses = Map::new();
    for api in apis {
        let routes = api.routes.iter();
        for code in routes.flat_map(Route::possible_errors) {
            let rendered = (api.render_error)(&sample(code));
            responses
                .entry(response_name(api, rendered.status.as_u16()))
                .or_insert_with(|| response(api, &rendered));
        }
    }
    responses.into()
}

fn response(api: &Api, rendered: &RenderedError) -> Value {
    let status = rendered.status.as_u16();
    let mut headers = vec!["X-Request-Id"];
    match status {
        401 => headers.push("WWW-Authenticate"),
        429 | 503 => headers.push("Retry-After"),
        _ => {}
    }
    let media = json!({
        "schema": { "$ref": format!("#/components/schemas/{}", schema_name(api)) },
        "example": body(rendered),
    });
    let reason = rendered.status.canonical_reason().unwrap_or("An error");
    json!({
        "description": reason,
        "headers": header::references(&headers),
        "content": { rendered.content_type: media },
    })
}

/// The schemas of the errors of all APIs.
pub(super) fn schemas(apis: &[&Api]) -> Value {
    let mut schemas = Map::new();
    for api in apis {
        let errors = [
            Error::new(ErrorCode::BadToken),
            Invalid::new("name", "is too long").into(),
            Error::invalid("is too long").in_phrase("Bad parameters"),
            sample(ErrorCode::Unprocessable),
        ];
        let bodies: Vec<Value> = errors
            .iter()
            .map(|error| body(&(api.render_error)(error)))
            .collect();
        schemas.insert(schema_name(api), shape(&bodies));
    }
    schemas.into()
}

/// A schema that all these values fit: a key that each of them has is required.
fn shape(samples: &[Value]) -> Value {
    let objects: Vec<&Map<String, Value>> = samples.iter().filter_map(Value::as_object).collect();
    if objects.is_empty() {
        return match samples.first() {
            Some(Value::Array(_)) => json!({ "type": "array", "items": { "type": "string" } }),
            _ => json!({ "type": "string" }),
        };
    }
    let keys: BTreeSet<&String> = objects.iter().flat_map(|it| it.keys()).collect();
    let mut properties = Map::new();
    for &key in &keys {
        let values: Vec<Value> = objects
            .iter()
            .filter_map(|it| it.get(key))
            .cloned()
            .collect();
        properties.insert(key.clone(), shape(&values));
    }
    let everywhere = |key: &&&String| objects.iter().all(|it| it.contains_key(key.as_str()));
    let required: Vec<&&String> = keys.iter().filter(everywhere).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}
