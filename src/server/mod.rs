//! Listeners, connections and their limits, TLS, the control socket, and shutdown. This module does
//! not interpret requests.

mod accept;
mod activity;
mod connection;
mod connection_pool;
mod connection_table;
mod control;
mod error;
mod handed_over;
mod listeners;
pub mod notify;
mod socket;
mod stream;
mod tls;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::http::Dispatcher;
use connection::ServerContext;

pub use control::{ControlPath, control_socket};
pub use error::ServerError;
pub use handed_over::handed_over;
pub use listeners::{Listeners, bind, bind_metrics};
pub use tls::Certificate;

/// How long requests in progress may continue after a stop was requested.
const GRACE: Duration = Duration::from_secs(10);

/// Serves until `stop` resolves. Then accepts no more connections, gives requests in progress at
/// most ten seconds to end, and returns when the last connection is closed.
pub async fn serve(
    listeners: Listeners,
    dispatcher: Arc<Dispatcher>,
    stop: impl Future<Output = ()>,
) {
    let Listeners {
        sockets,
        tls,
        file: _file,
    } = listeners;
    let context = Arc::new(ServerContext::new(dispatcher, tls));
    // Every connection holds a sender and never sends. When the last sender is dropped, `gone.recv`
    // returns: all connections have ended.
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
            "stopping: closing connections whose requests did not end within {} s",
            GRACE.as_secs()
        );
        context.pool.abort();
        gone.recv().await;
    }
}

/// Resolves when the process receives SIGTERM or SIGINT. The call itself installs the handlers, not
/// the first await: a signal that arrives as soon as the first client is served must not kill the
/// process by its default action.
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
                // Without handlers the signals kill the process by their default action. The store
                // survives this.
                log::error!(
                    "cannot wait for signals, so a stop will not wait for requests: {error}"
                );
                std::future::pending::<()>().await;
            }
        }
    }
}
