//! Parses a report of events. A report may have 10,000 events, so it is parsed in one pass that
//! borrows from the body where possible. The same pass refuses repeated keys and deep nesting,
//! which serde accepts.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::http::{self, json};
use crate::model::limits;

/// The events of a report. The error (400) names the event and the field that is wrong.
pub(super) fn read(body: &[u8]) -> Result<Vec<WireEvent<'_>>, http::Error> {
    http::read_scanning::<WireReport>(body).map(|report| report.0)
}

/// `{"events": […]}`, or the bare list that later clients send.
struct WireReport<'a>(Vec<WireEvent<'a>>);

/// An event as the client sent it, not checked yet.
pub(super) struct WireEvent<'a> {
    pub(super) id: Option<Cow<'a, str>>,
    pub(super) name: Cow<'a, str>,
    pub(super) user_id: Option<Cow<'a, str>>,
    pub(super) details: Option<&'a RawValue>,
}

/// Text that is copied only if it has escapes in it: serde copies every `Cow`.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for WireReport<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ReportVisitor)
    }
}

struct ReportVisitor;

impl<'de> Visitor<'de> for ReportVisitor {
    type Value = WireReport<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a list of events")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, list: S) -> Result<Self::Value, S::Error> {
        few(list, "events: ").map(WireReport)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut events, mut others) = (None, Others::default());
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "events" => {
                    let Events(list) = map.next_value()?;
                    once(&mut events, "events", list)?;
                }
                _ => others.pass(key, &mut map)?,
            }
        }
        events
            .map(WireReport)
            .ok_or_else(|| M::Error::missing_field("events"))
    }
}

/// A list of at most `EVENTS_PER_REQUEST` events.
struct Events<'a>(Vec<WireEvent<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Events<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_seq(EventsVisitor)
    }
}

struct EventsVisitor;

impl<'de> Visitor<'de> for EventsVisitor {
    type Value = Events<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, list: S) -> Result<Self::Value, S::Error> {
        few(list, "").map(Events)
    }
}

/// Reads at most `EVENTS_PER_REQUEST` events. Fails at the first event beyond that and does not
/// read the rest.
fn few<'de, S: SeqAccess<'de>>(mut list: S, field: &str) -> Result<Vec<WireEvent<'de>>, S::Error> {
    let mut events = Vec::new();
    while let Some(event) = list.next_element()? {
        if events.len() == limits::EVENTS_PER_REQUEST {
            let most = limits::EVENTS_PER_REQUEST;
            return Err(S::Error::custom(format_args!(
                "{field}must be at most {most} in a request"
            )));
        }
        events.push(event);
    }
    Ok(events)
}

impl<'de: 'a, 'a> Deserialize<'de> for WireEvent<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = WireEvent<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (mut name, mut user_id, mut details, mut id) = (None, None, None, None);
        let mut others = Others::default();
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "name" => once(&mut name, "name", map.next_value::<Text<'de>>()?.0)?,
                "user_id" => once(
                    &mut user_id,
                    "user_id",
                    map.next_value::<Option<Text<'de>>>()?,
                )?,
                "details" => once(
                    &mut details,
                    "details",
                    map.next_value::<Option<&RawValue>>()?,
                )?,
                "id" => once(&mut id, "id", map.next_value::<Option<Text<'de>>>()?)?,
                _ => others.pass(key, &mut map)?,
            }
        }
        let details = details.flatten();
        details.map_or(Ok(()), |value| scan("details", value))?;
        Ok(WireEvent {
            id: id.flatten().map(|Text(text)| text),
            name: name.ok_or_else(|| M::Error::missing_field("name"))?,
            user_id: user_id.flatten().map(|Text(text)| text),
            details,
        })
    }
}

/// The unknown keys of an object. Their values are ignored, but they must obey the same rules.
#[derive(Default)]
struct Others<'a>(Vec<Cow<'a, str>>);

/// The most unknown keys in one object: more than normal clients send, few enough to compare each
/// with all others.
const OTHER_KEYS: usize = 64;

impl<'de> Others<'de> {
    fn pass<M: MapAccess<'de>>(&mut self, key: Cow<'de, str>, map: &mut M) -> Result<(), M::Error> {
        scan(&key, map.next_value::<&RawValue>()?)?;
        if self.0.contains(&key) {
            return Err(M::Error::custom(format_args!(
                "the key `{key}` is there twice"
            )));
        }
        if self.0.len() == OTHER_KEYS {
            return Err(M::Error::custom("has too many keys"));
        }
        self.0.push(key);
        Ok(())
    }
}

fn once<T, E: Error>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), E> {
    if slot.replace(value).is_some() {
        return Err(E::duplicate_field(name));
    }
    Ok(())
}

fn scan<E: Error>(key: &str, value: &RawValue) -> Result<(), E> {
    let scanned = json::scan(value.get().as_bytes());
    scanned.map_err(|fault| E::custom(format_args!("`{key}` is refused: {fault}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_serde_would_let_pass_is_refused() {
        let deep = format!(
            r#"[{{"name":"a","details":{{"x":{}1{}}}}}]"#,
            "[".repeat(128),
            "]".repeat(128)
        );
        let deep_elsewhere = deep.replace("details", "unknown");
        for body in [
            r#"{"events":[{"name":"a","details":{"x":1,"x":2}}]}"#,
            r#"[{"name":"a","details":{"x":{"y":1,"y":2}}}]"#,
            r#"[{"name":"a","name":"b"}]"#,
            r#"[{"name":"a","unknown":1,"unknown":2}]"#,
            r#"[{"name":"a","unknown":{"x":1,"x":2}}]"#,
            r#"{"events":[],"events":[]}"#,
            r#"{"events":[],"x":{"y":1,"y":2}}"#,
            r#"[[{"name":"a"}]]"#,
            r#"[["a",null,{}]]"#,
            r#"{"events":[["a",null,{}]]}"#,
            r#"[{"user_id":"u"}]"#,
            "[] []",
            "7",
            "",
            &deep,
            &deep_elsewhere,
        ] {
            assert!(read(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read(b"[{\"name\":\"\xff\"}]").is_err());
    }

    #[test]
    fn a_complaint_names_the_event_and_the_field() {
        let why = |body: &str| read(body.as_bytes()).err().unwrap().message().to_owned();
        assert_eq!(
            why(r#"{"events":[{"name":"a"},{}]}"#),
            "events[1].name: is missing"
        );
        assert_eq!(
            why(r#"{"events":[{"name":7}]}"#),
            "events[0].name: must be a string"
        );
        assert_eq!(why(r#"{"events":7}"#), "events: must be a list");
        assert_eq!(why("{}"), "events: is missing");
    }

    #[test]
    fn an_event_is_read_from_either_form_whatever_else_stands_there() {
        let event =
            r#"{"unknown":[],"name":"\u00e4","user_id":"u","details":{"x": 1},"other":{"y":{}}}"#;
        for body in [
            format!(r#" {{"x":0,"events":[{event}]}}"#),
            format!("[{event}]"),
        ] {
            let [event] = read(body.as_bytes()).unwrap().try_into().ok().unwrap();
            assert_eq!(
                (event.name.as_ref(), event.user_id.as_deref()),
                ("ä", Some("u"))
            );
            assert_eq!(event.details.unwrap().get(), r#"{"x": 1}"#);
        }
    }
}
