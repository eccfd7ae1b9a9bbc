//! `GET /api/admin/settings`: what is in force, and where it comes from.

use std::future::ready;

use serde::Serialize;

use crate::config::ShownSetting;
use crate::http::{
    BodySchema, Field, Handler, Method, OneOf, Reply, RequestBody, RequestContext, RequestQuery,
    ResponseSpec, Route, json_response, words,
};

pub(super) const ROUTE: Route = Route {
    name: "show_settings",
    method: Method::Get,
    path: "/settings",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(ALL),
        "All settings.",
    )],
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(ready(Ok(settings(&request))))),
    about: "Says which settings are in force, where each comes from, and what waits for a restart.",
};

const ALL: &[Field] = &[Field::list("settings", Listed::FIELDS)];

words! {
    /// Where a value is from.
    enum Source { File = "file", Default = "default" }
}

json_response! {
    /// A setting.
    struct Listed<'a> {
        key: &'a str,
        value: Option<&'a str>,
        is_secret: bool,
        source: OneOf<Source>,
        line: Option<usize>,
        needs_restart: bool,
        waits_for_restart: bool,
        after_restart: Option<&'a str>,
    }
}

#[derive(Serialize)]
struct All<'a> {
    settings: Vec<Listed<'a>>,
}

fn listed(shown: &ShownSetting) -> Listed<'_> {
    Listed {
        key: shown.key,
        value: shown.value.as_deref(),
        is_secret: shown.is_secret,
        source: OneOf(if shown.line.is_some() {
            Source::File
        } else {
            Source::Default
        }),
        line: shown.line,
        needs_restart: shown.needs_restart,
        waits_for_restart: shown.waits_for_restart,
        after_restart: shown.after_restart.as_deref(),
    }
}

fn settings(request: &RequestContext) -> Reply {
    let config = request.services.config();
    let settings = config.shown.iter().map(listed).collect();
    Reply::json(200, &All { settings })
}
