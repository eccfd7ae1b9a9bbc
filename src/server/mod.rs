//! Listeners, connections and their bounds, TLS, and how it all ends. What a request means is not
//! known here.

mod accept;
mod connection;
mod connection_pool;
mod error;
mod listeners;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::http::Dispatcher;
use connection::ServerContext;

pub use error::ServerError;
pub use listeners::{Listeners, bind};

/// How long requests that are under way may take to end after a stop was asked for.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until `stop` resolves; then accepts nothing more, lets what is under way end, for at most
/// ten seconds, and returns when the last connection is gone.
pub async fn serve(
    listeners: Listeners,
    dispatcher: Arc<Dispatcher>,
    stop: impl Future<Output = ()>,
) {
    let Listeners { sockets, tls } = listeners;
    let context = Arc::new(ServerContext::new(dispatcher, tls));
    // Every connection holds a sender; nobody sends. When the last is dropped, nobody is left.
    let (alive, mut gone) = mpsc::channel(1);
    let mut loops = JoinSet::new();
    for socket in sockets {
        loops.spawn(accept::run(socket, Arc::clone(&context), alive.clone()));
    }
    drop(alive);

    stop.await;
    loops.shutdown().await;
    context.dispatcher.stop();
    context.pool.finish();
    if timeout(GRACE, gone.recv()).await.is_err() {
        log::warn!(
            "requests that were under way for {} s are cut off",
            GRACE.as_secs()
        );
        context.pool.abort();
        gone.recv().await;
    }
}

/// Resolves when the process is asked to stop, by SIGTERM or SIGINT. It listens from the call on
/// and not only when it is first awaited: a signal that comes as soon as somebody is served must
/// not end the process in its own way.
pub fn stop_signal() -> impl Future<Output = ()> {
    let signals = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    async move {
        match signals {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            (Err(error), _) | (_, Err(error)) => {
                // Without handlers the signals end the process in their own way, which the store
                // survives.
                log::error!(
                    "cannot wait for signals, so a stop will not wait for requests: {error}"
                );
                std::future::pending::<()>().await;
            }
        }
    }
}
