//! The accept loop. It never ends by itself: it continues after any error of a connection or of the
//! machine.

use std::io::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use super::connection::{self, ServerContext};
use super::socket::Socket;

/// How long to wait after a failed accept, for example when the machine is out of descriptors or
/// memory: accepting again at once would fail again.
const PAUSE: Duration = Duration::from_millis(50);
/// How many connections to close when descriptors or memory run out.
const RELIEF: usize = 16;
/// Number of connections without an error after which the next error is logged again.
const CALM: u32 = 1000;

/// Accepts connections for ever. Each connection runs in its own task, which holds a clone of
/// `alive`.
pub(super) async fn run(socket: Socket, context: Arc<ServerContext>, alive: Sender<()>) {
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
                    context.pool.evict(RELIEF);
                }
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether the error means that descriptors or memory ran out, so that closing connections helps.
fn is_exhaustion(error: &Error) -> bool {
    use rustix::io::Errno;
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error
        .raw_os_error()
        .is_some_and(|raw| exhausted.contains(&Errno::from_raw_os_error(raw)))
}
