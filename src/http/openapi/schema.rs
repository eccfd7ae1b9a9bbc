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

fn type_name(kind: JsonKind) -> &'static str {
    match kind {
        JsonKind::Text => "string",
        JsonKind::Number => "integer",
        JsonKind::Flag => "boolean",
        JsonKind::List => "array",
        JsonKind::Object => "object",
    }
}

fn value(field: &Field, used: Use) -> Value {
    let mut schema = Map::new();
    let kind = type_name(field.kind);
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
        JsonKind::List => {
            if let Some(items) = items(field, used) {
                schema.insert("items".into(), items);
            }
        }
        JsonKind::Object if field.items.is_some() => {
            let values = items(field, used);
            schema.insert("additionalProperties".into(), values.into());
        }
        JsonKind::Object => {
            if let Value::Object(inner) = object(field.inner, used) {
                let described = inner.into_iter().filter(|_| !field.inner.is_empty());
                let described: Vec<_> = described.filter(|(key, _)| key != "type").collect();
                schema.extend(described);
            }
        }
        JsonKind::Text if !field.words.is_empty() => {
            let mut words: Vec<Value> = field.words.iter().map(|it| json!(it)).collect();
            words.extend((!field.required).then_some(Value::Null));
            schema.insert("enum".into(), words.into());
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

/// The schema of each item of a list, or of each value of an object with any keys.
fn items(field: &Field, used: Use) -> Option<Value> {
    let item = Field {
        kind: field.items?,
        required: true,
        items: None,
        ..*field
    };
    Some(value(&item, used))
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
        JsonKind::Text if !field.words.is_empty() => field.words.first().copied().into(),
        JsonKind::Text => {
            let known = vocabulary::find(field.name);
            known.map_or("text", |known| known.example).into()
        }
        JsonKind::Number => {
            let known = vocabulary::find(field.name);
            known
                .and_then(|it| it.example.parse::<u32>().ok())
                .map_or(json!(1), Value::from)
        }
        JsonKind::Flag => json!(true),
        JsonKind::List => {
            let is_known = !field.inner.is_empty()
                || !field.words.is_empty()
                || vocabulary::find(field.name).is_some();
            let item = field.items.filter(|_| is_known);
            let item = item.map(|kind| Field {
                kind,
                items: None,
                ..*field
            });
            item.iter().map(example_of).collect()
        }
        JsonKind::Object => example(field.inner),
    }
}
