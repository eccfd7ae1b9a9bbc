//! Reads the query string of a request once, as strictly as a JSON body: each known parameter at
//! most once, with a value, properly encoded (`application/x-www-form-urlencoded` in UTF-8).

use std::borrow::Cow;

use crate::model::Invalid;

/// The most characters of an unknown name that an error repeats.
const SHOWN_CHARS: usize = 64;

/// The query parameters that a route knows. Each may come once, with a value.
#[derive(Debug, Clone, Copy)]
pub enum RequestQuery {
    /// These; others are ignored, as unknown JSON keys are.
    Open(&'static [&'static str]),
    /// Only these: any other is an error, because a misspelled filter would select more than was
    /// meant.
    Closed(&'static [&'static str]),
}

impl RequestQuery {
    /// No parameters; those that arrive are ignored.
    pub const NONE: RequestQuery = RequestQuery::Open(&[]);

    /// The names of the known parameters.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            RequestQuery::Open(names) | RequestQuery::Closed(names) => names,
        }
    }

    /// Whether other parameters are ignored.
    pub fn ignores_others(self) -> bool {
        matches!(self, RequestQuery::Open(_))
    }
}

/// The known parameters of a request, decoded. A value is never empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryString(Vec<(&'static str, String)>);

impl QueryString {
    /// Reads `text`, the part of the URI after the `?`. The error names the first parameter that is
    /// there twice, empty, badly encoded, or unknown where that is refused.
    pub fn parse(text: &str, expected: RequestQuery) -> Result<QueryString, Invalid> {
        let mut query = QueryString::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = decode(name).ok();
            let mut names = expected.names().iter();
            match names.find(|known| decoded.as_deref() == Some(**known)) {
                Some(known) => query.add(known, value)?,
                None if expected.ignores_others() => {}
                None => return Err(unknown(name, expected.names())),
            }
        }
        Ok(query)
    }

    /// The value of `name`, if the request has this parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(known, _)| *known == name)?;
        Some(value)
    }

    fn add(&mut self, name: &'static str, value: &str) -> Result<(), Invalid> {
        if self.get(name).is_some() {
            return Err(Invalid::new(name, "is there twice"));
        }
        // An empty value is probably a variable that was not set. To treat it as absent would
        // select, or remove, more than was meant.
        if value.is_empty() {
            return Err(Invalid::new(name, "must not be empty"));
        }
        let value = decode(value).map_err(|why| Invalid::new(name, why))?;
        self.0.push((name, value.into_owned()));
        Ok(())
    }
}

fn unknown(name: &str, known: &[&str]) -> Invalid {
    let shown: String = name.chars().take(SHOWN_CHARS).collect();
    let why = match known {
        [] => "is unknown: this endpoint has no parameters".to_owned(),
        known => format!("is unknown; the parameters are {}", known.join(", ")),
    };
    Invalid::new(shown, why)
}

/// Decodes a name or a value: `+` is a space, `%41` is the byte 0x41.
fn decode(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if !text.contains(['+', '%']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => match (hex_digit(rest.next()), hex_digit(rest.next())) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Err("has a % without two hexadecimal digits after it"),
            },
            byte => byte,
        });
    }
    let decoded = String::from_utf8(bytes).map_err(|_| "is not UTF-8")?;
    Ok(Cow::Owned(decoded))
}

fn hex_digit(byte: Option<u8>) -> Option<u8> {
    let digit = char::from(byte?).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["a", "b c", "d"];

    fn fault(text: &str, expected: RequestQuery) -> String {
        QueryString::parse(text, expected).unwrap_err().to_string()
    }

    #[test]
    fn values_are_decoded_and_found_by_name() {
        let text = "a=1&b+c=x+y%26=%C3%A4&&%64=%2b";
        let query = QueryString::parse(text, RequestQuery::Closed(NAMES)).unwrap();
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.get("b c"), Some("x y&=ä"));
        assert_eq!(query.get("d"), Some("+"));
        assert_eq!(query.get("e"), None);
    }

    #[test]
    fn a_known_parameter_is_there_once_with_a_value_that_is_text() {
        for expected in [RequestQuery::Open(NAMES), RequestQuery::Closed(NAMES)] {
            for (text, why) in [
                ("a=1&a=1", "a: is there twice"),
                ("b+c=1&d=2&b%20c=2", "b c: is there twice"),
                ("a", "a: must not be empty"),
                ("d=1&a=", "a: must not be empty"),
                ("a=%", "a: has a % without"),
                ("a=100%&d=1", "a: has a % without"),
                ("a=%4", "a: has a % without"),
                ("a=%+1", "a: has a % without"),
                ("a=%zz", "a: has a % without"),
                ("a=%ff", "a: is not UTF-8"),
                ("a=%ED%A0%80", "a: is not UTF-8"),
            ] {
                assert!(fault(text, expected).starts_with(why), "{text}");
            }
        }
    }

    #[test]
    fn an_unknown_parameter_is_ignored_or_refused_with_its_name() {
        for name in ["e", "A", "a%", "%ff", "a%00", ""] {
            let text = format!("a=1&{name}=%zz&{name}=");
            let ignored = QueryString::parse(&text, RequestQuery::Open(NAMES)).unwrap();
            assert_eq!(ignored, QueryString(vec![("a", "1".to_owned())]));
            let refused = fault(&text, RequestQuery::Closed(NAMES));
            let expected = format!("{name}: is unknown; the parameters are a, b c, d");
            assert_eq!(refused, expected);
        }
        let refused = fault("x=1", RequestQuery::Closed(&[]));
        assert_eq!(refused, "x: is unknown: this endpoint has no parameters");
        let long = fault(&"ä".repeat(9_000), RequestQuery::Closed(&[]));
        assert!(long.len() < 300, "{long}");
    }
}
