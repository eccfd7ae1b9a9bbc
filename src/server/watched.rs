//! A socket and a request body that tell their connection's slot whose turn it is: the client's,
//! while bytes of a request are missing or an answer cannot be written, or the server's.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection_pool::Slot;

/// A socket, or a request body, of the connection in a slot.
pub(super) struct Watched<'a, T> {
    inner: T,
    slot: &'a Slot,
}

impl<'a, T: Unpin> Watched<'a, T> {
    pub(super) fn new(inner: T, slot: &'a Slot) -> Watched<'a, T> {
        Watched { inner, slot }
    }

    fn inner(&mut self) -> Pin<&mut T> {
        Pin::new(&mut self.inner)
    }

    fn written(&self, polled: &Poll<io::Result<usize>>) {
        match polled {
            Poll::Pending => self.slot.wait_for_client(),
            Poll::Ready(written) => self.slot.advance(*written.as_ref().unwrap_or(&0)),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<'_, S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = self.inner().poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.slot.begin();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<'_, S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = self.inner().poll_write(context, bytes);
        self.written(&polled);
        polled
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = self.inner().poll_write_vectored(context, pieces);
        self.written(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_shutdown(context)
    }
}

impl Body for Watched<'_, Incoming> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let polled = self.inner().poll_frame(context);
        match &polled {
            Poll::Pending => self.slot.wait_for_client(),
            Poll::Ready(Some(Ok(frame))) => {
                self.slot.advance(frame.data_ref().map_or(0, Bytes::len));
            }
            Poll::Ready(_) => self.slot.advance(0),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
