//! The accept loop. It never ends by itself: whatever goes wrong with one connection, or with the
//! machine, passes.

use std::io::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use super::connection::{self, ServerContext};

/// How long to wait when the machine is out of descriptors or memory: accepting again at once would
/// fail again.
const PAUSE: Duration = Duration::from_millis(50);
/// How many connections to spare then.
const RELIEF: usize = 16;
/// After so many connections without trouble, new trouble is worth a line in the log again.
const CALM: u32 = 1000;

/// Accepts for ever. Each connection is a task of its own, which holds a clone of `alive`.
pub(super) async fn run(socket: TcpListener, context: Arc<ServerContext>, alive: Sender<()>) {
    let mut since_trouble = CALM;
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                since_trouble = since_trouble.saturating_add(1);
                let Some((slot, finish)) = context.admit(peer) else {
                    continue;
                };
                let serial = slot.serial();
                let context_of_task = Arc::clone(&context);
                let alive = alive.clone();
                let task = tokio::spawn(async move {
                    connection::run(context_of_task, stream, peer, slot, finish).await;
                    drop(alive);
                });
                context.pool.attach(serial, task.abort_handle());
            }
            Err(error) => {
                if std::mem::take(&mut since_trouble) >= CALM {
                    log::warn!("cannot accept connections for the moment: {error}");
                }
                if is_exhaustion(&error) {
                    context.pool.evict_idle(RELIEF);
                }
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether a connection less would help.
fn is_exhaustion(error: &Error) -> bool {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error
        .raw_os_error()
        .is_some_and(|raw| exhausted.contains(&Errno::from_raw_os_error(raw)))
}
