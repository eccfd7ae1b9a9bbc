//! A good answer, on its way to the wire.

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;

use super::BodySender;

/// Begins to make the body of an answer, once it is certain that somebody wants it.
type Start = Box<dyn FnOnce(BodySender) + Send>;

/// What a handler answers. `dispatch` adds the headers that every answer has.
pub struct Reply {
    pub(super) status: StatusCode,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: ReplyBody,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) no_store: bool,
}

/// The body of a reply.
pub(super) enum ReplyBody {
    /// All of it. What could not be written as JSON becomes a 500 at the edge.
    Whole(Result<Bytes, serde_json::Error>),
    /// What makes it on the way.
    Stream(Start),
}

impl Reply {
    /// `value` as JSON.
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

    /// A body that is made while it is sent. `start` must not wait: it hands the feed to whoever
    /// makes the body. It is not called for HEAD.
    pub fn stream(
        status: u16,
        content_type: &'static str,
        start: impl FnOnce(BodySender) + Send + 'static,
    ) -> Reply {
        let mut reply = Reply::bytes(status, content_type, Bytes::new());
        reply.body = ReplyBody::Stream(Box::new(start));
        reply
    }

    /// The same reply, which no cache may keep. A route whose `ResponseSpec` says `secret` has it
    /// without asking.
    #[must_use]
    pub fn no_store(mut self) -> Reply {
        self.no_store = true;
        self
    }

    /// The same reply with one more header.
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
