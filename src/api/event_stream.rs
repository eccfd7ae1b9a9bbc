//! Server-sent events (WHATWG HTML, 9.2), as all live streams use them.

use hyper::header::{HeaderName, HeaderValue};

use crate::http::{BodySender, Reply};

const EVENT_STREAM: &str = "text/event-stream";
/// The content type of a live stream.
pub(super) const CONTENT_TYPES: &[&str] = &[EVENT_STREAM];

/// Asks nginx, which is often used as a proxy, not to buffer small chunks.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const NO: HeaderValue = HeaderValue::from_static("no");
/// A comment, which clients ignore. It keeps the connection open and shows that it is alive. The
/// first one comes at once: some proxies hold back the head of an answer until its body begins.
pub(super) const HEARTBEAT: &[u8] = b":\n\n";

/// The answer whose body `stream` sends.
pub(super) fn reply(stream: impl FnOnce(BodySender) + Send + 'static) -> Reply {
    Reply::stream(200, EVENT_STREAM, stream)
        .no_store()
        .header(BUFFERING, NO)
}

/// The message that says how much was stored but not delivered.
pub(super) fn missed(count: u64) -> Vec<u8> {
    format!("event: missed\ndata: {{\"missed\":{count}}}\n\n").into_bytes()
}
