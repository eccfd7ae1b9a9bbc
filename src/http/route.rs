//! A route: one entry of an API's table. Routing, 405 and `Allow`, HEAD, OPTIONS, CORS, body
//! limits, the API guide and the tests that loop over every route are computed from it.

use std::pin::Pin;
use std::sync::Arc;

use super::{Error, ErrorCode, Field, RenderedError, Reply, RequestContext};
use crate::model::User;
use crate::service::Bearer;

/// A method that a route may have. HEAD and OPTIONS are answered from these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads; HEAD reads too, and gets no body.
    Get,
    /// Adds, or does.
    Post,
    /// Changes parts.
    Patch,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// Every verb, in the order in which `Allow` lists them.
    pub const ALL: [Method; 5] = [
        Method::Get,
        Method::Post,
        Method::Patch,
        Method::Put,
        Method::Delete,
    ];

    /// The verb that answers `method`; none for OPTIONS and for whatever is not served at all.
    pub fn of(method: &hyper::Method) -> Option<Method> {
        match *method {
            hyper::Method::GET | hyper::Method::HEAD => Some(Method::Get),
            hyper::Method::POST => Some(Method::Post),
            hyper::Method::PATCH => Some(Method::Patch),
            hyper::Method::PUT => Some(Method::Put),
            hyper::Method::DELETE => Some(Method::Delete),
            _ => None,
        }
    }

    /// The method as it is written on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// What a route wants in a request's body.
#[derive(Debug, Clone, Copy)]
pub enum RequestBody {
    /// No body; one that comes is thrown away.
    Nothing,
    /// A JSON object with these fields, of at most `limits.body`.
    Json(&'static [Field]),
    /// Events, of at most `limits.event_body`, each with these fields.
    Events(&'static [Field]),
    /// Whatever comes, of whatever content type. What is longer than `limits.body` or cannot be
    /// read counts as empty.
    Anything,
}

/// What the body of an answer looks like.
#[derive(Debug, Clone, Copy)]
pub enum BodySchema {
    /// No body.
    Empty,
    /// A JSON object with these fields.
    Json(&'static [Field]),
    /// A JSON list of such objects.
    List(&'static [Field]),
    /// Plain text.
    Text,
    /// JSON of a shape that a table of fields cannot say.
    Any,
    /// Made while it is sent, in one of these content types; without an announced length, so that
    /// its end must be seen.
    Stream(&'static [&'static str]),
}

/// One good answer of a route.
#[derive(Debug, Clone, Copy)]
pub struct ResponseSpec {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: BodySchema,
    /// Whether it hands out a secret: then it is answered with `Cache-Control: no-store`.
    pub secret: bool,
    /// What it means, as a sentence.
    pub about: &'static str,
}

impl ResponseSpec {
    /// An answer with a body of this shape.
    pub const fn new(status: u16, body: BodySchema, about: &'static str) -> ResponseSpec {
        ResponseSpec {
            status,
            body,
            secret: false,
            about,
        }
    }

    /// An answer without a body.
    pub const fn empty(status: u16, about: &'static str) -> ResponseSpec {
        ResponseSpec::new(status, BodySchema::Empty, about)
    }

    /// An answer with a JSON object.
    pub const fn json(status: u16, fields: &'static [Field], about: &'static str) -> ResponseSpec {
        ResponseSpec::new(status, BodySchema::Json(fields), about)
    }

    /// An answer that is made while it is sent.
    pub const fn stream(
        status: u16,
        content_types: &'static [&'static str],
        about: &'static str,
    ) -> ResponseSpec {
        ResponseSpec::new(status, BodySchema::Stream(content_types), about)
    }

    /// The same answer, which hands out a secret.
    #[must_use]
    pub const fn secret(self) -> ResponseSpec {
        ResponseSpec {
            secret: true,
            ..self
        }
    }
}

/// What a handler gives back: its answer, later. Dropping it at any await leaves every change whole
/// or undone.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

/// A bearer that is a user.
#[derive(Clone)]
pub struct UserBearer {
    /// The token that was shown.
    pub bearer: Bearer,
    /// Whose it is.
    pub user: Arc<User>,
}

/// The function that answers. Its type says who may call it: only `dispatch` can make the further
/// arguments, out of a token that was checked.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Anybody may.
    Open(fn(RequestContext) -> HandlerFuture),
    /// Whoever shows a live token.
    Authenticated(fn(RequestContext, Bearer) -> HandlerFuture),
    /// Whoever shows a live token of the administrator.
    Admin(fn(RequestContext, Bearer) -> HandlerFuture),
    /// Whoever shows a live token of a user.
    User(fn(RequestContext, UserBearer) -> HandlerFuture),
}

/// One entry of an API's table.
pub struct Route {
    /// What it is called: in the guide, in measurements, in tests.
    pub name: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path: ASCII, beginning with `/`; a segment written `{name}` is a parameter.
    pub path: &'static str,
    /// What it wants in the body.
    pub body: RequestBody,
    /// Its good answers.
    pub responses: &'static [ResponseSpec],
    /// How it may fail by itself, beyond what every route may answer.
    pub errors: &'static [ErrorCode],
    /// What answers it.
    pub run: Handler,
    /// What it does, as a sentence.
    pub about: &'static str,
}

/// What every route may answer, whatever it does. A fault of ours is never meant.
const COMMON_ERRORS: &[ErrorCode] = &[
    ErrorCode::Invalid,
    ErrorCode::TooManyRequests,
    ErrorCode::Busy,
    ErrorCode::Unavailable,
];

impl Route {
    /// The errors of whoever may not call it.
    pub fn access_errors(&self) -> &'static [ErrorCode] {
        match self.run {
            Handler::Open(_) => &[],
            Handler::Authenticated(_) => &[
                ErrorCode::NoToken,
                ErrorCode::BadToken,
                ErrorCode::TokenExpired,
            ],
            Handler::Admin(_) | Handler::User(_) => &[
                ErrorCode::NoToken,
                ErrorCode::BadToken,
                ErrorCode::TokenExpired,
                ErrorCode::NotPermitted,
            ],
        }
    }

    /// Every error that it may answer: its own, and those of its access, of its body and of every
    /// route.
    pub fn possible_errors(&self) -> Vec<ErrorCode> {
        let of_body: &[ErrorCode] = match self.body {
            RequestBody::Nothing | RequestBody::Anything => &[],
            RequestBody::Json(_) | RequestBody::Events(_) => &[
                ErrorCode::RequestTimeout,
                ErrorCode::BodyTooLarge,
                ErrorCode::UnsupportedMediaType,
            ],
        };
        [self.errors, self.access_errors(), of_body, COMMON_ERRORS].concat()
    }
}

/// How an API words a failure. Most take status and text from the failure; a dialect may deviate.
pub type ErrorRenderer = fn(&Error) -> RenderedError;

/// An API: its routes, and its way to say that something went wrong.
pub struct Api {
    /// What it is called.
    pub name: &'static str,
    /// The prefixes under each of which its table is served; `""` for the paths as they stand.
    pub mounts: &'static [&'static str],
    /// Its table.
    pub routes: &'static [Route],
    /// How it words errors.
    pub render_error: ErrorRenderer,
}
