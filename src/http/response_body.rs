//! The body of an answer: whole, or a stream that is produced while it is sent. A whole body costs
//! only its bytes. A stream passes through a channel of a few chunks, so that the producer never
//! runs far ahead of the client. It is complete only after [`BodySender::finish`]: if the producer
//! fails, panics or is cancelled, the connection is aborted, so that the client never takes a part
//! for the whole.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use http_body_util::Full;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::sync::{mpsc, watch};

/// Number of chunks that may wait for the client: one is being written to the socket, one is being
/// produced, and the others absorb differences in speed.
const WAITING_CHUNKS: usize = 4;

/// The body of an answer.
pub enum ResponseBody {
    /// The whole body is in memory.
    Whole(Full<Bytes>),
    /// The body is produced while it is sent.
    Stream(Stream),
    /// The answer to HEAD for a body that would be a stream; it is not produced.
    Unsent,
}

/// The receiving end of a stream; hyper reads chunks from it.
pub struct Stream {
    chunks: mpsc::Receiver<Bytes>,
    complete: Arc<AtomicBool>,
    /// A value that must live as long as the stream; dropped with it.
    guard: Option<Box<dyn Any + Send>>,
}

/// The sending end of a stream, for the producer. If it is dropped without [`BodySender::finish`],
/// the connection is aborted.
pub struct BodySender {
    chunks: mpsc::Sender<Bytes>,
    complete: Arc<AtomicBool>,
    stopping: watch::Receiver<bool>,
    /// Describes the request, for the log.
    about: String,
}

/// Sending failed: the client's end of the stream is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed;

/// A stream ended before [`BodySender::finish`] was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aborted;

impl ResponseBody {
    /// A body that is completely in memory.
    pub(super) fn whole(body: Bytes) -> ResponseBody {
        ResponseBody::Whole(Full::new(body))
    }

    /// A stream and the sender for its chunks. `stopping` becomes true when the server shuts down.
    /// `about` describes the request in the log.
    pub(super) fn stream(
        stopping: watch::Receiver<bool>,
        about: String,
    ) -> (ResponseBody, BodySender) {
        let (giver, chunks) = mpsc::channel(WAITING_CHUNKS);
        let complete = Arc::new(AtomicBool::new(false));
        let sender = BodySender {
            chunks: giver,
            complete: Arc::clone(&complete),
            stopping,
            about,
        };
        let stream = Stream {
            chunks,
            complete,
            guard: None,
        };
        (ResponseBody::Stream(stream), sender)
    }

    /// If this is a stream: calls `guard` and keeps its result until the stream ends or the client
    /// disconnects.
    pub fn keep_while_streaming<G: Any + Send>(&mut self, guard: impl FnOnce() -> G) {
        if let ResponseBody::Stream(stream) = self {
            stream.guard = Some(Box::new(guard()));
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Aborted;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        match &mut *self {
            ResponseBody::Whole(full) => Pin::new(full)
                .poll_frame(context)
                .map_err(|never| match never {}),
            ResponseBody::Stream(stream) => stream.poll(context),
            ResponseBody::Unsent => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, ResponseBody::Whole(full) if full.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Whole(full) => full.size_hint(),
            ResponseBody::Stream(_) | ResponseBody::Unsent => SizeHint::default(),
        }
    }
}

impl Stream {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Aborted>>> {
        self.chunks.poll_recv(context).map(|chunk| match chunk {
            Some(chunk) => Some(Ok(Frame::data(chunk))),
            None if self.complete.load(Ordering::Acquire) => None,
            None => Some(Err(Aborted)),
        })
    }
}

impl BodySender {
    /// Sends a chunk; waits until there is room for it.
    pub async fn give(&self, chunk: impl Into<Bytes>) -> Result<(), Closed> {
        self.chunks.send(chunk.into()).await.map_err(|_| Closed)
    }

    /// Resolves when the client's end of the stream is gone, so that chunks can no longer be sent.
    pub async fn gone(&self) {
        self.chunks.closed().await;
    }

    /// Resolves when the producer should stop: the client disconnected, or the server shuts down.
    pub async fn over(&self) {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            () = self.gone() => {}
            // An error means that the dispatcher was already dropped.
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }

    /// Marks the body as complete.
    pub fn finish(self) {
        self.complete.store(true, Ordering::Release);
    }

    /// Ends the stream before its end, for a reason that is no error: logs it and aborts the
    /// connection.
    pub fn cut(self, reason: &str) {
        log::warn!("{}: the answer was cut off: {reason}", self.about);
    }

    /// Ends the stream after an error: logs the cause and aborts the connection.
    pub fn fail(self, cause: &(dyn std::error::Error + Send + Sync)) {
        log::error!(
            "{}: the answer was aborted before its end: {cause}",
            self.about
        );
    }
}

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an answer broke off before its end")
    }
}

impl std::error::Error for Aborted {}

#[cfg(test)]
mod tests {
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper::{Request, Response};
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn stream() -> (ResponseBody, BodySender, watch::Sender<bool>) {
        let (stop, stopping) = watch::channel(false);
        let (body, sender) = ResponseBody::stream(stopping, "GET /".into());
        (body, sender, stop)
    }

    /// The bytes that a client receives of a body that `make` produces.
    async fn heard(make: impl AsyncFnOnce(BodySender)) -> String {
        let (mut client, server) = tokio::io::duplex(1024);
        let (body, sender, _stop) = stream();
        let body = std::sync::Mutex::new(Some(body));
        let answer = service_fn(async |_: Request<hyper::body::Incoming>| {
            Ok::<_, Aborted>(Response::new(body.lock().unwrap().take().unwrap()))
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(server), answer);
        let ask = async {
            let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            client.write_all(request).await.unwrap();
            let mut heard = String::new();
            client.read_to_string(&mut heard).await.unwrap();
            heard
        };
        let (heard, _, ()) = tokio::join!(ask, connection, make(sender));
        heard
    }

    #[tokio::test]
    async fn a_finished_stream_ends_and_a_broken_one_does_not() {
        let finished = heard(async |sender| {
            sender.give(b"half".to_vec()).await.unwrap();
            sender.finish();
        });
        let finished = finished.await;
        assert!(finished.ends_with("4\r\nhalf\r\n0\r\n\r\n"), "{finished}");
        let broken = heard(async |sender| {
            sender.give(b"half".to_vec()).await.unwrap();
            sender.fail(&std::io::Error::other("the disk is gone"));
        });
        assert!(!broken.await.contains("0\r\n\r\n"));
        let dropped = heard(async |sender| sender.give(b"half".to_vec()).await.unwrap());
        assert!(!dropped.await.contains("0\r\n\r\n"));
    }

    #[tokio::test]
    async fn the_maker_notices_that_nobody_listens_or_that_the_server_stops() {
        let (body, sender, _stop) = stream();
        drop(body);
        sender.over().await;
        assert_eq!(sender.give(Vec::new()).await, Err(Closed));
        let (_body, sender, stop) = stream();
        stop.send_replace(true);
        sender.over().await;
        assert_eq!(sender.give(Vec::new()).await, Ok(()));
    }

    #[tokio::test]
    async fn a_guard_lasts_as_long_as_its_stream_and_a_whole_body_takes_none() {
        let held = Arc::new(());
        let (mut body, _feed, _stop) = stream();
        body.keep_while_streaming(|| Arc::clone(&held));
        assert_eq!(Arc::strong_count(&held), 2);
        drop(body);
        ResponseBody::whole(Bytes::new()).keep_while_streaming(|| Arc::clone(&held));
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
