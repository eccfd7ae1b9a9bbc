//! A report of events, as it comes over the wire: borrowed from the body wherever it can be.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::http::{self, Failure, json};

/// An event as it comes, borrowed from the body.
#[derive(Deserialize)]
pub(super) struct WireEvent<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) user_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) details: Option<&'a RawValue>,
}

/// A report: `{"events": […]}`, or the bare list that later clients send.
#[derive(Deserialize)]
struct WireReport<'a> {
    #[serde(borrow)]
    events: Vec<WireEvent<'a>>,
}

/// A `WireReport` and its `WireEvent`s, with nothing in them that we do not know.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainReport<'a> {
    #[serde(borrow)]
    events: Vec<PlainEvent<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainEvent<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
}

impl<'a> From<PlainEvent<'a>> for WireEvent<'a> {
    fn from(
        PlainEvent {
            name,
            user_id,
            details,
        }: PlainEvent<'a>,
    ) -> WireEvent<'a> {
        WireEvent {
            name,
            user_id,
            details,
        }
    }
}

/// Text that is copied only if it has escapes in it: inside of an `Option`, serde copies every `Cow`.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// The events of a report. 400 names the event and the field that does not fit.
pub(super) fn read(body: &[u8]) -> Result<Vec<WireEvent<'_>>, Failure> {
    if let Some(events) = read_plain(body) {
        return Ok(events);
    }
    if body.trim_ascii_start().starts_with(b"[") {
        return http::read(body);
    }
    http::read_object::<WireReport>(body).map(|report| report.events)
}

/// Most reports have no key that we do not know: then serde notices by itself which of them come twice, and only details need
/// a look of their own (in which depth counts from there). None means that the long way, over the whole body, has to say what
/// is right or wrong.
fn read_plain(body: &[u8]) -> Option<Vec<WireEvent<'_>>> {
    // Text that is known to be UTF-8 as a whole is not judged again string by string.
    let text = str::from_utf8(body).ok()?;
    let events: Vec<PlainEvent<'_>> = match text.trim_ascii_start().as_bytes().first()? {
        b'[' => serde_json::from_str(text).ok()?,
        b'{' => serde_json::from_str::<PlainReport<'_>>(text).ok()?.events,
        _ => return None,
    };
    let mut scanner = json::Scanner::default();
    let details = events.iter().filter_map(|event| event.details);
    let fine = details
        .map(RawValue::get)
        .all(|text| scanner.scan(text.as_bytes()).is_ok());
    fine.then(|| events.into_iter().map(WireEvent::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_leaves_every_doubt_to_the_long_way() {
        let deep = format!(
            r#"[{{"name":"a","details":{{"x":{}1{}}}}}]"#,
            "[".repeat(128),
            "]".repeat(128)
        );
        for body in [
            r#"{"events":[{"name":"a","details":{"x":1,"x":2}}]}"#,
            r#"[{"name":"a","details":{"x":{"y":1,"y":2}}}]"#,
            r#"[{"name":"a","name":"b"}]"#,
            r#"[{"name":"a","unknown":1,"unknown":2}]"#,
            r#"{"events":[],"events":[]}"#,
            r#"{"events":[],"x":{"y":1,"y":2}}"#,
            r#"[[{"name":"a"}]]"#,
            "[] []",
            "",
            &deep,
        ] {
            assert!(read_plain(body.as_bytes()).is_none(), "{body}");
            assert!(super::read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(super::read(b"[{\"name\":\"\xff\"}]").is_err());
    }

    #[test]
    fn both_ways_read_the_same() {
        let read = |body: &str| {
            let short = read_plain(body.as_bytes()).is_some();
            let events = super::read(body.as_bytes()).unwrap();
            let [event] = events.as_slice() else {
                panic!("{} events", events.len())
            };
            let user = event.user_id.as_ref().map(|text| text.0.to_string());
            (
                short,
                event.name.to_string(),
                user,
                event.details.map(|it| it.get().to_owned()),
            )
        };
        let said = |short| {
            (
                short,
                "ä".to_owned(),
                Some("u".to_owned()),
                Some(r#"{"x": 1}"#.to_owned()),
            )
        };
        let event = r#"{"name":"\u00e4","user_id":"u","details":{"x": 1}}"#;
        let longer = event.replacen('{', r#"{"unknown":[],"#, 1);
        assert_eq!(read(&format!(r#" {{"events":[{event}]}}"#)), said(true));
        assert_eq!(read(&format!("[{event}]")), said(true));
        assert_eq!(read(&format!(r#"{{"events":[{longer}]}}"#)), said(false));
        assert_eq!(
            read(&format!(r#"{{"x":0,"events":[{event}]}}"#)),
            said(false)
        );
    }
}
