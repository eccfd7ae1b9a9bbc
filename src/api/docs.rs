//! The description of all APIs: the OpenAPI document, and a page that shows it. Neither needs a
//! token: they say nothing about what is stored.

use std::future::ready;

use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue};

use super::ops;
use crate::http::{
    Api, BodySchema, Handler, Method, Reply, RequestBody, RequestContext, RequestQuery,
    ResponseSpec, Route,
};

/// The routes, which stand beside those of the ops API.
pub static API: Api = Api {
    routes: &[DOCUMENT, PAGE, STYLE, SCRIPT],
    ..ops::API
};

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// The page loads its own two files and the document, and nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const UNCHANGED: ResponseSpec = ResponseSpec::empty(304, "The client has it already.").digested();

const DOCUMENT: Route = Route {
    name: "openapi_document",
    method: Method::Get,
    path: "/openapi.json",
    query: RequestQuery::NONE,
    body: RequestBody::Nothing,
    responses: &[
        ResponseSpec::new(200, BodySchema::Any, "The document, OpenAPI 3.1.").digested(),
        UNCHANGED,
    ],
    errors: &[],
    run: Handler::Open(|request| Box::pin(ready(Ok(document(&request))))),
    about: "Describes all endpoints that are served, for programs.",
};

const PAGE: Route = Route {
    name: "docs_page",
    path: "/docs",
    responses: &[
        ResponseSpec::new(200, BodySchema::File(&[HTML]), "The page.").digested(),
        UNCHANGED,
    ],
    run: Handler::Open(|request| {
        let page = file(&request, HTML, include_str!("../page/docs/page.html"));
        Box::pin(ready(Ok(page)))
    }),
    about: "Describes all endpoints that are served, for people.",
    ..DOCUMENT
};

const STYLE: Route = Route {
    name: "docs_style",
    path: "/docs/page.css",
    responses: &[
        ResponseSpec::new(200, BodySchema::File(&[CSS]), "The style sheet.").digested(),
        UNCHANGED,
    ],
    run: Handler::Open(|request| {
        let style = file(&request, CSS, include_str!("../page/docs/page.css"));
        Box::pin(ready(Ok(style)))
    }),
    about: "The style sheet of the page.",
    ..DOCUMENT
};

const SCRIPT: Route = Route {
    name: "docs_script",
    path: "/docs/page.js",
    responses: &[
        ResponseSpec::new(200, BodySchema::File(&[JS]), "The script.").digested(),
        UNCHANGED,
    ],
    run: Handler::Open(|request| {
        let script = file(&request, JS, include_str!("../page/docs/page.js"));
        Box::pin(ready(Ok(script)))
    }),
    about: "The script of the page, which shows the document.",
    ..DOCUMENT
};

fn document(request: &RequestContext) -> Reply {
    let document = (**request.openapi).clone();
    Reply::bytes(200, "application/json", document).unless_known(request.headers())
}

fn file(request: &RequestContext, content_type: &'static str, text: &'static str) -> Reply {
    Reply::bytes(200, content_type, text)
        .header(CONTENT_SECURITY_POLICY, POLICY)
        .unless_known(request.headers())
}
