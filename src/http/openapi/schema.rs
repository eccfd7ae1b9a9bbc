//! Tables of fields as JSON Schema, with examples.

use serde_json::{Map, Value, json};

use super::super::{Field, JsonKind};
use super::vocabulary;

/// Where an object is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// In a request, whose texts have limits.
    Request,
    /// In an answer.
    Response,
}

/// The schema of an object with these fields.
pub(super) fn object(fields: &[Field], used: Use) -> Value {
    let mut properties = Map::new();
    for field in fields {
        properties.insert(field.name.to_owned(), value(field, used));
    }
    let required: Vec<&str> = fields
        .iter()
        .filter(|it| it.required)
        .map(|it| it.name)
        .collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn value(field: &Field, used: Use) -> Value {
    let mut schema = Map::new();
    let kind = match field.kind {
        JsonKind::Text => "string",
        JsonKind::Number => "integer",
        JsonKind::Flag => "boolean",
        JsonKind::List => "array",
        JsonKind::Object => "object",
    };
    let kind = if field.required {
        json!(kind)
    } else {
        json!([kind, "null"])
    };
    schema.insert("type".into(), kind);
    if let Some(format) = field.format {
        schema.insert("format".into(), format.into());
    }
    if field.secret && used == Use::Request && field.kind == JsonKind::Text {
        schema.insert("writeOnly".into(), true.into());
    }
    match field.kind {
        JsonKind::List if !field.inner.is_empty() => {
            schema.insert("items".into(), object(field.inner, used));
        }
        JsonKind::Object => {
            if let Value::Object(inner) = object(field.inner, used) {
                let described = inner.into_iter().filter(|_| !field.inner.is_empty());
                let described: Vec<_> = described.filter(|(key, _)| key != "type").collect();
                schema.extend(described);
            }
        }
        JsonKind::Text => {
            let known = vocabulary::find(field.name);
            let most = known.and_then(vocabulary::Known::most_chars);
            if let Some(most) = most.filter(|_| used == Use::Request) {
                schema.insert("maxLength".into(), most.into());
            }
        }
        _ => {}
    }
    schema.into()
}

/// An example of an object with these fields.
pub(super) fn example(fields: &[Field]) -> Value {
    let values = fields
        .iter()
        .map(|field| (field.name.to_owned(), example_of(field)));
    Value::Object(values.collect())
}

fn example_of(field: &Field) -> Value {
    match field.kind {
        JsonKind::Text if field.format == Some("uuid") => vocabulary::ID.into(),
        JsonKind::Text => {
            let known = vocabulary::find(field.name);
            known.map_or("text", |known| known.example).into()
        }
        JsonKind::Number => json!(1),
        JsonKind::Flag => json!(true),
        JsonKind::List if field.inner.is_empty() => json!([]),
        JsonKind::List => json!([example(field.inner)]),
        JsonKind::Object => example(field.inner),
    }
}
