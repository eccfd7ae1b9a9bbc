//! Fields of JSON bodies, as a table, and two macros that make such a table and the type that is
//! read or written from one definition: what is documented is what is parsed.

use serde_json::value::RawValue;

use crate::model::Secret;

/// One field of a JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its key.
    pub name: &'static str,
    /// What its value is.
    pub kind: JsonKind,
    /// Whether it is always there.
    pub required: bool,
    /// Whether it must never be shown.
    pub secret: bool,
}

impl Field {
    /// A field that is always there.
    pub const fn required(name: &'static str, kind: JsonKind) -> Field {
        Field {
            name,
            kind,
            required: true,
            secret: false,
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

/// A Rust type that stands for a JSON value in a table of fields.
pub trait JsonType {
    /// What the value is.
    const KIND: JsonKind;
    /// Whether it is always there.
    const REQUIRED: bool = true;
    /// Whether it must never be shown.
    const SECRET: bool = false;
}

macro_rules! wire {
    ($($kind:ident: $($type:ty),+;)+) => {
        $($(impl JsonType for $type { const KIND: JsonKind = JsonKind::$kind; })+)+
    };
}

wire! {
    Text: String, &str, std::borrow::Cow<'_, str>, uuid::Uuid, crate::model::UserId, crate::model::TokenId,
        std::net::IpAddr;
    Number: i64, u64, i32, u32, usize, crate::model::Timestamp;
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
}

impl<T> JsonType for Vec<T> {
    const KIND: JsonKind = JsonKind::List;
}

/// The struct as it stands, and its table as the constant `FIELDS`.
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
                }, )*
            ];
        }

        // A type inside another may have a table that no route names.
        const _: &[$crate::http::Field] = $name::FIELDS;
    };
}

/// Defines what a request says: a type that is read from JSON, and its `FIELDS`. A field that may
/// be missing is an `Option`; attributes such as `#[serde(alias = "…")]` are passed on.
macro_rules! json_request {
    ($(#[$about:meta])* $vis:vis struct $($rest:tt)+) => {
        $crate::http::with_schema! { $(#[$about])* #[derive(serde::Deserialize)] $vis struct $($rest)+ }
    };
}

/// Defines what an answer says: a type that is written as JSON, and its `FIELDS`.
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
        /// What is asked.
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
