//! A reply of a mail server (RFC 5321, section 4.2): a code and one or more lines of text.

use std::io;

use lettre::transport::smtp::response::Response;
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use super::words;

/// A whole reply.
pub(super) struct Reply {
    /// Its code, 200 to 599.
    pub(super) code: u16,
    lines: Vec<String>,
}

impl Reply {
    /// Reads one reply. The reader ends after the largest reply that is accepted.
    pub(super) async fn read(reader: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Reply> {
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            reader.read_until(b'\n', &mut line).await?;
            if line.last() != Some(&b'\n') {
                let why = "the connection ended, or the reply is too long";
                return Err(io::Error::other(why));
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end();
            let code = text.get(..3).and_then(|it| it.parse().ok());
            let rest = text.get(3..).unwrap_or_default();
            let (Some(code @ 200..=599), "" | " " | "-") = (code, rest.get(..1).unwrap_or(rest))
            else {
                return Err(io::Error::other("the server does not speak SMTP"));
            };
            lines.push(rest.get(1..).unwrap_or_default().to_owned());
            if !rest.starts_with('-') {
                return Ok(Reply { code, lines });
            }
        }
    }

    /// Its lines of text.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }

    /// Whether the server accepts the command.
    pub(super) fn is_positive(&self) -> bool {
        self.code < 400
    }

    /// The reply as lettre knows it.
    pub(super) fn response(&self) -> Option<Response> {
        let lines = self.lines.join(" ");
        format!("{} {lines}\r\n", self.code).parse().ok()
    }

    /// The code and the words, as one bounded line without anything that may be a code.
    pub(super) fn shown(&self) -> String {
        words::fit(&format!("{} {}", self.code, self.lines.join(" / ")))
    }
}
