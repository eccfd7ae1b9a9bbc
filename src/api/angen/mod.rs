//! The Angen API: tokens with renewal codes, and telemetry events.

mod events;
mod report;
mod tokens;

use serde::Serialize;

use crate::http::{Api, Error, ErrorCode, RenderedError, Route};

/// The API.
pub static API: Api = Api {
    name: "angen",
    mounts: &[""],
    routes: ROUTES,
    render_error: render,
};

const ROUTES: &[Route] = &[
    tokens::REQUEST,
    tokens::RENEW,
    events::SIMPLE,
    events::COMPLEX,
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
        ErrorCode::NoToken | ErrorCode::BadToken | ErrorCode::TokenExpired => {
            error.own_message().unwrap_or("Unauthorised")
        }
        ErrorCode::Unprocessable => {
            let first = error.errors().first();
            first.map_or(error.message(), String::as_str)
        }
        _ => error.message(),
    };
    let complaint = Complaint {
        result: "Error",
        reason,
        detail: error.detail(),
    };
    RenderedError::json(error.status(), &complaint)
}
