//! The successful answer of a handler.

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;

use super::BodySender;

/// Starts to produce the body of a stream, once it is certain that the body will be sent.
type Start = Box<dyn FnOnce(BodySender) + Send>;

/// The answer of a handler. `dispatch` adds the headers that every answer has.
pub struct Reply {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: ReplyBody,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) no_store: bool,
}

/// The body of a reply.
pub(super) enum ReplyBody {
    /// The whole body. `dispatch` turns a serialization error into a 500.
    Whole(Result<Bytes, serde_json::Error>),
    /// Produces the body while it is sent.
    Stream(Start),
}

impl Reply {
    /// `value` as JSON. If it cannot be serialized, the client gets a 500.
    pub fn json(status: u16, value: &impl Serialize) -> Reply {
        let body = serde_json::to_vec(value).map(Bytes::from);
        Reply::new(status, Some("application/json"), body)
    }

    /// Plain text.
    pub fn text(status: u16, text: impl Into<Bytes>) -> Reply {
        Reply::bytes(status, "text/plain; charset=utf-8", text)
    }

    /// A body of any other type.
    pub fn bytes(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Reply {
        Reply::new(status, Some(content_type), Ok(body.into()))
    }

    /// No body.
    pub fn empty(status: u16) -> Reply {
        Reply::new(status, None, Ok(Bytes::new()))
    }

    /// A body that is produced while it is sent. `start` must not block: it passes the
    /// [`BodySender`] to the task or thread that produces the body. It is not called for HEAD.
    pub fn stream(
        status: u16,
        content_type: &'static str,
        start: impl FnOnce(BodySender) + Send + 'static,
    ) -> Reply {
        let mut reply = Reply::bytes(status, content_type, Bytes::new());
        reply.body = ReplyBody::Stream(Box::new(start));
        reply
    }

    /// Adds `Cache-Control: no-store`. A reply whose `ResponseSpec` is `secret` gets it
    /// automatically.
    #[must_use]
    pub fn no_store(mut self) -> Reply {
        self.no_store = true;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Reply {
        self.headers.push((name, value));
        self
    }

    /// Its status.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    fn new(
        status: u16,
        content_type: Option<&'static str>,
        body: Result<Bytes, serde_json::Error>,
    ) -> Reply {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Reply {
            status,
            content_type,
            body: ReplyBody::Whole(body),
            headers: Vec::new(),
            no_store: false,
        }
    }
}
