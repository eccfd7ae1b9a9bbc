//! Angen: tokens in pairs, and telemetry events.

mod report;

use hyper::header::HeaderValue;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::http::{
    Api, Error, ErrorCode, Field, Handler, JsonKind, Method, RenderedError, Reply, RequestBody,
    RequestContext, ResponseSpec, Route, json, json_request, json_response,
};
use crate::model::{Client, Invalid, Secret, TokenKind};
use crate::service::{Bearer, Issued, Login, ReportedEvent};

/// The API.
pub static API: Api = Api {
    name: "angen",
    mounts: &[""],
    routes: ROUTES,
    render_error: render,
};

const ROUTES: &[Route] = &[
    Route {
        name: "request_token",
        method: Method::Post,
        path: "/api/request_token",
        body: RequestBody::Json(TokenRequest::FIELDS),
        responses: &[ResponseSpec::json(201, TokenAnswer::FIELDS, "The pair of codes.").secret()],
        errors: &[ErrorCode::BadCredentials],
        run: Handler::Open(|request| Box::pin(request_token(request))),
        about: "Logs a user in by id (or address) and password.",
    },
    Route {
        name: "renew_token",
        method: Method::Post,
        path: "/api/renew_token",
        body: RequestBody::Json(Renewal::FIELDS),
        responses: &[ResponseSpec::json(
            201,
            TokenAnswer::FIELDS,
            "The new pair; the old one is dead.",
        )
        .secret()],
        errors: &[ErrorCode::NoToken, ErrorCode::BadToken],
        run: Handler::Open(|request| Box::pin(renew_token(request))),
        about: "Exchanges a live token and its renewal code for a new pair.",
    },
    Route {
        name: "simple_events",
        method: Method::Post,
        path: "/api/events/simple_clientapp",
        body: RequestBody::Events(SIMPLE_EVENT),
        responses: &[ResponseSpec::json(
            201,
            Stored::FIELDS,
            "All events are on the disk.",
        )],
        errors: &[ErrorCode::Unprocessable],
        run: Handler::Authenticated(|request, bearer| {
            Box::pin(report(request, bearer, Details::Refused))
        }),
        about: "Stores events that have a name and nothing more.",
    },
    Route {
        name: "complex_events",
        method: Method::Post,
        path: "/api/events/complex_clientapp",
        body: RequestBody::Events(COMPLEX_EVENT),
        responses: &[ResponseSpec::json(
            201,
            Stored::FIELDS,
            "All events are on the disk.",
        )],
        errors: &[ErrorCode::Unprocessable],
        run: Handler::Authenticated(|request, bearer| {
            Box::pin(report(request, bearer, Details::Required))
        }),
        about: "Stores events with details.",
    },
];

json_request! {
    /// `POST /api/request_token`
    struct TokenRequest {
        id: Option<String>,
        email: Option<String>,
        password: Secret,
        user_agent: String,
    }
}

json_request! {
    /// `POST /api/renew_token`
    struct Renewal {
        #[serde(alias = "renewal")]
        renewal_code: Secret,
    }
}

json_response! {
    /// What both token routes answer.
    struct TokenAnswer<'a> {
        result: &'a str,
        token: Pair<'a>,
    }
}

json_response! {
    /// A pair of codes.
    struct Pair<'a> {
        expires_at: String,
        identifier_code: &'a str,
        renewal_code: &'a str,
        user_id: String,
    }
}

impl crate::http::JsonType for Pair<'_> {
    const KIND: JsonKind = JsonKind::Object;
    const SECRET: bool = true;
}

json_response! {
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
        kind: JsonKind::Text,
        required: true,
        secret: false,
    },
    Field {
        name: "user_id",
        kind: JsonKind::Text,
        required: false,
        secret: false,
    },
    Field {
        name: "id",
        kind: JsonKind::Text,
        required: false,
        secret: false,
    },
];
const COMPLEX_EVENT: &[Field] = &[
    Field {
        name: "name",
        kind: JsonKind::Text,
        required: true,
        secret: false,
    },
    Field {
        name: "details",
        kind: JsonKind::Object,
        required: true,
        secret: false,
    },
    Field {
        name: "user_id",
        kind: JsonKind::Text,
        required: false,
        secret: false,
    },
    Field {
        name: "id",
        kind: JsonKind::Text,
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

fn render(error: &Error) -> RenderedError {
    let reason = match error.code() {
        ErrorCode::BadCredentials => "Bad authentication",
        // A failure with words of its own keeps them: renewing says "No token".
        ErrorCode::NoToken | ErrorCode::BadToken | ErrorCode::TokenExpired
            if error.message() == error.code().message() =>
        {
            "Unauthorised"
        }
        ErrorCode::Unprocessable => error
            .errors()
            .first()
            .map_or(error.message(), String::as_str),
        _ => error.message(),
    };
    let detail = match error.code() {
        ErrorCode::Invalid => error.errors().first().map(String::as_str),
        _ => None,
    };
    RenderedError::json(
        error.status(),
        &Complaint {
            result: "Error",
            reason,
            detail,
        },
    )
}

const BAD_PARAMETERS: &str = "Bad parameters";
const NO_TOKEN: &str = "No token";

async fn request_token(request: RequestContext) -> Result<Reply, Error> {
    let asked: TokenRequest = request.json().map_err(|it| it.reworded(BAD_PARAMETERS))?;
    let login = match (&asked.id, &asked.email) {
        (Some(id), _) => Login::Id(id),
        (None, Some(email)) => Login::Email(email),
        (None, None) => {
            return Err(Error::invalid("id: is missing").reworded(BAD_PARAMETERS));
        }
    };
    let client = Client::new(request.address, Some(&asked.user_agent));
    let issued = request
        .services
        .log_in_user(
            TokenKind::Angen,
            login,
            &asked.password,
            client,
            request.now,
        )
        .await?;
    Ok(pair(&issued))
}

async fn renew_token(request: RequestContext) -> Result<Reply, Error> {
    let token = request.token()?.ok_or_else(no_token)?;
    let asked: Renewal = request.json().map_err(|it| it.reworded(BAD_PARAMETERS))?;
    let token = Secret::new(token.reveal());
    let renewed = request
        .services
        .renew_pair(&token, &asked.renewal_code, request.client(), request.now)
        .await;
    match renewed {
        Ok(issued) => Ok(pair(&issued)),
        Err(refusal) => Err(match Error::from(refusal) {
            error if error.code() == ErrorCode::BadToken => no_token(),
            other => other,
        }),
    }
}

fn no_token() -> Error {
    Error::with_message(ErrorCode::BadToken, NO_TOKEN)
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

async fn report(request: RequestContext, bearer: Bearer, details: Details) -> Result<Reply, Error> {
    let mended;
    let events = match report::read(&request.body) {
        Ok(events) => events,
        // The API's own example has Elixir's `%{` in it.
        Err(error) => {
            mended = json::forgive(&request.body).ok_or(error)?;
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
    let key = request
        .headers()
        .get("idempotency-key")
        .map(HeaderValue::as_bytes);
    let body = request.body.as_ref();
    let count = request
        .services
        .report_events(&bearer, &reported, key, body, request.now)
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
