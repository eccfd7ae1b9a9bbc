//! The HTTP layer: routes, requests, replies, errors, and the one path that every request takes. It
//! knows no particular API: each API supplies a table of routes and an error renderer.

mod access_log;
mod authorized;
mod bearer_token;
mod body_budget;
mod body_reader;
mod client_ip;
mod content_coding;
mod content_type;
mod cors;
mod dispatch;
mod error;
mod error_code;
mod incoming_body;
pub mod json;
mod json_body;
pub mod json_repair;
pub mod openapi;
mod path_params;
mod query_string;
mod reply;
mod request_context;
mod request_id;
mod request_validation;
mod response_body;
mod route;
mod router;
mod schema;
mod target;
mod word;

pub use bearer_token::BearerToken;
pub use dispatch::Dispatcher;
pub use error::{Error, RenderedError};
pub use error_code::ErrorCode;
pub use json_body::{read, read_object, read_scanning};
pub use path_params::Params;
pub use query_string::{QueryString, RequestQuery};
pub use reply::Reply;
pub use request_context::{LazyBody, PeerUid, RequestContext};
pub use response_body::{Aborted, BodySender, Closed, ResponseBody};
pub use route::{
    Api, BodySchema, EntityTag, ErrorRenderer, Handler, HandlerFuture, Method, RequestBody,
    ResponseSpec, Route, UserBearer,
};
pub use router::{NumberedRoute, Resource, RouteMatch, Router};
pub use schema::{Field, JsonKind, JsonType};
pub(crate) use schema::{json_request, json_response, with_schema};
pub(crate) use word::words;
pub use word::{OneOf, Word};
