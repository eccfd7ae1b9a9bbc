//! The admin API. It needs the administrator's token, which the Token API issues. One file, or
//! folder, for each noun.

pub(super) mod audit;
mod events;
mod explain;
mod query;
mod storage;

use serde::Serialize;

use crate::http::{Api, Error, RenderedError, Route};

/// The API.
pub static API: Api = Api {
    name: "admin",
    mounts: &["/api/admin"],
    routes: ROUTES,
    render_error: render,
};

const ROUTES: &[Route] = &[
    events::LIST,
    events::ERASE,
    events::EXPORT,
    events::LIVE,
    storage::ROUTE,
    events::SUMMARY,
    audit::LIST,
    audit::EXPORT,
    audit::LIVE,
    explain::ROUTE,
];

#[derive(Serialize)]
struct Complaint<'a> {
    error: Fault<'a>,
}

#[derive(Serialize)]
struct Fault<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

/// The error format of the admin and control APIs: `{"error":{"code","message","field"}}`.
pub(super) fn render(error: &Error) -> RenderedError {
    let fault = Fault {
        code: error.code().as_str(),
        message: error.message(),
        field: error.field(),
    };
    RenderedError::json(error.status(), &Complaint { error: fault })
}
