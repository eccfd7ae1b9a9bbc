//! Opens the listening sockets.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{ServerError, tls};
use crate::config::Config;

/// Open sockets that wait for [`serve`](super::serve). Clients can already connect.
pub struct Listeners {
    pub(super) sockets: Vec<TcpListener>,
    pub(super) tls: Option<TlsAcceptor>,
}

/// Opens every address of `server.listen` and reads the certificate, if one is configured. If any
/// step fails, all sockets are closed.
pub async fn bind(config: &Config) -> Result<Listeners, ServerError> {
    let tls = config.server.tls.as_ref().map(tls::acceptor).transpose()?;
    let mut sockets = Vec::new();
    for &address in &config.server.listen {
        let socket = TcpListener::bind(address).await;
        sockets.push(socket.map_err(|source| ServerError::Listen { address, source })?);
    }
    Ok(Listeners { sockets, tls })
}

impl Listeners {
    /// The addresses of the open sockets; for port 0 in the configuration, with the port that the
    /// system chose.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets
            .iter()
            .filter_map(|socket| socket.local_addr().ok())
            .collect()
    }
}
