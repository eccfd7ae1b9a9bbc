//! Checks every answer of every test: that its status is declared, its headers, and the shape of
//! its body.

use std::collections::BTreeSet;

use doorward::http::{
    Api, BodySchema as Declared, Dispatcher, EntityTag, Error, Method, ResponseSpec, Route,
};
use serde_json::Value;

use super::client::{Received, Request};
use super::shape::{Shape, check_fields};

/// A route under one of its API's prefixes; `path` includes the prefix.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) api: &'static Api,
    pub(crate) route: &'static Route,
    pub(crate) path: String,
}

/// All routes of a server, with which answers are compared.
pub(crate) struct ResponseChecker {
    pub(crate) routes: Vec<Served>,
}

impl ResponseChecker {
    pub(crate) fn of(dispatcher: &Dispatcher) -> ResponseChecker {
        let mut routes = Vec::new();
        for (api, route) in dispatcher.routes() {
            for mount in api.mounts {
                routes.push(Served {
                    api,
                    route,
                    path: format!("{mount}{}", route.path),
                });
            }
        }
        ResponseChecker { routes }
    }

    /// The error shape of the API that serves a path with any method; none if no API does.
    pub(crate) fn shape_of(&self, path: &str) -> Option<Shape> {
        let served = self.routes.iter().find(|served| served.is_at(path));
        served.map(|served| Shape::of_api(served.api.name))
    }

    /// Panics if the answer breaks a rule.
    #[track_caller]
    pub(crate) fn check(&self, request: &Request, received: &Received) {
        if let Err(wrong) = self.find_fault(request, received) {
            let body = String::from_utf8_lossy(&received.body);
            let Request { method, path, .. } = request;
            panic!("{method} {path} → {} {body}: {wrong}", received.status);
        }
    }

    fn find_fault(&self, request: &Request, received: &Received) -> Result<(), String> {
        check_headers(received)?;
        check_length(received, self.streams(request, received))?;
        let mut here = self
            .routes
            .iter()
            .filter(|served| served.is_at(&request.path));
        let served = here.clone().find(|served| served.answers(&request.method));
        match served {
            Some(served) => served.check(request, received),
            None if here.next().is_some() => self.check_wrong_method(request, received),
            None if request.method == "OPTIONS" && received.status == 204 => Ok(()),
            None => check_unknown_path(received),
        }
    }

    /// Whether this answer is declared as a stream.
    fn streams(&self, request: &Request, received: &Received) -> bool {
        let mut here = self
            .routes
            .iter()
            .filter(|served| served.is_at(&request.path));
        here.any(|served| {
            let mut gives = served.route.responses.iter();
            let stream = |it: &ResponseSpec| matches!(it.body, Declared::Stream(_));
            gives.any(|it| it.status == received.status && stream(it))
        })
    }

    fn check_wrong_method(&self, request: &Request, received: &Received) -> Result<(), String> {
        let allow = received.header("allow").ok_or("no Allow")?;
        let allowed: BTreeSet<&str> = allow.split(", ").collect();
        let mut expected = BTreeSet::from(["OPTIONS"]);
        for served in self
            .routes
            .iter()
            .filter(|served| served.is_at(&request.path))
        {
            expected.insert(served.route.method.as_str());
            if served.route.method == Method::Get {
                expected.insert("HEAD");
            }
        }
        if allowed != expected {
            return Err(format!("Allow is {allow}"));
        }
        let status = if request.method == "OPTIONS" {
            204
        } else {
            405
        };
        if received.status != status {
            return Err(format!("not {status}"));
        }
        match self.shape_of(&request.path) {
            Some(shape) if status == 405 && request.method != "HEAD" => {
                check_error(shape, received)
            }
            _ => Ok(()),
        }
    }
}

impl Served {
    /// Whether it answers this method of HTTP.
    pub(crate) fn answers(&self, method: &str) -> bool {
        let is_head = method == "HEAD" && self.route.method == Method::Get;
        is_head || self.route.method.as_str() == method
    }

    pub(crate) fn is_at(&self, path: &str) -> bool {
        let path = path.split('?').next().unwrap_or_default();
        // The server ignores one slash at the end, but not two.
        let trimmed = path
            .strip_suffix('/')
            .filter(|it| !it.is_empty() && !it.ends_with('/'));
        let path = trimmed.unwrap_or(path);
        let mut pattern = self.path.split('/');
        let mut segments = path.split('/');
        loop {
            match (pattern.next(), segments.next()) {
                (None, None) => return true,
                (Some(name), Some(it)) if name.starts_with('{') && !it.is_empty() => {}
                (Some(name), Some(it)) if name == it => {}
                _ => return false,
            }
        }
    }

    /// The statuses with which this route may fail.
    pub(crate) fn failures(&self) -> BTreeSet<u16> {
        let codes = self.route.possible_errors();
        codes
            .into_iter()
            .map(|code| (self.api.render_error)(&Error::new(code)).status.as_u16())
            .collect()
    }

    fn check(&self, request: &Request, received: &Received) -> Result<(), String> {
        let Some(gives) = self
            .route
            .responses
            .iter()
            .find(|it| it.status == received.status)
        else {
            if !self.failures().contains(&received.status) {
                return Err(format!(
                    "the status is not declared by `{}`",
                    self.route.name
                ));
            }
            if request.method == "HEAD" {
                return Ok(());
            }
            return check_error(Shape::of_api(self.api.name), received);
        };
        if gives.secret && received.header("cache-control") != Some("no-store") {
            return Err("a secret that caches may store".into());
        }
        if received.header("etag").is_some() != (gives.entity_tag != EntityTag::Absent) {
            return Err("an ETag is missing or not declared".into());
        }
        if request.method == "HEAD" {
            return if received.body.is_empty() {
                Ok(())
            } else {
                Err("a body for HEAD".into())
            };
        }
        check_body(gives.body, received)
    }
}

/// The request id that tests give as a trusted proxy.
pub(crate) const PROXYS_REQUEST_ID: &str = "from-the-proxy";

fn check_headers(received: &Received) -> Result<(), String> {
    let status = received.status;
    let id = received.header("x-request-id").unwrap_or_default();
    let is_made = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_made && id != PROXYS_REQUEST_ID {
        return Err(format!("X-Request-Id is {id:?}"));
    }
    if received.header("x-content-type-options") != Some("nosniff") {
        return Err("no nosniff".into());
    }
    if received.header("date").is_none() {
        return Err("no Date".into());
    }
    let challenge = received.header("www-authenticate");
    if challenge != (status == 401).then_some("Bearer") {
        return Err(format!("WWW-Authenticate is {challenge:?}"));
    }
    let retry = received
        .header("retry-after")
        .map(|it| it.parse::<u64>().unwrap_or(0));
    match (matches!(status, 429 | 503), retry) {
        (true, Some(1..)) | (false, None) => Ok(()),
        (_, retry) => Err(format!("Retry-After is {retry:?}")),
    }
}

/// A complete body must have `Content-Length`. A stream, a 204 or a 304 must not, and only a stream
/// may be chunked.
fn check_length(received: &Received, streams: bool) -> Result<(), String> {
    let coding = received.header("transfer-encoding");
    if coding.is_some_and(|it| !streams || it != "chunked") {
        return Err(format!("Transfer-Encoding is {coding:?}"));
    }
    let has_length = received.header("content-length").is_some();
    if has_length == (streams || matches!(received.status, 204 | 304)) {
        return Err("Content-Length is missing, or there without a body or with a stream".into());
    }
    Ok(())
}

fn check_error(shape: Shape, received: &Received) -> Result<(), String> {
    let body = String::from_utf8(received.body.clone()).map_err(|error| error.to_string())?;
    shape.check(received.header("content-type"), &body)
}

fn check_body(declared: Declared, received: &Received) -> Result<(), String> {
    let content_type = match declared {
        Declared::Empty => None,
        Declared::Json(_) | Declared::List(_) | Declared::Any => Some("application/json"),
        Declared::Text => Some("text/plain; charset=utf-8"),
        // A stream may be empty. The tests of the route check the content of both.
        Declared::File(types) | Declared::Stream(types) => {
            let known = received.header("content-type").unwrap_or_default();
            return if types.contains(&known) {
                Ok(())
            } else {
                Err(format!("the content type {known} is not declared"))
            };
        }
    };
    if received.header("content-type") != content_type {
        return Err(format!("the content type is not {content_type:?}"));
    }
    if content_type != Some("application/json") {
        let is_empty = received.body.is_empty();
        return if is_empty == content_type.is_none() {
            Ok(())
        } else {
            Err("the body".into())
        };
    }
    let json: Value = serde_json::from_slice(&received.body).map_err(|error| error.to_string())?;
    match (declared, &json) {
        (Declared::Json(fields), Value::Object(object)) => check_fields(object, fields),
        (Declared::List(fields), Value::Array(items)) => items.iter().try_for_each(|item| {
            item.as_object()
                .ok_or_else(|| "no object".to_owned())
                .and_then(|it| check_fields(it, fields))
        }),
        (Declared::Any, _) => Ok(()),
        _ => Err("neither the object nor the list that is declared".into()),
    }
}

/// The server answers a path without a route in the error shape of the nearest API. This check
/// accepts the shape of any API.
fn check_unknown_path(received: &Received) -> Result<(), String> {
    let shapes = [
        Shape::Angen,
        Shape::Text,
        Shape::Message,
        Shape::CodeAndMessage,
        Shape::Error,
        Shape::Fault,
    ];
    let is_refusal = matches!(received.status, 404 | 405 | 400);
    let is_worded = shapes
        .into_iter()
        .any(|shape| check_error(shape, received).is_ok());
    if is_refusal && (is_worded || received.body.is_empty()) {
        Ok(())
    } else {
        Err("no 404".into())
    }
}
