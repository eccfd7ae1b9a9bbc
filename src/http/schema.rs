//! Tables of the fields of JSON bodies. Two macros make such a table and the parsed or serialized
//! type from one definition, so that the documentation always matches the parser.

use serde_json::value::RawValue;

use crate::model::Secret;

/// One field of a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// The kind of its value.
    pub kind: JsonKind,
    /// Whether the value is always present.
    pub required: bool,
    /// Whether the value is a secret that must never be shown.
    pub secret: bool,
    /// The format of the value, as JSON Schema names it; none if its type does not say it.
    pub format: Option<&'static str>,
    /// The fields of the object, or of each object of the list; empty if they are not described.
    pub inner: &'static [Field],
    /// The kind of each item of the list, or of each value of an object with any keys; none if it
    /// is not described.
    pub items: Option<JsonKind>,
    /// The words that the text, or each text of the list, may be; empty if it may be any.
    pub words: &'static [&'static str],
}

impl Field {
    /// A field that is always present.
    pub const fn required(name: &'static str, kind: JsonKind) -> Field {
        Field {
            name,
            kind,
            required: true,
            secret: false,
            format: None,
            inner: &[],
            items: None,
            words: &[],
        }
    }

    /// A list of objects with these fields, always present.
    pub const fn list(name: &'static str, inner: &'static [Field]) -> Field {
        Field {
            inner,
            items: Some(JsonKind::Object),
            ..Field::required(name, JsonKind::List)
        }
    }

    /// An object with these fields, always present.
    pub const fn object(name: &'static str, inner: &'static [Field]) -> Field {
        Field {
            inner,
            ..Field::required(name, JsonKind::Object)
        }
    }

    /// A text that is one of these words, always present.
    pub const fn one_of(name: &'static str, words: &'static [&'static str]) -> Field {
        Field {
            words,
            ..Field::required(name, JsonKind::Text)
        }
    }

    /// A field that may be missing or null.
    pub const fn optional(name: &'static str, kind: JsonKind) -> Field {
        Field {
            required: false,
            ..Field::required(name, kind)
        }
    }
}

/// The kinds of JSON values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// A string.
    Text,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// A list.
    List,
    /// An object.
    Object,
}

/// A Rust type that represents a JSON value in a table of fields.
pub trait JsonType {
    /// The kind of the value.
    const KIND: JsonKind;
    /// Whether the value is always present.
    const REQUIRED: bool = true;
    /// Whether the value is a secret that must never be shown.
    const SECRET: bool = false;
    /// The format of the value, as JSON Schema names it.
    const FORMAT: Option<&'static str> = None;
    /// The fields of an object, or of each object of a list.
    const INNER: &'static [Field] = &[];
    /// The kind of each item of a list, or of each value of an object with any keys.
    const ITEMS: Option<JsonKind> = None;
    /// The words that a text, or each text of a list, may be.
    const WORDS: &'static [&'static str] = &[];
}

macro_rules! wire {
    ($($kind:ident $($format:literal)?: $($type:ty),+;)+) => {
        $(wire!(@format $kind [$($format)?] $($type),+);)+
    };
    (@format $kind:ident [] $($type:ty),+) => {
        $(impl JsonType for $type { const KIND: JsonKind = JsonKind::$kind; })+
    };
    (@format $kind:ident [$format:literal] $($type:ty),+) => {
        $(impl JsonType for $type {
            const KIND: JsonKind = JsonKind::$kind;
            const FORMAT: Option<&'static str> = Some($format);
        })+
    };
}

wire! {
    Text: String, &str, std::borrow::Cow<'_, str>, std::net::IpAddr;
    Text "uuid": uuid::Uuid, crate::model::UserId, crate::model::TokenId;
    Number: u64, u32, usize;
    Number "int64": i64, crate::model::Timestamp;
    Number "int32": i32;
    Flag: bool;
    Object: Box<RawValue>, &RawValue;
}

impl JsonType for Secret {
    const KIND: JsonKind = JsonKind::Text;
    const SECRET: bool = true;
}

impl<T: JsonType> JsonType for Option<T> {
    const KIND: JsonKind = T::KIND;
    const REQUIRED: bool = false;
    const SECRET: bool = T::SECRET;
    const FORMAT: Option<&'static str> = T::FORMAT;
    const INNER: &'static [Field] = T::INNER;
    const ITEMS: Option<JsonKind> = T::ITEMS;
    const WORDS: &'static [&'static str] = T::WORDS;
}

impl<T: JsonType> JsonType for Vec<T> {
    const KIND: JsonKind = JsonKind::List;
    const INNER: &'static [Field] = T::INNER;
    const ITEMS: Option<JsonKind> = Some(T::KIND);
    const WORDS: &'static [&'static str] = T::WORDS;
}

/// Defines the struct unchanged, and its table of fields as the constant `FIELDS`.
macro_rules! with_schema {
    (
        $(#[$about:meta])*
        $vis:vis struct $name:ident $(<$life:lifetime>)? {
            $( $(#[$note:meta])* $field_vis:vis $field:ident : $type:ty ),* $(,)?
        }
    ) => {
        $(#[$about])*
        $vis struct $name $(<$life>)? {
            $( $(#[$note])* $field_vis $field: $type, )*
        }

        impl $(<$life>)? $name $(<$life>)? {
            /// Its fields, as a table.
            pub(crate) const FIELDS: &'static [$crate::http::Field] = &[
                $( $crate::http::Field {
                    name: stringify!($field),
                    kind: <$type as $crate::http::JsonType>::KIND,
                    required: <$type as $crate::http::JsonType>::REQUIRED,
                    secret: <$type as $crate::http::JsonType>::SECRET,
                    format: <$type as $crate::http::JsonType>::FORMAT,
                    inner: <$type as $crate::http::JsonType>::INNER,
                    items: <$type as $crate::http::JsonType>::ITEMS,
                    words: <$type as $crate::http::JsonType>::WORDS,
                }, )*
            ];
        }

        impl $(<$life>)? $crate::http::JsonType for $name $(<$life>)? {
            const KIND: $crate::http::JsonKind = $crate::http::JsonKind::Object;
            const INNER: &'static [$crate::http::Field] = Self::FIELDS;
        }
    };
}

/// Defines a request body: a type that is parsed from JSON, and its `FIELDS`. A field that may be
/// missing is an `Option`; attributes such as `#[serde(alias = "…")]` are passed on.
macro_rules! json_request {
    ($(#[$about:meta])* $vis:vis struct $($rest:tt)+) => {
        $crate::http::with_schema! { $(#[$about])* #[derive(serde::Deserialize)] $vis struct $($rest)+ }
    };
}

/// Defines a response body: a type that is serialized to JSON, and its `FIELDS`.
macro_rules! json_response {
    ($(#[$about:meta])* $vis:vis struct $($rest:tt)+) => {
        $crate::http::with_schema! { $(#[$about])* #[derive(serde::Serialize)] $vis struct $($rest)+ }
    };
}

pub(crate) use {json_request, json_response, with_schema};

#[cfg(test)]
mod tests {
    use super::*;

    json_request! {
        /// A request body.
        struct Renewal<'a> {
            /// The code.
            #[serde(alias = "renewal")]
            renewal_code: Secret,
            /// A note.
            note: Option<&'a str>,
        }
    }

    #[test]
    fn one_definition_gives_the_parser_and_the_table() {
        let read: Renewal = serde_json::from_str(r#"{"renewal":"r"}"#).unwrap();
        assert_eq!((read.renewal_code.reveal(), read.note), ("r", None));
        let expected = [("renewal_code", true, true), ("note", false, false)];
        let table = Renewal::FIELDS
            .iter()
            .map(|it| (it.name, it.required, it.secret));
        assert!(table.eq(expected));
        assert!(Renewal::FIELDS.iter().all(|it| it.kind == JsonKind::Text));
    }
}
