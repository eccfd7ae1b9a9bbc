//! HTTP in itself: routes, requests, replies, failures, and the one path that every request takes. It knows no API: an
//! API is a table of routes and a way to word errors, and hands both in.

mod address;
mod body;
mod call;
mod cors;
mod dispatch;
mod failure;
mod field;
mod guard;
mod journal;
pub mod json;
mod outgoing;
mod presented;
mod reply;
mod request_id;
mod route;
mod router;

pub use call::{Call, read, read_object, read_scanning};
pub use dispatch::Dispatcher;
pub use failure::{Code, Failure, Worded};
pub use field::{Field, Kind, Wire};
pub(crate) use field::{answer, body, fielded};
pub use outgoing::{BrokenOff, Feed, Gone, Outgoing};
pub use presented::Presented;
pub use reply::Reply;
pub use request_id::RequestId;
pub use route::{Answering, Api, Dialect, Gives, Handler, Route, Shape, Takes, UserBearer, Verb};
pub use router::{Params, Place, Resource, Router};
