//! A minimal HTTP/1.1 client: one request per connection, on a plain socket. It uses no library, so
//! that exactly the bytes written here go over the wire.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Timeout of reads and writes: only a server that hangs takes this long.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

/// A value that can be a request body. JSON also sets `Content-Type`; text and bytes do not.
pub(crate) trait Body {
    fn into_body(self) -> (Vec<u8>, Option<&'static str>);
}

impl Body for Value {
    fn into_body(self) -> (Vec<u8>, Option<&'static str>) {
        (self.to_string().into_bytes(), Some("application/json"))
    }
}

impl Body for &str {
    fn into_body(self) -> (Vec<u8>, Option<&'static str>) {
        (self.as_bytes().to_vec(), None)
    }
}

impl Body for String {
    fn into_body(self) -> (Vec<u8>, Option<&'static str>) {
        (self.into_bytes(), None)
    }
}

impl Body for Vec<u8> {
    fn into_body(self) -> (Vec<u8>, Option<&'static str>) {
        (self, None)
    }
}

impl Request {
    /// A request without a body.
    pub(crate) fn new(method: &str, path: &str) -> Request {
        let (method, path) = (method.to_owned(), path.to_owned());
        Request {
            method,
            path,
            headers: Vec::new(),
            body: None,
        }
    }

    /// Adds a body.
    pub(crate) fn body(mut self, body: impl Body) -> Request {
        let (bytes, content_type) = body.into_body();
        self.body = Some(bytes);
        match content_type {
            Some(content_type) => self.header("Content-Type", content_type),
            None => self,
        }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.path);
        if !self.has("host") {
            text += "Host: localhost\r\n";
        }
        text += "Connection: close\r\n";
        for (name, value) in &self.headers {
            text += &[name, ": ", value, "\r\n"].concat();
        }
        if let Some(body) = &self.body {
            text += &["Content-Length: ", &body.len().to_string(), "\r\n"].concat();
        }
        text += "\r\n";
        let mut bytes = text.into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }

    fn has(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Sends the request and reads the answer. Panics if more bytes follow before the connection
    /// ends.
    pub(crate) fn send(&self, to: SocketAddr) -> Received {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&self.bytes()).unwrap();
        Received::read(BufReader::new(stream), self.method == "HEAD")
    }
}

/// An answer as it was received; header names are in lower case.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    fn read(mut stream: impl BufRead, is_head: bool) -> Received {
        let received = Received::read_one(&mut stream, is_head).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty(), "the body is as long as announced");
        received
    }

    /// Reads one answer and no byte after it. Fails if the connection ends before or within it.
    pub(crate) fn read_one(stream: &mut impl BufRead, is_head: bool) -> io::Result<Received> {
        let mut received = Received::read_head(stream)?;
        if is_head {
            return Ok(received);
        }
        if received.header("transfer-encoding").is_some() {
            while let Some(chunk) = read_chunk(stream)? {
                received.body.extend(chunk);
            }
            return Ok(received);
        }
        let announced = received.header("content-length");
        let length = announced.map_or(0, |it| it.parse::<usize>().unwrap());
        received.body = vec![0; length];
        stream.read_exact(&mut received.body)?;
        Ok(received)
    }

    /// Reads the status line and the headers.
    pub(crate) fn read_head(stream: &mut impl BufRead) -> io::Result<Received> {
        let first = read_line(stream)?;
        let status = ["HTTP/1.1 ", "HTTP/1.0 "]
            .into_iter()
            .find_map(|version| first.strip_prefix(version)?.get(..3));
        let status = status.unwrap_or_else(|| panic!("no status line: {first:?}"));
        let mut headers = Vec::new();
        loop {
            let line = read_line(stream)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap();
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Ok(Received {
            status: status.parse().unwrap(),
            headers,
            body: Vec::new(),
        })
    }

    /// The header of this name (in lower case). Panics if there are two.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }
}

fn read_line(stream: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match stream.read_line(&mut line)? {
        0 => Err(io::Error::from(ErrorKind::UnexpectedEof)),
        _ => Ok(line.trim_end().to_owned()),
    }
}

/// The next chunk of a body (RFC 9112, 7.1); none at its end. Fails if the connection ends first.
pub(crate) fn read_chunk(stream: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let length = usize::from_str_radix(&read_line(stream)?, 16).unwrap();
    let mut chunk = vec![0; length + 2];
    stream.read_exact(&mut chunk)?;
    assert!(chunk.ends_with(b"\r\n"));
    chunk.truncate(length);
    Ok((length > 0).then_some(chunk))
}
