//! Reads a request body that is still arriving.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use hyper::body::{Body, Bytes};
use hyper::header::{EXPECT, HeaderMap};
use tokio::time::{Instant, timeout, timeout_at};

use super::body_budget::{BodyShare, FREE_BYTES};
use super::{Error, ErrorCode};
use crate::config::Limits;

/// Most bytes to read and discard of the body of a rejected request. Without this the client would
/// see a broken connection instead of the answer.
const DISCARD_BYTES: usize = 16 * 1024 * 1024;
/// Longest time to spend on discarding.
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// How long a body may be and how slowly it may arrive.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// Its greatest length.
    pub(super) bytes: usize,
    /// The longest time from the first read to its end.
    pub(super) time: Duration,
    /// At least `least_bytes` must arrive within each `window`, or the rest of the body.
    pub(super) window: Duration,
    pub(super) least_bytes: usize,
}

impl BodyLimits {
    /// The configured limits, for a body of at most `bytes` bytes.
    pub(super) fn new(bytes: usize, limits: &Limits) -> BodyLimits {
        let window = limits.rate_window();
        let millis = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let least_bytes = limits.least_rate.saturating_mul(millis) / 1000;
        BodyLimits {
            bytes,
            time: limits.body_timeout,
            window,
            least_bytes: usize::try_from(least_bytes).unwrap_or(usize::MAX),
        }
    }
}

/// A request body. With `Expect: 100-continue` the client sends it only after the first read.
pub(super) struct IncomingBody<B> {
    body: B,
    /// Do not wait for more data. Either the request has `Expect` and nothing was read yet: a read
    /// would ask the client to send the body (RFC 9110, 10.1.1). Or a read timed out.
    stuck: bool,
    over: bool,
    /// Some of it was not there when it was first asked for.
    waited: bool,
}

impl<B: Body<Data = Bytes> + Unpin> IncomingBody<B> {
    /// The body of a request with these headers.
    pub(super) fn new(body: B, headers: &HeaderMap) -> IncomingBody<B> {
        let over = body.is_end_stream();
        IncomingBody {
            body,
            stuck: headers.contains_key(EXPECT),
            over,
            waited: false,
        }
    }

    /// Whether the body is empty or was read to its end.
    pub(super) fn is_empty(&self) -> bool {
        self.over
    }

    /// Whether a read had to wait for the client.
    pub(super) fn has_waited(&self) -> bool {
        self.waited
    }

    /// Whether the announced length is greater than `limit` bytes.
    pub(super) fn is_announced_above(&self, limit: usize) -> bool {
        usize::try_from(self.body.size_hint().lower()).unwrap_or(usize::MAX) > limit
    }

    /// Reads the whole body, which `share` then covers. Errors: `BodyTooLarge`, `RequestTimeout` if
    /// it takes too long or arrives too slowly, `Busy` if the budget is used up, `Invalid` if the
    /// transfer fails.
    pub(super) async fn read(
        &mut self,
        limits: &BodyLimits,
        share: &mut BodyShare,
    ) -> Result<Bytes, Error> {
        if self.over {
            return Ok(Bytes::new());
        }
        if self.is_announced_above(limits.bytes) {
            return Err(Error::new(ErrorCode::BodyTooLarge));
        }
        self.stuck = false;
        let mut pace = Pace::new(limits);
        let first = self.next_in_time(&mut pace).await?.unwrap_or_default();
        // Most bodies arrive in one piece, which is not copied.
        let whole = if self.is_over() {
            share.cover(first.len())?;
            first
        } else {
            self.gather(first, limits, &mut pace, share).await?
        };
        if whole.len() > limits.bytes {
            return Err(Error::new(ErrorCode::BodyTooLarge));
        }
        Ok(whole)
    }

    /// Copies the pieces into one. It reserves memory as pieces arrive, at most as much again as
    /// has arrived, so that a client cannot occupy memory by announcing a length.
    async fn gather(
        &mut self,
        first: Bytes,
        limits: &BodyLimits,
        pace: &mut Pace,
        share: &mut BodyShare,
    ) -> Result<Bytes, Error> {
        let announced = self.body.size_hint().upper().unwrap_or(u64::MAX);
        let announced = usize::try_from(announced).unwrap_or(usize::MAX);
        let longest = limits.bytes.min(announced.saturating_add(first.len()));
        let mut whole = Vec::new();
        let mut next = Some(first);
        while let Some(piece) = next {
            let length = whole.len() + piece.len();
            if length > limits.bytes {
                return Err(Error::new(ErrorCode::BodyTooLarge));
            }
            if length > whole.capacity() {
                let capacity = (2 * length).max(FREE_BYTES).min(longest).max(length);
                share.cover(capacity)?;
                whole.reserve_exact(capacity - whole.len());
            }
            whole.extend_from_slice(&piece);
            drop(piece);
            next = self.next_in_time(pace).await?;
        }
        Ok(whole.into())
    }

    /// As `next`. Error: `RequestTimeout` if the piece does not arrive in time.
    async fn next_in_time(&mut self, pace: &mut Pace) -> Result<Option<Bytes>, Error> {
        let Ok(next) = timeout_at(pace.deadline(), self.next()).await else {
            self.stuck = true;
            return Err(Error::new(ErrorCode::RequestTimeout));
        };
        let piece = next?;
        pace.count(piece.as_ref().map_or(0, Bytes::len));
        Ok(piece)
    }

    /// Whether the end was read, or follows from the announced length.
    fn is_over(&mut self) -> bool {
        self.over = self.over || self.body.is_end_stream();
        self.over
    }

    /// The next piece; `None` at the end. Trailers are dropped.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = poll_fn(|context| {
                let frame = Pin::new(&mut self.body).poll_frame(context);
                self.waited |= frame.is_pending();
                frame
            });
            match frame.await {
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

/// Holds a body that arrives against its limits.
struct Pace {
    /// When the whole body must have arrived.
    end: Instant,
    /// When the current window ends.
    window_end: Instant,
    /// How many bytes must arrive before that.
    owed: usize,
    window: Duration,
    least_bytes: usize,
}

impl Pace {
    fn new(limits: &BodyLimits) -> Pace {
        let now = Instant::now();
        Pace {
            end: now + limits.time,
            window_end: now + limits.window,
            owed: limits.least_bytes,
            window: limits.window,
            least_bytes: limits.least_bytes,
        }
    }

    /// When the next piece must have arrived.
    fn deadline(&self) -> Instant {
        self.end.min(self.window_end)
    }

    /// Counts bytes that have arrived. As soon as enough have, the next window begins.
    fn count(&mut self, bytes: usize) {
        self.owed = self.owed.saturating_sub(bytes);
        if self.owed == 0 {
            self.window_end = Instant::now() + self.window;
            self.owed = self.least_bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::path::Path;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll};

    use hyper::body::Frame;

    use super::*;
    use crate::config;
    use crate::http::body_budget::{BodyBudget, BudgetBounds};

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

    /// Reads at most five bytes.
    async fn read(body: &mut IncomingBody<Pieces>) -> Result<Bytes, ErrorCode> {
        let config = config::parse("", Path::new(".")).unwrap();
        let mut share =
            Arc::<BodyBudget>::default().share(BudgetBounds::of(&config), [192, 0, 2, 1].into());
        let limits = BodyLimits::new(5, &config.limits);
        body.read(&limits, &mut share).await.map_err(|it| it.code())
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_refused_at_its_limit() {
        assert_eq!(read(&mut pending(&[])).await.unwrap(), "");
        assert_eq!(read(&mut pending(&["abcde"])).await.unwrap(), "abcde");
        let pieces = ["ab", "c", "de"];
        assert_eq!(read(&mut pending(&pieces)).await.unwrap(), "abcde");
        for long in [&["abcdef"][..], &["abc", "def", "g"]] {
            let mut long = pending(long);
            assert_eq!(read(&mut long).await, Err(ErrorCode::BodyTooLarge));
            assert!(long.settle().await);
        }
    }

    #[tokio::test]
    async fn a_body_that_waits_to_be_asked_for_is_not_asked_for_to_be_thrown_away() {
        let mut headers = HeaderMap::new();
        headers.insert(EXPECT, "100-continue".parse().unwrap());
        let mut waiting = IncomingBody::new(Pieces(["abc"].into()), &headers);
        assert!(!waiting.settle().await && waiting.body.0.len() == 1);
    }
}
