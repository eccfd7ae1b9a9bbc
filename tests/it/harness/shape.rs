//! The shapes of errors and answers, as the APIs document them. They are written a second time on
//! purpose: the server's tables declare what it answers, this file what its clients read.

use doorward::http::{Field, JsonKind};
use serde_json::{Map, Value};

/// The error shape of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `{"result":"Error","reason":"…"}`
    Angen,
    /// Plain text.
    Text,
    /// `{"message":"…"}`
    Message,
    /// `{"code":"…","message":"…"}`
    CodeAndMessage,
    /// `{"error":"…"}` or `{"errors":["…"]}`
    Error,
    /// `{"error":{"code":"…","message":"…","field":"…"}}`; `field` is optional.
    Fault,
}

impl Shape {
    /// The error shape of the API with this name.
    pub(crate) fn of_api(name: &str) -> Shape {
        match name {
            "angen" => Shape::Angen,
            "token" => Shape::Text,
            "hub" => Shape::Message,
            "ephemeride" => Shape::CodeAndMessage,
            "core" | "ops" => Shape::Error,
            "admin" => Shape::Fault,
            other => panic!("the error shape of {other} is not known here"),
        }
    }

    /// Fails with a description if an error body does not have this shape.
    pub(crate) fn check(self, content_type: Option<&str>, body: &str) -> Result<(), String> {
        let is_text = self == Shape::Text;
        let expected = if is_text {
            "text/plain; charset=utf-8"
        } else {
            "application/json"
        };
        if content_type != Some(expected) {
            return Err(format!("content type {content_type:?}, not {expected}"));
        }
        if is_text {
            return if body.trim().is_empty() {
                Err("no reason".into())
            } else {
                Ok(())
            };
        }
        let json: Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
        let object = json.as_object().ok_or("no object")?;
        let says = |key: &str| {
            object
                .get(key)
                .and_then(Value::as_str)
                .is_some_and(|it| !it.is_empty())
        };
        let keys = |allowed: &[&str]| object.keys().all(|key| allowed.contains(&key.as_str()));
        let fits = match self {
            Shape::Angen => {
                object.get("result").and_then(Value::as_str) == Some("Error")
                    && says("reason")
                    && keys(&["result", "reason", "detail"])
            }
            Shape::Message => says("message") && keys(&["message"]),
            Shape::CodeAndMessage => says("code") && says("message") && keys(&["code", "message"]),
            Shape::Error => {
                let errors = object.get("errors").and_then(Value::as_array);
                let texts =
                    errors.is_some_and(|it| !it.is_empty() && it.iter().all(Value::is_string));
                object.len() == 1 && (says("error") || texts)
            }
            Shape::Fault => {
                let fault = object.get("error").and_then(Value::as_object);
                let known = ["code", "message", "field"];
                object.len() == 1
                    && fault.is_some_and(|it| {
                        it.contains_key("code")
                            && it.contains_key("message")
                            && it.iter().all(|(key, value)| {
                                known.contains(&key.as_str())
                                    && value.as_str().is_some_and(|it| !it.is_empty())
                            })
                    })
            }
            Shape::Text => true,
        };
        if fits {
            Ok(())
        } else {
            Err(format!("not in the shape {self:?}"))
        }
    }
}

/// Fails with a description if an object has another field than these, lacks a required one, or has
/// one of the wrong kind.
pub(crate) fn check_fields(object: &Map<String, Value>, fields: &[Field]) -> Result<(), String> {
    for key in object.keys() {
        if !fields.iter().any(|field| field.name == key) {
            return Err(format!("`{key}` is not declared"));
        }
    }
    for field in fields {
        match object.get(field.name) {
            None | Some(Value::Null) if field.required => {
                return Err(format!("`{}` is missing", field.name));
            }
            None | Some(Value::Null) => {}
            Some(value) if !is_of(field.kind, value) => {
                return Err(format!("`{}` is no {:?}", field.name, field.kind));
            }
            Some(value) => check_inner(field, value)
                .map_err(|wrong| format!("in `{}`: {wrong}", field.name))?,
        }
    }
    Ok(())
}

/// Checks the object of a field, or each object of its list, against the fields declared for it.
fn check_inner(field: &Field, value: &Value) -> Result<(), String> {
    if field.format == Some("uuid") && value.as_str().is_none_or(|it| it.len() != 36) {
        return Err(format!("{value} is no UUID"));
    }
    check_items(field, value)?;
    if field.inner.is_empty() {
        return Ok(());
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| {
            let object = item.as_object().ok_or("an item is no object")?;
            check_fields(object, field.inner)
        }),
        Value::Object(object) => check_fields(object, field.inner),
        _ => Ok(()),
    }
}

/// Checks a text, or each item of a list, against the words and the kind declared for it.
fn check_items(field: &Field, value: &Value) -> Result<(), String> {
    let items: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(object) if field.items.is_some() => object.values().collect(),
        Value::String(_) => vec![value],
        _ => Vec::new(),
    };
    let kind = field.items.unwrap_or(field.kind);
    for item in items {
        if !is_of(kind, item) {
            return Err(format!("{item} is no {kind:?}"));
        }
        let is_free = field.words.is_empty();
        if !is_free && item.as_str().is_none_or(|it| !field.words.contains(&it)) {
            return Err(format!("{item} is none of {:?}", field.words));
        }
    }
    Ok(())
}

fn is_of(kind: JsonKind, value: &Value) -> bool {
    match kind {
        JsonKind::Text => value.is_string(),
        JsonKind::Number => value.is_i64() || value.is_u64(),
        JsonKind::Flag => value.is_boolean(),
        JsonKind::List => value.is_array(),
        JsonKind::Object => value.is_object(),
    }
}
