//! Why a server does not start.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::path::PathBuf;

/// A start that failed, as a sentence about what to change.
#[derive(Debug)]
pub enum ServerError {
    /// An address of `server.listen` cannot be had.
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: Error,
    },
    /// A file of `[server.tls]` cannot be used.
    Tls {
        /// Which.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence that begins with the file.
        why: String,
    },
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
            ServerError::Tls { path, why } => write!(f, "{} {why}", path.display()),
        }
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The sentence says it already.
        None
    }
}

fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::AddrInUse => "; another program listens there: stop it, or change server.listen",
        ErrorKind::AddrNotAvailable => "; this machine has no such address: change server.listen",
        ErrorKind::PermissionDenied => {
            "; ports under 1024 need a privilege: take a higher one in server.listen, or let systemd open it"
        }
        _ => "",
    }
}
