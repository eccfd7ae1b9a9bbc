//! A listening socket: TCP, or a unix socket with or without a file.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::linux::net::SocketAddrExt;
use std::path::PathBuf;

use tokio::net::{TcpListener, UnixListener};

use super::stream::Stream;

/// The address of every client of a unix socket: a process of this machine.
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A listening socket.
pub(super) enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The file of a socket; dropping it removes the file.
pub(super) struct SocketFile(pub(super) PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            log::warn!("cannot remove {}: {error}", self.0.display());
        }
    }
}

impl Socket {
    /// Accepts one connection: its stream, and the address of its client.
    pub(super) async fn accept(&self) -> io::Result<(Stream, SocketAddr)> {
        match self {
            Socket::Tcp(socket) => {
                let (stream, peer) = socket.accept().await?;
                Ok((Stream::Tcp(stream), peer))
            }
            Socket::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                Ok((Stream::Unix(stream), LOCAL))
            }
        }
    }
}

impl fmt::Display for Socket {
    /// The address: `127.0.0.1:8080`, `unix:/run/door.sock`, or `unix:@name` for a socket without a
    /// file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Socket::Tcp(socket) => match socket.local_addr() {
                Ok(address) => write!(f, "{address}"),
                Err(error) => write!(f, "an unknown address ({error})"),
            },
            Socket::Unix(socket) => {
                let address = socket
                    .local_addr()
                    .map(std::os::unix::net::SocketAddr::from);
                match address {
                    Ok(address) => match (address.as_pathname(), address.as_abstract_name()) {
                        (Some(path), _) => write!(f, "unix:{}", path.display()),
                        (_, Some(name)) => write!(f, "unix:@{}", name.escape_ascii()),
                        _ => f.write_str("a unix socket without a name"),
                    },
                    Err(error) => write!(f, "an unknown unix socket ({error})"),
                }
            }
        }
    }
}
