//! A route: one entry of an API's table. Routing, 405 and `Allow`, HEAD, OPTIONS, CORS, body limits, the API guide and the
//! tests that loop over every route are computed from it.

use std::pin::Pin;
use std::sync::Arc;

use hyper::Method;

use super::{Call, Code, Failure, Field, Reply, Worded};
use crate::model::User;
use crate::service::Bearer;

/// A method that a route may have. HEAD and OPTIONS are answered from these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
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

impl Verb {
    /// Every verb, in the order in which `Allow` lists them.
    pub const ALL: [Verb; 5] = [Verb::Get, Verb::Post, Verb::Patch, Verb::Put, Verb::Delete];

    /// The verb that answers `method`; none for OPTIONS and for whatever is not served at all.
    pub fn of(method: &Method) -> Option<Verb> {
        match *method {
            Method::GET | Method::HEAD => Some(Verb::Get),
            Method::POST => Some(Verb::Post),
            Method::PATCH => Some(Verb::Patch),
            Method::PUT => Some(Verb::Put),
            Method::DELETE => Some(Verb::Delete),
            _ => None,
        }
    }

    /// The method as it is written on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Patch => "PATCH",
            Verb::Put => "PUT",
            Verb::Delete => "DELETE",
        }
    }
}

/// What a route wants in a request's body.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// No body; one that comes is thrown away.
    Nothing,
    /// A JSON object with these fields, of at most `limits.body`.
    Json(&'static [Field]),
    /// Events, of at most `limits.event_body`, each with these fields.
    Events(&'static [Field]),
    /// Whatever comes, of whatever content type. What is longer than `limits.body` or cannot be read counts as empty.
    Anything,
}

/// What the body of an answer looks like.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
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
    /// Made while it is sent, in one of these content types; without an announced length, so that its end must be seen.
    Stream(&'static [&'static str]),
}

/// One good answer of a route.
#[derive(Debug, Clone, Copy)]
pub struct Gives {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Shape,
    /// Whether it hands out a secret: then it is answered with `Cache-Control: no-store`.
    pub secret: bool,
    /// What it means, as a sentence.
    pub about: &'static str,
}

impl Gives {
    /// An answer with a body of this shape.
    pub const fn new(status: u16, body: Shape, about: &'static str) -> Gives {
        Gives {
            status,
            body,
            secret: false,
            about,
        }
    }

    /// An answer without a body.
    pub const fn empty(status: u16, about: &'static str) -> Gives {
        Gives::new(status, Shape::Empty, about)
    }

    /// An answer with a JSON object.
    pub const fn json(status: u16, fields: &'static [Field], about: &'static str) -> Gives {
        Gives::new(status, Shape::Json(fields), about)
    }

    /// An answer that is made while it is sent.
    pub const fn stream(
        status: u16,
        content_types: &'static [&'static str],
        about: &'static str,
    ) -> Gives {
        Gives::new(status, Shape::Stream(content_types), about)
    }

    /// The same answer, which hands out a secret.
    #[must_use]
    pub const fn secret(self) -> Gives {
        Gives {
            secret: true,
            ..self
        }
    }
}

/// What a handler gives back: its answer, later. Dropping it at any await leaves every change whole or undone.
pub type Answering = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;

/// A bearer that is a user.
#[derive(Clone)]
pub struct UserBearer {
    /// The token that was shown.
    pub bearer: Bearer,
    /// Whose it is.
    pub user: Arc<User>,
}

/// The function that answers. Its type says who may call it: only `dispatch` can make the further arguments, out of a
/// token that was checked.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Anybody may.
    Open(fn(Call) -> Answering),
    /// Whoever shows a live token.
    Holder(fn(Call, Bearer) -> Answering),
    /// Whoever shows a live token of the administrator.
    Admin(fn(Call, Bearer) -> Answering),
    /// Whoever shows a live token of a user.
    User(fn(Call, UserBearer) -> Answering),
}

/// One entry of an API's table.
pub struct Route {
    /// What it is called: in the guide, in measurements, in tests.
    pub name: &'static str,
    /// Its method.
    pub verb: Verb,
    /// Its path: ASCII, beginning with `/`; a segment written `{name}` is a parameter.
    pub path: &'static str,
    /// What it wants in the body.
    pub takes: Takes,
    /// Its good answers.
    pub gives: &'static [Gives],
    /// How it may fail by itself, beyond what every route may answer.
    pub fails: &'static [Code],
    /// What answers it.
    pub run: Handler,
    /// What it does, as a sentence.
    pub about: &'static str,
}

/// How an API words a failure. Most take status and text from the failure; a dialect may deviate.
pub type Dialect = fn(&Failure) -> Worded;

/// An API: its routes, and its way to say that something went wrong.
pub struct Api {
    /// What it is called.
    pub name: &'static str,
    /// The prefixes under each of which its table is served; `""` for the paths as they stand.
    pub mounts: &'static [&'static str],
    /// Its table.
    pub routes: &'static [Route],
    /// How it words errors.
    pub dialect: Dialect,
}
