//! Reads JSON bodies as the types of the handlers, and says in plain words what does not fit.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Error, json};
use crate::model::Invalid;

/// Reads a JSON object as `T`. Rejects a list: serde would otherwise read a struct from a list,
/// field by field.
pub fn read_object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    refuse_byte_order_mark(body)?;
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Error::invalid("The body must be a JSON object"));
    }
    read(body)
}

/// Reads any JSON value as `T`. Errors (400) name the wrong field.
pub fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    json::scan(body).map_err(|fault| refused(&fault))?;
    read_scanning(body)
}

fn refused(fault: &json::Fault) -> Error {
    Error::invalid(format!("The body is refused: {fault}"))
}

/// As `read`, for a `T` whose `Deserialize` rejects duplicate keys and deep nesting itself. This
/// saves a pass over large bodies.
pub fn read_scanning<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Error> {
    refuse_byte_order_mark(body)?;
    // Checking the whole body for UTF-8 once spares serde a check of each string.
    let text = str::from_utf8(body).map_err(|_| Error::invalid("The body is not UTF-8"))?;
    serde_json::from_str(text).map_err(|error| explain(body, &error, path_of_fault::<T>))
}

/// RFC 8259, 8.1: JSON is UTF-8 without a byte order mark. Some editors and shells add one that
/// nobody sees, so the error names it.
fn refuse_byte_order_mark(body: &[u8]) -> Result<(), Error> {
    const MARKS: [&[u8]; 3] = [b"\xEF\xBB\xBF", b"\xFE\xFF", b"\xFF\xFE"];
    if MARKS.iter().any(|mark| body.starts_with(mark)) {
        let why = "The body begins with a byte order mark: JSON is UTF-8 without one";
        return Err(Error::invalid(why));
    }
    Ok(())
}

/// Parses again to find the field that failed.
fn path_of_fault<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<String> {
    let mut again = serde_json::Deserializer::from_slice(body);
    let located = serde_path_to_error::deserialize::<_, T>(&mut again).err()?;
    Some(located.path().to_string())
}

/// Says what is wrong with a body. The message never repeats values from it: they may be secrets.
/// `path_of_fault` finds the field; it is all that depends on the type that is read, so that this
/// function is in the program once.
fn explain<'a>(
    body: &'a [u8],
    error: &serde_json::Error,
    path_of_fault: fn(&'a [u8]) -> Option<String>,
) -> Error {
    let located = error.is_data().then(|| path_of_fault(body)).flatten();
    let Some(path) = located else {
        // serde_json takes half of a surrogate pair for a fault of syntax; a scan says where.
        return match json::scan(body) {
            Err(fault @ json::Fault::LoneSurrogate(_)) => refused(&fault),
            _ => Error::invalid(format!("The body is not JSON: {error}")),
        };
    };
    let text = error.to_string();
    let text = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(text, _)| text);
    // The path "." is the whole body, which has no field name.
    let path = if path == "." { String::new() } else { path };
    let (path, why) = if let Some(field) = quoted_after(text, "missing field `") {
        (join(&path, field), Cow::Borrowed("is missing"))
    } else if let Some(field) = quoted_after(text, "duplicate field `") {
        (join(&path, field), "is there twice".into())
    } else if let Some((_, expected)) = text.split_once(", expected ") {
        (path, format!("must be {}", in_words(expected)).into())
    } else {
        (path, text.into())
    };
    if path.is_empty() {
        Error::invalid(why.into_owned())
    } else {
        Invalid::new(path, why).into()
    }
}

fn quoted_after<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.strip_prefix(start)?.strip_suffix('`')
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

/// Translates the type name in a serde message into plain words.
fn in_words(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "i64" | "u64" | "i32" | "u32" | "usize" => "a whole number",
        "a borrowed string" => "a string",
        text if text.starts_with("struct ") => "an object",
        text => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::json_request;

    json_request! {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only its reading is tested")]
        struct Outer {
            password: String,
            #[serde(alias = "amount")]
            count: Option<u64>,
            items: Option<Vec<Inner>>,
        }
    }

    json_request! {
        #[derive(Debug)]
        #[expect(dead_code, reason = "only its reading is tested")]
        struct Inner {
            name: String,
        }
    }

    fn complaint(body: &str) -> String {
        read_object::<Outer>(body.as_bytes())
            .unwrap_err()
            .message()
            .to_owned()
    }

    #[test]
    fn a_complaint_names_the_field_and_repeats_nothing() {
        for (body, expected) in [
            ("{}", "password: is missing"),
            (r#"{"password":1234}"#, "password: must be a string"),
            (
                r#"{"password":"p","count":"p"}"#,
                "count: must be a whole number",
            ),
            (
                r#"{"password":"p","count":1,"amount":2}"#,
                "count: is there twice",
            ),
            (r#"{"password":"p","items":7}"#, "items: must be a list"),
            (
                r#"{"password":"p","items":[{"name":"x"},{}]}"#,
                "items[1].name: is missing",
            ),
            (
                r#"{"password":"p","items":[7]}"#,
                "items[0]: must be an object",
            ),
            (r#"["p"]"#, "The body must be a JSON object"),
            ("", "The body must be a JSON object"),
            (
                r#"{"x":1,"x":2}"#,
                "The body is refused: the key `x` is there twice",
            ),
            (
                "\u{feff}{\"password\":\"p\"}",
                "The body begins with a byte order mark: JSON is UTF-8 without one",
            ),
        ] {
            assert_eq!(complaint(body), expected, "{body}");
        }
        assert!(complaint(r#"{"password":"p"} x"#).starts_with("The body is not JSON: trailing"));
        assert!(
            complaint(r#"{"password":"p",}"#).starts_with("The body is not JSON: trailing comma")
        );
        assert!(complaint("{").starts_with("The body is not JSON: EOF"));
    }
}
