//! Serves one connection, from its first byte to its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot::Receiver;
use tokio::time::timeout;

use super::connection_pool::{ConnectionPool, Slot};
use super::connection_table::PoolLimits;
use super::stream::Stream;
use super::tls::Certificate;
use super::watched::Watched;
use crate::config::Limits;
use crate::http::{Dispatcher, PeerUid};
use crate::model::network;

/// Longest request head; a longer one is answered with 431. Also bounds hyper's buffer for each
/// connection.
const HEAD_BYTES: usize = 32 * 1024;

/// How long a connection may still send its first byte after a stop was requested. A client that
/// has just connected sends a request for which no other connection is tried; on one that was used
/// before, it expects that the server may close it (RFC 9112, 9.3.1).
const FIRST_BYTE_GRACE: Duration = Duration::from_secs(1);

/// State that all connections share.
pub(super) struct ServerContext {
    pub(super) pool: Arc<ConnectionPool>,
    pub(super) dispatcher: Arc<Dispatcher>,
    tls: Arc<Certificate>,
}

impl ServerContext {
    pub(super) fn new(dispatcher: Arc<Dispatcher>, tls: Arc<Certificate>) -> ServerContext {
        let current = Arc::clone(dispatcher.current_config());
        let limits = move || pool_limits(&current.get().limits);
        let pool = ConnectionPool::new(limits, Arc::clone(dispatcher.clock()));
        let counted = Arc::clone(&pool);
        dispatcher.add_connections(move || counted.counts());
        ServerContext {
            pool,
            dispatcher,
            tls,
        }
    }

    /// Reserves a slot for a connection from `peer`; `None` if its network has too many. A trusted
    /// proxy serves many clients and is exempt from this limit.
    pub(super) fn admit(&self, peer: SocketAddr) -> Option<(Arc<Slot>, Receiver<()>)> {
        let address = peer.ip().to_canonical();
        let is_proxy = self.dispatcher.config().server.is_trusted_proxy(address);
        self.pool.admit((!is_proxy).then(|| network(address)))
    }

    fn header_timeout(&self) -> Duration {
        self.dispatcher.config().limits.header_timeout
    }

    fn http(&self) -> Builder {
        let mut http = Builder::new();
        // Without a timer hyper ignores its timeout. The timeout also closes idle keep-alive
        // connections.
        http.timer(TokioTimer::new())
            .header_read_timeout(self.header_timeout())
            .max_header_size(HEAD_BYTES)
            .max_buf_size(HEAD_BYTES);
        http
    }
}

fn pool_limits(limits: &Limits) -> PoolLimits {
    PoolLimits::new(
        limits.connections,
        limits.connections_per_address,
        limits.rate_window(),
        limits.least_rate,
    )
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
struct Peer {
    address: SocketAddr,
    /// The system's user, over a unix socket.
    uid: Option<u32>,
}

/// Serves a connection to its end. Until its first byte it costs little more than a task: the
/// buffers of hyper and TLS are allocated afterwards.
pub(super) async fn run(
    context: Arc<ServerContext>,
    stream: Stream,
    peer: SocketAddr,
    slot: Arc<Slot>,
    finish: Receiver<()>,
) {
    let mut finish = finish;
    let Some(must_finish) = wake(&context, &stream, &slot, &mut finish).await else {
        return;
    };
    let finish = async move {
        if !must_finish {
            // An error means that the pool has closed this connection: it must finish too.
            let _ = finish.await;
        }
    };
    // A client that takes no data is closed after the time that it has to send a body.
    stream.prepare(context.dispatcher.config().limits.body_timeout);
    // Boxed, so that the task of a silent connection stays small.
    let peer = Peer {
        address: peer,
        uid: stream.peer_uid(),
    };
    Box::pin(serve_stream(&context, stream, peer, &slot, finish)).await;
}

/// Waits until the first byte has arrived and there is room for an active connection: whether the
/// connection was asked to finish meanwhile. None: it must be closed.
async fn wake(
    context: &ServerContext,
    stream: &Stream,
    slot: &Slot,
    finish: &mut Receiver<()>,
) -> Option<bool> {
    let mut awake = pin!(async { stream.first_byte().await && slot.promote().await });
    let (is_awake, must_finish) = tokio::select! {
        biased;
        is_awake = timeout(context.header_timeout(), awake.as_mut()) => (is_awake, false),
        _ = finish => (timeout(FIRST_BYTE_GRACE, awake).await, true),
    };
    (is_awake == Ok(true)).then_some(must_finish)
}

async fn serve_stream(
    context: &ServerContext,
    stream: Stream,
    peer: Peer,
    slot: &Arc<Slot>,
    finish: impl Future<Output = ()>,
) {
    let tls = context.tls.acceptor().filter(|_| stream.is_network());
    let stream = Watched::new(stream, slot);
    let Some(tls) = tls else {
        return http(context, stream, peer, slot, finish).await;
    };
    match timeout(context.header_timeout(), tls.accept(stream)).await {
        Ok(Ok(stream)) => http(context, stream, peer, slot, finish).await,
        Ok(Err(error)) => log::debug!("a TLS handshake failed: {error}"),
        Err(_) => log::debug!("a TLS handshake took too long"),
    }
}

async fn http(
    context: &ServerContext,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: Peer,
    slot: &Arc<Slot>,
    finish: impl Future<Output = ()>,
) {
    let service = service_fn(|request: Request<Incoming>| async move {
        let serving = slot.serve();
        let mut request = request.map(|body| Watched::new(body, slot));
        if let Some(uid) = peer.uid {
            request.extensions_mut().insert(PeerUid(uid));
        }
        let mut response = context.dispatcher.handle(request, peer.address).await;
        response.body_mut().keep_while_streaming(|| serving);
        Ok::<_, Infallible>(response)
    });
    let mut connection = pin!(
        context
            .http()
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = finish => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        log::debug!("a connection ended early: {error}");
        if let Some(status) = status_of(&error) {
            context.dispatcher.log_unparsed(peer.address, status);
        }
    }
}

/// The status with which hyper itself has answered a head that it could not parse; `None` for other
/// errors, and for the preface of HTTP/2, which it does not answer. hyper's 414 is for targets of
/// 64 KiB, and a whole head has at most `HEAD_BYTES`.
fn status_of(error: &hyper::Error) -> Option<StatusCode> {
    if error.is_parse_too_large() {
        Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    } else if error.is_parse() && !error.is_parse_version_h2() {
        Some(StatusCode::BAD_REQUEST)
    } else {
        None
    }
}
