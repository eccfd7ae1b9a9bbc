//! Angen: tokens in pairs, and telemetry events.

use std::borrow::Cow;

use hyper::header::HeaderValue;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::http::{
    self, Api, Call, Code, Failure, Field, Gives, Handler, Kind, Reply, Route, Takes, Verb, Worded,
    answer, body, json,
};
use crate::model::{Client, Invalid, Secret, TokenKind};
use crate::service::{Bearer, Issued, Login, ReportedEvent};

/// The API.
pub static API: Api = Api {
    name: "angen",
    mounts: &[""],
    routes: ROUTES,
    dialect: word,
};

const ROUTES: &[Route] = &[
    Route {
        name: "request_token",
        verb: Verb::Post,
        path: "/api/request_token",
        takes: Takes::Json(TokenRequest::FIELDS),
        gives: &[Gives::json(201, TokenAnswer::FIELDS, "The pair of codes.").secret()],
        fails: &[Code::BadCredentials],
        run: Handler::Open(|call| Box::pin(request_token(call))),
        about: "Logs a user in by id (or address) and password.",
    },
    Route {
        name: "renew_token",
        verb: Verb::Post,
        path: "/api/renew_token",
        takes: Takes::Json(Renewal::FIELDS),
        gives: &[Gives::json(
            201,
            TokenAnswer::FIELDS,
            "The new pair; the old one is dead.",
        )
        .secret()],
        fails: &[Code::NoToken, Code::BadToken],
        run: Handler::Open(|call| Box::pin(renew_token(call))),
        about: "Exchanges a live token and its renewal code for a new pair.",
    },
    Route {
        name: "simple_events",
        verb: Verb::Post,
        path: "/api/events/simple_clientapp",
        takes: Takes::Events(SIMPLE_EVENT),
        gives: &[Gives::json(
            201,
            Stored::FIELDS,
            "All events are on the disk.",
        )],
        fails: &[Code::Unprocessable],
        run: Handler::Holder(|call, bearer| Box::pin(report(call, bearer, Details::Refused))),
        about: "Stores events that have a name and nothing more.",
    },
    Route {
        name: "complex_events",
        verb: Verb::Post,
        path: "/api/events/complex_clientapp",
        takes: Takes::Events(COMPLEX_EVENT),
        gives: &[Gives::json(
            201,
            Stored::FIELDS,
            "All events are on the disk.",
        )],
        fails: &[Code::Unprocessable],
        run: Handler::Holder(|call, bearer| Box::pin(report(call, bearer, Details::Required))),
        about: "Stores events with details.",
    },
];

body! {
    /// `POST /api/request_token`
    struct TokenRequest {
        id: Option<String>,
        email: Option<String>,
        password: Secret,
        user_agent: String,
    }
}

body! {
    /// `POST /api/renew_token`
    struct Renewal {
        #[serde(alias = "renewal")]
        renewal_code: Secret,
    }
}

answer! {
    /// What both token routes answer.
    struct TokenAnswer<'a> {
        result: &'a str,
        token: Pair<'a>,
    }
}

answer! {
    /// A pair of codes.
    struct Pair<'a> {
        expires_at: String,
        identifier_code: &'a str,
        renewal_code: &'a str,
        user_id: String,
    }
}

impl crate::http::Wire for Pair<'_> {
    const KIND: Kind = Kind::Object;
    const SECRET: bool = true;
}

answer! {
    /// What was stored.
    struct Stored<'a> {
        result: &'a str,
        count: usize,
    }
}

/// The fields of an event, for the guide: events are read by `WireEvent`, which borrows.
const SIMPLE_EVENT: &[Field] = &[
    Field {
        name: "name",
        kind: Kind::Text,
        required: true,
        secret: false,
    },
    Field {
        name: "user_id",
        kind: Kind::Text,
        required: false,
        secret: false,
    },
];
const COMPLEX_EVENT: &[Field] = &[
    Field {
        name: "name",
        kind: Kind::Text,
        required: true,
        secret: false,
    },
    Field {
        name: "details",
        kind: Kind::Object,
        required: true,
        secret: false,
    },
    Field {
        name: "user_id",
        kind: Kind::Text,
        required: false,
        secret: false,
    },
];

#[derive(Serialize)]
struct Complaint<'a> {
    result: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

fn word(failure: &Failure) -> Worded {
    let reason = match failure.code() {
        Code::BadCredentials => "Bad authentication",
        // A failure with words of its own keeps them: renewing says "No token".
        Code::NoToken | Code::BadToken | Code::ExpiredToken
            if failure.why() == failure.code().why() =>
        {
            "Unauthorised"
        }
        Code::Unprocessable => failure
            .errors()
            .first()
            .map_or(failure.why(), String::as_str),
        _ => failure.why(),
    };
    let detail = match failure.code() {
        Code::BadRequest => failure.errors().first().map(String::as_str),
        _ => None,
    };
    Worded::json(
        failure.status(),
        &Complaint {
            result: "Error",
            reason,
            detail,
        },
    )
}

const BAD_PARAMETERS: &str = "Bad parameters";
const NO_TOKEN: &str = "No token";

async fn request_token(call: Call) -> Result<Reply, Failure> {
    let asked: TokenRequest = call.json().map_err(|it| it.reworded(BAD_PARAMETERS))?;
    let login = match (&asked.id, &asked.email) {
        (Some(id), _) => Login::Id(id),
        (None, Some(email)) => Login::Email(email),
        (None, None) => {
            return Err(Failure::bad_request("id: is missing").reworded(BAD_PARAMETERS));
        }
    };
    let client = Client::new(call.address, Some(&asked.user_agent));
    let issued = call
        .services
        .log_in_user(TokenKind::Angen, login, &asked.password, client, call.now)
        .await?;
    Ok(pair(&issued))
}

async fn renew_token(call: Call) -> Result<Reply, Failure> {
    let token = call.token()?.ok_or_else(no_token)?;
    let asked: Renewal = call.json().map_err(|it| it.reworded(BAD_PARAMETERS))?;
    let token = Secret::new(token.reveal());
    let renewed = call
        .services
        .renew_pair(&token, &asked.renewal_code, call.client(), call.now)
        .await;
    match renewed {
        Ok(issued) => Ok(pair(&issued)),
        Err(refusal) => Err(match Failure::from(refusal) {
            failure if failure.code() == Code::BadToken => no_token(),
            other => other,
        }),
    }
}

fn no_token() -> Failure {
    Failure::because(Code::BadToken, NO_TOKEN)
}

fn pair(issued: &Issued) -> Reply {
    Reply::json(
        201,
        &TokenAnswer {
            result: "success",
            token: Pair {
                expires_at: issued.token.expires_at.rfc3339(),
                identifier_code: issued.secret.reveal(),
                renewal_code: issued.renewal.as_ref().map_or("", |code| code.reveal()),
                user_id: issued.token.holder.to_string(),
            },
        },
    )
}

/// What a route wants of `details`.
#[derive(Clone, Copy)]
enum Details {
    Refused,
    Required,
}

/// An event as it comes, borrowed from the body.
#[derive(Deserialize)]
struct WireEvent<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    user_id: Option<Text<'a>>,
    #[serde(borrow)]
    details: Option<&'a RawValue>,
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
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

async fn report(call: Call, bearer: Bearer, details: Details) -> Result<Reply, Failure> {
    let mended;
    let events = match read_events(&call.body) {
        Ok(events) => events,
        // The API's own example has Elixir's `%{` in it.
        Err(failure) => {
            mended = json::forgive(&call.body).ok_or(failure)?;
            read_events(&mended)?
        }
    };
    let reported = events
        .iter()
        .enumerate()
        .map(|(index, event)| {
            Ok(ReportedEvent {
                name: &event.name,
                user_id: event.user_id.as_ref().map(|text| text.0.as_ref()),
                details: judge(index, event.details, details)?,
            })
        })
        .collect::<Result<Vec<_>, Invalid>>()?;
    let key = call
        .headers()
        .get("idempotency-key")
        .map(HeaderValue::as_bytes);
    let request = call.body.as_ref();
    let count = call
        .services
        .report_events(&bearer, &reported, key, request, call.now)
        .await?;
    let result = if count == 0 {
        "No events created"
    } else {
        "Event(s) created"
    };
    Ok(Reply::json(201, &Stored { result, count }))
}

fn read_events(body: &[u8]) -> Result<Vec<WireEvent<'_>>, Failure> {
    if let Some(events) = read_plain_events(body) {
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
fn read_plain_events(body: &[u8]) -> Option<Vec<WireEvent<'_>>> {
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

/// Holds an event's details to what its route wants.
fn judge(
    index: usize,
    details: Option<&RawValue>,
    wanted: Details,
) -> Result<Option<&str>, Invalid> {
    let wrong = |why: &str| Err(Invalid::new(format!("events[{index}].details"), why));
    match (wanted, details.map(RawValue::get)) {
        (Details::Refused, None) => Ok(None),
        (Details::Refused, Some(_)) => wrong("would be lost: send it to complex_clientapp"),
        (Details::Required, None) => wrong("is missing"),
        (Details::Required, Some(text)) if text.starts_with('{') => Ok(Some(text)),
        (Details::Required, Some(_)) => wrong("must be an object"),
    }
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
            r#"[] []"#,
            "",
            &deep,
        ] {
            assert!(read_plain_events(body.as_bytes()).is_none(), "{body}");
            assert!(read_events(body.as_bytes()).is_err(), "{body}");
        }
        assert!(read_events(b"[{\"name\":\"\xff\"}]").is_err());
    }

    #[test]
    fn both_ways_read_the_same() {
        let read = |body: &str| {
            let short = read_plain_events(body.as_bytes()).is_some();
            let events = read_events(body.as_bytes()).unwrap();
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
