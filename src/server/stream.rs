//! A connection over TCP, or over a unix socket.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// A connection.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Waits for the first byte and leaves it in the socket. False: the connection has ended.
    pub(super) async fn first_byte(&self) -> bool {
        match self {
            Stream::Tcp(stream) => stream.peek(&mut [0]).await.is_ok_and(|bytes| bytes > 0),
            Stream::Unix(stream) => {
                let peek = || Ok(recv(stream, &mut [0_u8], RecvFlags::PEEK)?.0);
                let peeked = stream.async_io(Interest::READABLE, peek).await;
                peeked.is_ok_and(|bytes| bytes > 0)
            }
        }
    }

    /// Over TCP, sends answers without delay (`TCP_NODELAY`). On Linux, also closes the connection
    /// of a client that does not accept data for `patience`. A unix socket needs neither.
    pub(super) fn prepare(&self, patience: Duration) {
        let Stream::Tcp(stream) = self else { return };
        let millis = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        let set = stream
            .set_nodelay(true)
            .and_then(|()| limit_silence(stream, millis));
        if let Err(error) = set {
            log::debug!("cannot set the options of a connection: {error}");
        }
    }

    /// The system's user at the other end of a unix socket.
    pub(super) fn peer_uid(&self) -> Option<u32> {
        match self {
            Stream::Tcp(_) => None,
            Stream::Unix(stream) => stream.peer_cred().ok().map(|peer| peer.uid()),
        }
    }

    /// Whether the bytes may leave this machine: only then are they encrypted.
    pub(super) fn is_network(&self) -> bool {
        matches!(self, Stream::Tcp(_))
    }
}

#[cfg(target_os = "linux")]
fn limit_silence(stream: &TcpStream, millis: u32) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_tcp_user_timeout(stream, millis)?)
}

#[cfg(not(target_os = "linux"))]
fn limit_silence(_: &TcpStream, _: u32) -> io::Result<()> {
    Ok(())
}

/// Calls a method of the stream inside.
macro_rules! pass_on {
    ($self:ident.$method:ident($($argument:expr),*)) => {
        match $self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Unix(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        pass_on!(self.poll_read(context, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        pass_on!(self.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        pass_on!(self.poll_write_vectored(context, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        true // both kinds are
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pass_on!(self.poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pass_on!(self.poll_shutdown(context))
    }
}
