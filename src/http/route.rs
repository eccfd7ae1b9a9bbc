//! A route is one entry of an API's table. Routing, 405 and `Allow`, HEAD, OPTIONS, CORS, body
//! limits, the API guide and the tests that loop over every route are derived from it.

use std::pin::Pin;
use std::sync::Arc;

use super::{Error, ErrorCode, Field, RenderedError, Reply, RequestContext, RequestQuery};
use crate::model::{Scope, User};
use crate::service::{Administrator, Bearer};

/// A method that a route may have. HEAD and OPTIONS are derived from these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads; HEAD also uses this route, without a body in the answer.
    Get,
    /// A GET that changes something, because its API says so. HEAD must not (RFC 9110, 9.2.1), and
    /// does not use this route.
    UnsafeGet,
    /// Creates something, or runs an action.
    Post,
    /// Changes some fields.
    Patch,
    /// Replaces a resource.
    Put,
    /// Removes a resource.
    Delete,
}

impl Method {
    /// All methods, in the order in which `Allow` lists them.
    pub const ALL: [Method; 6] = [
        Method::Get,
        Method::UnsafeGet,
        Method::Post,
        Method::Patch,
        Method::Put,
        Method::Delete,
    ];

    /// The methods of routes that answer an HTTP method; none for OPTIONS and for methods that are
    /// not supported.
    pub fn answering(method: &hyper::Method) -> &'static [Method] {
        match *method {
            hyper::Method::GET => &[Method::Get, Method::UnsafeGet],
            hyper::Method::HEAD => &[Method::Get],
            hyper::Method::POST => &[Method::Post],
            hyper::Method::PATCH => &[Method::Patch],
            hyper::Method::PUT => &[Method::Put],
            hyper::Method::DELETE => &[Method::Delete],
            _ => &[],
        }
    }

    /// The method as written in HTTP.
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Get | Method::UnsafeGet => "GET",
            Method::Post => "POST",
            Method::Patch => "PATCH",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
        }
    }
}

/// The request body that a route accepts.
#[derive(Debug, Clone, Copy)]
pub enum RequestBody {
    /// No body; a body that arrives is discarded.
    Nothing,
    /// A JSON object with these fields, at most `limits.body` bytes.
    Json(&'static [Field]),
    /// A form (`application/x-www-form-urlencoded`) or a JSON object with these fields, at most
    /// `limits.body` bytes.
    Form(&'static [Field]),
    /// JSON with events, at most `limits.event_body` bytes; each event has these fields.
    Events(&'static [Field]),
    /// Any body of any content type. A body that is longer than `limits.body` bytes or cannot be
    /// read counts as empty.
    Anything,
}

impl RequestBody {
    /// Whether the body may be compressed. Only reports of events are long enough to gain by it.
    pub const fn may_be_coded(&self) -> bool {
        matches!(self, RequestBody::Events(_))
    }

    /// The codings that the body may have, as `Accept-Encoding` lists them (RFC 9110, 12.5.3).
    pub const fn accept_encoding(&self) -> &'static str {
        if self.may_be_coded() {
            "gzip, zstd"
        } else {
            "identity"
        }
    }
}

/// The shape of a response body.
#[derive(Debug, Clone, Copy)]
pub enum BodySchema {
    /// No body.
    Empty,
    /// A JSON object with these fields.
    Json(&'static [Field]),
    /// A JSON list of objects with these fields.
    List(&'static [Field]),
    /// Plain text.
    Text,
    /// A whole text in one of these content types.
    File(&'static [&'static str]),
    /// JSON whose shape a table of fields cannot describe.
    Any,
    /// A stream in one of these content types. It has no Content-Length: the client must wait for
    /// the end of the chunked body.
    Stream(&'static [&'static str]),
}

/// The `ETag` of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntityTag {
    /// It has none.
    Absent,
    /// The version of a resource, which a later request may name in `If-Match`.
    Version,
    /// The digest of the body, which a later request may name in `If-None-Match`.
    Digest,
}

/// One successful response of a route.
#[derive(Debug, Clone, Copy)]
pub struct ResponseSpec {
    /// The status code.
    pub status: u16,
    /// The shape of the body.
    pub body: BodySchema,
    /// Whether it contains a secret: then the response has `Cache-Control: no-store`.
    pub secret: bool,
    /// Whether scripts of every origin may read it; then they may read every answer at its path.
    pub public: bool,
    /// Its `ETag`.
    pub entity_tag: EntityTag,
    /// The meaning of the response, as a sentence.
    pub about: &'static str,
}

impl ResponseSpec {
    /// A response with a body of this shape.
    pub const fn new(status: u16, body: BodySchema, about: &'static str) -> ResponseSpec {
        ResponseSpec {
            status,
            body,
            secret: false,
            public: false,
            entity_tag: EntityTag::Absent,
            about,
        }
    }

    /// A response without a body.
    pub const fn empty(status: u16, about: &'static str) -> ResponseSpec {
        ResponseSpec::new(status, BodySchema::Empty, about)
    }

    /// A response with a JSON object.
    pub const fn json(status: u16, fields: &'static [Field], about: &'static str) -> ResponseSpec {
        ResponseSpec::new(status, BodySchema::Json(fields), about)
    }

    /// A response whose body is a stream.
    pub const fn stream(
        status: u16,
        content_types: &'static [&'static str],
        about: &'static str,
    ) -> ResponseSpec {
        ResponseSpec::new(status, BodySchema::Stream(content_types), about)
    }

    /// Marks the response as containing a secret.
    #[must_use]
    pub const fn secret(self) -> ResponseSpec {
        ResponseSpec {
            secret: true,
            ..self
        }
    }

    /// Marks the response as having the version of a resource as its `ETag`.
    #[must_use]
    pub const fn versioned(self) -> ResponseSpec {
        ResponseSpec {
            entity_tag: EntityTag::Version,
            ..self
        }
    }

    /// Marks the response as having the digest of its body as its `ETag`.
    #[must_use]
    pub const fn digested(self) -> ResponseSpec {
        ResponseSpec {
            entity_tag: EntityTag::Digest,
            ..self
        }
    }

    /// Marks the response as readable for scripts of every origin.
    #[must_use]
    pub const fn public(self) -> ResponseSpec {
        ResponseSpec {
            public: true,
            ..self
        }
    }
}

/// The future that a handler returns. If it is dropped at any await, every change is complete or
/// not made.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<Reply, Error>> + Send>>;

/// A checked token that belongs to a user.
#[derive(Clone)]
pub struct UserBearer {
    /// The checked token.
    pub bearer: Bearer,
    /// The user who owns the token.
    pub user: Arc<User>,
}

/// The function that handles a request. Its type says who may call it: only `dispatch` can make the
/// extra arguments, from a checked token.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Anyone may call it, without a token.
    Open(fn(RequestContext) -> HandlerFuture),
    /// Needs a live token.
    Authenticated(fn(RequestContext, Bearer) -> HandlerFuture),
    /// Needs a live token, of a machine one with this scope.
    AuthenticatedOr(Scope, fn(RequestContext, Bearer) -> HandlerFuture),
    /// Needs a live token of the administrator, a machine token with the scope `admin`, or the
    /// control socket.
    Admin(fn(RequestContext, Administrator) -> HandlerFuture),
    /// As `Admin`; a machine token with this scope will do.
    AdminOr(Scope, fn(RequestContext, Administrator) -> HandlerFuture),
    /// Needs a live token of a user.
    User(fn(RequestContext, UserBearer) -> HandlerFuture),
}

impl Handler {
    /// Who may call it, as the API guide says it.
    pub fn who(&self) -> String {
        match self {
            Handler::Open(_) => "anybody".to_owned(),
            Handler::Authenticated(_) => "a live token".to_owned(),
            Handler::AuthenticatedOr(scope, _) => {
                format!("a live token; a machine with `{}`", scope.as_str())
            }
            Handler::Admin(_) => "the administrator".to_owned(),
            Handler::AdminOr(scope, _) => {
                format!("the administrator; a machine with `{}`", scope.as_str())
            }
            Handler::User(_) => "a user".to_owned(),
        }
    }

    /// The scope with which a machine token may call it; none: no machine token may.
    pub const fn scope(&self) -> Option<Scope> {
        match self {
            Handler::Open(_) | Handler::Authenticated(_) | Handler::User(_) => None,
            Handler::Admin(_) => Some(Scope::Admin),
            Handler::AuthenticatedOr(scope, _) | Handler::AdminOr(scope, _) => Some(*scope),
        }
    }
}

/// One entry of an API's table.
pub struct Route {
    /// Its name in the API guide, in measurements and in tests.
    pub name: &'static str,
    /// Its method.
    pub method: Method,
    /// Its path: ASCII, starts with `/`; a segment written `{name}` is a parameter.
    pub path: &'static str,
    /// The query parameters that it knows.
    pub query: RequestQuery,
    /// The request body that it accepts.
    pub body: RequestBody,
    /// Its successful responses.
    pub responses: &'static [ResponseSpec],
    /// Its own errors, in addition to those that every route may answer.
    pub errors: &'static [ErrorCode],
    /// The handler that runs.
    pub run: Handler,
    /// A sentence that says what the route does.
    pub about: &'static str,
}

/// Errors that every route may answer. Internal errors are never listed.
const COMMON_ERRORS: &[ErrorCode] = &[
    ErrorCode::Invalid,
    ErrorCode::UnsupportedMediaType,
    ErrorCode::TooManyRequests,
    ErrorCode::Busy,
    ErrorCode::Unavailable,
];

impl Route {
    /// The errors of a caller who lacks the required token or permission.
    pub fn access_errors(&self) -> &'static [ErrorCode] {
        match self.run {
            Handler::Open(_) => &[],
            _ => &[
                ErrorCode::NoToken,
                ErrorCode::BadToken,
                ErrorCode::AccessTokenExpired,
                ErrorCode::TokenExpired,
                ErrorCode::NotPermitted,
            ],
        }
    }

    /// Every error that the route may answer: its own, those of its access and its body, and those
    /// of every route.
    pub fn possible_errors(&self) -> Vec<ErrorCode> {
        let of_body: &[ErrorCode] = match self.body {
            RequestBody::Nothing | RequestBody::Anything => &[],
            RequestBody::Json(_) | RequestBody::Form(_) | RequestBody::Events(_) => {
                &[ErrorCode::RequestTimeout, ErrorCode::BodyTooLarge]
            }
        };
        [self.errors, self.access_errors(), of_body, COMMON_ERRORS].concat()
    }
}

/// Renders an error in the shape of an API. Most take the status and text from the error; an API
/// may choose others.
pub type ErrorRenderer = fn(&Error) -> RenderedError;

/// An API: its routes and its error renderer.
pub struct Api {
    /// Its name. Tables with one name are parts of one API.
    pub name: &'static str,
    /// Path prefixes: the table is served under each of them; `""` means without a prefix.
    pub mounts: &'static [&'static str],
    /// Its routes.
    pub routes: &'static [Route],
    /// Renders its errors.
    pub render_error: ErrorRenderer,
}
