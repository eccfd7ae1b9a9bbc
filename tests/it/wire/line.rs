//! A client connection on which tests write bytes and read answers.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::moment::PATIENCE;
use crate::harness::{Received, Server};

/// The simplest request there is.
pub(super) const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";

/// A connection, plain or over TLS.
pub(super) struct Line<S: Read + Write = TcpStream> {
    stream: BufReader<S>,
}

impl Line {
    pub(super) fn to(server: &Server) -> Line {
        Line::to_address(server.address())
    }

    pub(super) fn to_address(address: SocketAddr) -> Line {
        Line::over_socket(TcpStream::connect(address).unwrap())
    }

    fn over_socket(stream: TcpStream) -> Line {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Line::over(stream)
    }

    /// A connection from another address of this machine, 127.0.0.`host`.
    pub(super) fn from_host(host: u8, server: &Server) -> Line {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&socket, &SocketAddr::from(([127, 0, 0, host], 0))).unwrap();
        connect(&socket, &server.address()).unwrap();
        Line::over_socket(TcpStream::from(socket))
    }

    /// Whether bytes arrive or the connection ends within this time.
    pub(super) fn stirs_within(&mut self, time: Duration) -> bool {
        self.stream.get_ref().set_read_timeout(Some(time)).unwrap();
        let stirs = match self.stream.fill_buf() {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        let stream = self.stream.get_ref();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stirs
    }

    /// Closes the sending side of the connection.
    pub(super) fn fall_silent(&mut self) {
        // An error means that the connection is already closed.
        let _ = self.stream.get_ref().shutdown(std::net::Shutdown::Write);
    }
}

impl<S: Read + Write> Line<S> {
    pub(super) fn over(stream: S) -> Line<S> {
        Line {
            stream: BufReader::new(stream),
        }
    }

    /// Sends the bytes. Ignores errors, because the server may have closed the connection.
    pub(super) fn say(&mut self, bytes: impl AsRef<[u8]>) -> &mut Line<S> {
        let stream = self.stream.get_mut();
        let _ = stream
            .write_all(bytes.as_ref())
            .and_then(|()| stream.flush());
        self
    }

    /// Reads the next answer.
    #[track_caller]
    pub(super) fn hear(&mut self) -> Received {
        Received::read_one(&mut self.stream, false).expect("an answer")
    }

    /// Reads the next answer and asserts its status.
    #[track_caller]
    pub(super) fn hears(&mut self, status: u16) -> Received {
        let received = self.hear();
        let body = String::from_utf8_lossy(&received.body);
        assert_eq!(received.status, status, "{body}");
        received
    }

    /// Whether an answer comes before the connection ends. Panics after `PATIENCE`.
    #[track_caller]
    pub(super) fn hears_anything(&mut self) -> bool {
        match Received::read_one(&mut self.stream, false) {
            Ok(_) => true,
            Err(error) => {
                assert!(!is_late(error.kind()), "neither an answer nor an end");
                false
            }
        }
    }

    /// Reads all bytes until the connection ends. Panics if it is still open after `PATIENCE`.
    #[track_caller]
    pub(super) fn hear_out(&mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        match self.stream.read_to_end(&mut heard) {
            Err(error) if is_late(error.kind()) => panic!("still open; heard {heard:?}"),
            _ => heard,
        }
    }

    /// Asserts that the connection ends without another byte.
    #[track_caller]
    pub(super) fn is_over(&mut self) {
        let heard = self.hear_out();
        assert!(heard.is_empty(), "{}", heard.escape_ascii());
    }
}

fn is_late(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// A POST request with a body, `Host`, `Content-Length` and further headers.
pub(super) fn post(path: &str, headers: &[&str], body: &str) -> String {
    let length = body.len();
    let headers = headers.iter().flat_map(|it| [*it, "\r\n"]);
    let headers = headers.collect::<String>();
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
}

/// The `Authorization` header with a bearer token.
pub(super) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}
