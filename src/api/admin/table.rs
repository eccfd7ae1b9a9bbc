//! What all tables of the admin API share: their paths and the shape of their errors.

use serde::Serialize;

use crate::http::{Api, Error, RenderedError, Route};

/// A table of routes of this API.
pub(super) const fn table(routes: &'static [Route]) -> Api {
    Api {
        name: "admin",
        mounts: &["/api/admin"],
        routes,
        render_error: render,
    }
}

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
pub(in crate::api) fn render(error: &Error) -> RenderedError {
    let fault = Fault {
        code: error.code().as_str(),
        message: error.message(),
        field: error.field(),
    };
    RenderedError::json(error.status(), &Complaint { error: fault })
}
