//! A small blocking HTTP client. It never repeats a request: without an answer, the outcome of the
//! request stays unknown.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than any answer may take: a server that does not answer within this time hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A complete answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    /// The text at a JSON pointer such as `/token/identifier_code` in the body. Panics without it.
    pub(crate) fn text(&self, pointer: &str) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let text = body.pointer(pointer).and_then(Value::as_str);
        text.unwrap_or_else(|| panic!("no {pointer} in {self:?}"))
            .to_owned()
    }

    /// Whether the server failed (a status of 500 or above), so that the outcome is unknown.
    pub(crate) fn is_fault(&self) -> bool {
        self.status >= 500
    }
}

/// A request.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Request<'a> {
    pub(crate) verb: &'a str,
    pub(crate) path: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) body: Option<&'a str>,
}

impl Request<'_> {
    fn render(&self) -> String {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: crash.test\r\n",
            self.verb, self.path
        );
        let token = self.token.map(|token| ("X-Token", token));
        let key = self.key.map(|key| ("Idempotency-Key", key));
        let kind = self.body.map(|_| ("Content-Type", "application/json"));
        for (name, value) in [token, key, kind].into_iter().flatten() {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        let body = self.body.unwrap_or_default();
        let _ = write!(text, "Content-Length: {}\r\n\r\n{body}", body.len());
        text
    }
}

pub(crate) struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Client {
        Client {
            address,
            connection: None,
        }
    }

    /// Sends a request. After an error the outcome of the request is unknown.
    pub(crate) fn send(&mut self, request: &Request<'_>) -> io::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        connection
            .get_mut()
            .write_all(request.render().as_bytes())?;
        let answer = read_answer(&mut connection)?;
        self.connection = Some(connection);
        Ok(answer)
    }

    /// Closes the connection: it may have been idle for longer than the server allows.
    pub(crate) fn hang_up(&mut self) {
        self.connection = None;
    }

    fn connect(&self) -> io::Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(BufReader::new(stream))
    }
}

fn read_answer(connection: &mut impl BufRead) -> io::Result<Answer> {
    let line = read_line(connection)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status in {line:?}")))?;
    let mut length = 0;
    loop {
        let line = read_line(connection)?;
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body)?;
    Ok(Answer {
        status,
        body: String::from_utf8(body).map_err(io::Error::other)?,
    })
}

fn read_line(connection: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    if line.ends_with('\n') {
        Ok(line.trim_end().to_owned())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
