//! Angen: tokens in pairs, and telemetry events.

mod report;

use hyper::header::HeaderValue;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::http::{
    Api, Call, Code, Failure, Field, Gives, Handler, Kind, Reply, Route, Takes, Verb, Worded,
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
    Field {
        name: "id",
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
    Field {
        name: "id",
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

async fn report(call: Call, bearer: Bearer, details: Details) -> Result<Reply, Failure> {
    let mended;
    let events = match report::read(&call.body) {
        Ok(events) => events,
        // The API's own example has Elixir's `%{` in it.
        Err(failure) => {
            mended = json::forgive(&call.body).ok_or(failure)?;
            report::read(&mended)?
        }
    };
    let reported = events
        .iter()
        .enumerate()
        .map(|(index, event)| {
            Ok(ReportedEvent {
                id: event.id.as_deref(),
                name: &event.name,
                user_id: event.user_id.as_deref(),
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
