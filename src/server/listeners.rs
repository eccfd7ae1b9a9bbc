//! The sockets that are listened on.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{ServerError, tls};
use crate::config::Config;

/// Sockets that are open and wait for [`serve`](super::serve): clients can connect already.
pub struct Listeners {
    pub(super) sockets: Vec<TcpListener>,
    pub(super) tls: Option<TlsAcceptor>,
}

/// Opens every address of `server.listen` and reads the certificate, if there is one. All or
/// nothing.
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
    /// The addresses that are listened on; where the configuration said port 0, the port that was
    /// given.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets
            .iter()
            .filter_map(|socket| socket.local_addr().ok())
            .collect()
    }
}
