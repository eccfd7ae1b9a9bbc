//! Reads a request body that is still arriving.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use hyper::header::{EXPECT, HeaderMap};
use tokio::time::timeout;

use super::{Error, ErrorCode};

/// Most bytes to read and discard of the body of a rejected request. Without this the client would
/// see a broken connection instead of the answer.
const DISCARD_BYTES: usize = 16 * 1024 * 1024;
/// Longest time to spend on discarding.
const DISCARD_TIME: Duration = Duration::from_secs(1);
/// Most memory to reserve for data that has not arrived yet, in bytes.
const FIRST_RESERVE: usize = 64 * 1024;

/// A request body. With `Expect: 100-continue` the client sends it only after the first read.
pub(super) struct IncomingBody<B> {
    body: B,
    /// Do not wait for more data. Either the request has `Expect` and nothing was read yet: a read
    /// would ask the client to send the body (RFC 9110, 10.1.1). Or a read timed out.
    stuck: bool,
    over: bool,
}

impl<B: Body<Data = Bytes> + Unpin> IncomingBody<B>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// The body of a request with these headers.
    pub(super) fn new(body: B, headers: &HeaderMap) -> IncomingBody<B> {
        let over = body.is_end_stream();
        IncomingBody {
            body,
            stuck: headers.contains_key(EXPECT),
            over,
        }
    }

    /// Whether the body is empty or was read to its end.
    pub(super) fn is_empty(&self) -> bool {
        self.over
    }

    /// Whether the announced length is greater than `limit` bytes.
    pub(super) fn is_announced_above(&self, limit: usize) -> bool {
        usize::try_from(self.body.size_hint().lower()).unwrap_or(usize::MAX) > limit
    }

    /// Reads the whole body. Errors: `BodyTooLarge` above `limit` bytes, `RequestTimeout` after
    /// `time`, `Invalid` if the transfer fails.
    pub(super) async fn read(&mut self, limit: usize, time: Duration) -> Result<Bytes, Error> {
        if self.over {
            return Ok(Bytes::new());
        }
        if self.is_announced_above(limit) {
            return Err(Error::new(ErrorCode::BodyTooLarge));
        }
        self.stuck = false;
        let read = timeout(time, self.collect(limit)).await;
        self.stuck = read.is_err();
        read.unwrap_or_else(|_| Err(Error::new(ErrorCode::RequestTimeout)))
    }

    async fn collect(&mut self, limit: usize) -> Result<Bytes, Error> {
        let mut first = Bytes::new();
        let mut whole = Vec::new();
        let mut length = 0;
        while let Some(data) = self.next().await? {
            length += data.len();
            if length > limit {
                return Err(Error::new(ErrorCode::BodyTooLarge));
            }
            if first.is_empty() {
                first = data;
                continue;
            }
            // Most bodies arrive in one piece, which is not copied.
            if whole.is_empty() {
                let hint = usize::try_from(self.body.size_hint().lower()).unwrap_or(0);
                whole.reserve(length + hint.min(FIRST_RESERVE));
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&data);
        }
        Ok(if whole.is_empty() {
            first
        } else {
            whole.into()
        })
    }

    /// The next piece; `None` at the end. Trailers are dropped.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            match self.body.frame().await {
                None => {
                    self.over = true;
                    return Ok(None);
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => return Ok(Some(data)),
                    Err(_trailers) => {}
                },
                Some(Err(_)) => {
                    self.over = true;
                    return Err(Error::invalid("The body could not be read to its end"));
                }
            }
        }
    }

    /// Discards the unread part of the body, within `DISCARD_BYTES` and `DISCARD_TIME`. False if
    /// the end was not reached: then the connection cannot be reused.
    pub(super) async fn settle(&mut self) -> bool {
        if self.over || self.stuck {
            return self.over;
        }
        let mut left = DISCARD_BYTES;
        let discard = async {
            while let Ok(Some(data)) = self.next().await {
                left = left.saturating_sub(data.len());
                if left == 0 {
                    break;
                }
            }
        };
        // A timeout is not an error here: `over` says whether the end was reached.
        let _ = timeout(DISCARD_TIME, discard).await;
        self.over
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;

    struct Pieces(VecDeque<&'static str>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(
                self.0
                    .pop_front()
                    .map(|it| Ok(Frame::data(Bytes::from_static(it.as_bytes())))),
            )
        }
    }

    fn pending(pieces: &[&'static str]) -> IncomingBody<Pieces> {
        IncomingBody::new(Pieces(pieces.iter().copied().collect()), &HeaderMap::new())
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_refused_at_its_limit() {
        let time = Duration::from_secs(5);
        assert_eq!(pending(&[]).read(5, time).await.unwrap(), "");
        assert_eq!(
            pending(&["ab", "c", "de"]).read(5, time).await.unwrap(),
            "abcde"
        );
        let mut long = pending(&["abc", "def", "g"]);
        assert_eq!(
            long.read(5, time).await.unwrap_err().code(),
            ErrorCode::BodyTooLarge
        );
        assert!(!long.is_empty() && long.settle().await);
    }

    #[tokio::test]
    async fn a_body_that_waits_to_be_asked_for_is_not_asked_for_to_be_thrown_away() {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECT, "100-continue".parse().unwrap());
        let mut waiting = IncomingBody::new(Pieces(["abc"].into()), &headers);
        assert!(!waiting.settle().await && waiting.body.0.len() == 1);
    }
}
