//! Opens the listening sockets.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustix::net::sockopt::set_ipv6_v6only;
use tokio::net::{TcpListener, TcpSocket};

use super::ServerError;
use super::socket::{Socket, SocketFile};
use super::tls::Certificate;
use crate::config::Config;

/// How many connections may wait to be accepted; the standard library uses the same number.
const BACKLOG: u32 = 128;

/// Open sockets that wait for [`serve`](super::serve). Clients can already connect.
pub struct Listeners {
    pub(super) sockets: Vec<Socket>,
    /// For connections over TCP.
    pub(super) tls: Arc<Certificate>,
    /// The file of the control socket.
    pub(super) file: Option<SocketFile>,
}

/// Opens every address of `server.listen` and reads the certificate, if one is configured. If any
/// step fails, all sockets are closed. Needs the runtime of tokio around it.
pub fn bind(config: &Config) -> Result<Listeners, ServerError> {
    let tls = Certificate::read(config.server.tls.as_ref())?;
    let mut sockets = Vec::new();
    for &address in &config.server.listen {
        let socket = open(address).map_err(|source| ServerError::Listen { address, source });
        sockets.push(Socket::Tcp(socket?));
    }
    Ok(Listeners {
        sockets,
        tls,
        file: None,
    })
}

/// Opens `metrics.listen`, in clear. None: it is not set.
pub fn bind_metrics(config: &Config) -> Result<Option<Listeners>, ServerError> {
    let Some(address) = config.metrics.listen else {
        return Ok(None);
    };
    let socket = open(address).map_err(|source| ServerError::Listen { address, source })?;
    Ok(Some(Listeners {
        sockets: vec![Socket::Tcp(socket)],
        tls: Arc::default(),
        file: None,
    }))
}

/// Opens one address. `[::]` includes IPv4 on every machine, whatever `net.ipv6.bindv6only` says:
/// the configuration is checked on that assumption.
fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        let socket = TcpSocket::new_v6()?;
        set_ipv6_v6only(&socket, false)?;
        socket
    };
    // So that a restart does not wait for the connections of the process before.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Listeners {
    /// The certificate that these sockets use; it can be replaced while they are served.
    pub fn certificate(&self) -> &Arc<Certificate> {
        &self.tls
    }

    /// The addresses of the open sockets, as text: for port 0 in the configuration, with the port
    /// that the system chose; for a unix socket, `unix:` and its path.
    pub fn addresses(&self) -> Vec<String> {
        self.sockets.iter().map(ToString::to_string).collect()
    }
}
