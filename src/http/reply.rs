//! The successful answer of a handler.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH};
use serde::Serialize;

use super::BodySender;
use crate::crypto;

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

    /// Adds the digest of the body as a strong `ETag`. If the request has it in `If-None-Match`,
    /// the reply becomes a 304 without a body (RFC 9110, 13.1.2).
    #[must_use]
    pub fn unless_known(mut self, asked: &HeaderMap) -> Reply {
        let ReplyBody::Whole(Ok(body)) = &self.body else {
            return self;
        };
        let tag = format!("\"{}\"", BASE64.encode(crypto::digest(body).0));
        if asked
            .get_all(IF_NONE_MATCH)
            .iter()
            .any(|it| lists(it, &tag))
        {
            self.status = StatusCode::NOT_MODIFIED;
            self.content_type = None;
            self.body = ReplyBody::Whole(Ok(Bytes::new()));
        }
        match HeaderValue::from_str(&tag) {
            Ok(tag) => self.header(ETAG, tag),
            Err(_) => self,
        }
    }

    /// Adds the version of the resource as its `ETag`, for `If-Match` of a later request.
    #[must_use]
    pub fn version(self, version: u64) -> Reply {
        match HeaderValue::from_str(&format!("\"{version:016x}\"")) {
            Ok(tag) => self.header(ETAG, tag),
            Err(_) => self,
        }
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

/// Whether a list of entity tags is `*` or has this one. The comparison is weak: `W/` before a tag
/// does not matter.
fn lists(value: &HeaderValue, tag: &str) -> bool {
    let listed = value.as_bytes().split(|&byte| byte == b',');
    let mut listed = listed.map(<[u8]>::trim_ascii);
    listed.any(|it| it == b"*" || it.strip_prefix(b"W/").unwrap_or(it) == tag.as_bytes())
}
