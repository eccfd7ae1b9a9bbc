//! The errors that prevent the server from starting.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;

/// Why the start failed. `Display` gives a sentence that says what to change.
#[derive(Debug)]
pub enum ServerError {
    /// The server cannot listen on an address of `server.listen` or `metrics.listen`.
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's error.
        source: Error,
    },
    /// A descriptor that the service manager passed on is no socket that can be served.
    HandedOver {
        /// The number of the descriptor.
        descriptor: usize,
        /// Its `FileDescriptorName=`.
        name: String,
        /// What it is: the rest of a sentence that starts with it.
        why: String,
    },
    /// A file of `[server.tls]` cannot be used: the rest of a sentence that starts with that key.
    Tls(String),
}

impl std::fmt::Display for ServerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ServerError::Listen { address, source } => {
                write!(
                    f,
                    "cannot listen on {address}: {source}{}",
                    advice(source.kind())
                )
            }
            ServerError::HandedOver {
                descriptor,
                name,
                why,
            } => write!(
                f,
                "descriptor {descriptor} ({name}), which the service manager passed on, {why}; \
                 only TCP and unix stream sockets that listen are served: change the socket unit"
            ),
            ServerError::Tls(why) => write!(f, "`server.tls` {why}"),
        }
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // `Display` already contains the source.
        None
    }
}

fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::AddrInUse => "; another program listens there: stop it, or change server.listen",
        ErrorKind::AddrNotAvailable => "; this machine has no such address: change server.listen",
        ErrorKind::PermissionDenied => {
            "; ports under 1024 need a privilege: take a higher port in server.listen, or grant CAP_NET_BIND_SERVICE"
        }
        _ => "",
    }
}
