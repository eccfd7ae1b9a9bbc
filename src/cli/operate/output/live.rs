//! Reads a live stream of the admin API (server-sent events, WHATWG HTML, 9.2), and prints a line
//! for each message.

use std::io::{self, ErrorKind, Write};

use serde_json::Value;

use super::{Column, line};
use crate::cli::stderr;

/// The longest line of a stream: it holds an event, whose details have at most 16 KiB.
const LINE_BYTES: usize = 1 << 20;

/// Prints the messages of a stream that is written to it.
pub(in crate::cli::operate) struct Live<W: Write> {
    /// What a line shows; none: the JSON itself.
    columns: Option<&'static [Column]>,
    /// The part of a line that has come so far.
    line: Vec<u8>,
    to: W,
}

impl<W: Write> Live<W> {
    /// Prints these columns of each message, or its JSON.
    pub(in crate::cli::operate) fn new(columns: Option<&'static [Column]>, to: W) -> Live<W> {
        Live {
            columns,
            line: Vec::new(),
            to,
        }
    }

    /// Prints the message of a line that is whole. All other lines are comments, names and ids.
    fn print(&mut self) -> io::Result<()> {
        let Some(data) = self.line.strip_prefix(b"data: ") else {
            return Ok(());
        };
        let Some(columns) = self.columns else {
            self.to.write_all(data)?;
            self.to.write_all(b"\n")?;
            return self.to.flush();
        };
        let message: Value = serde_json::from_slice(data)?;
        match message.get("missed") {
            None => self.to.write_all(line(&message, columns).as_bytes())?,
            Some(count) => stderr::write(&format!(
                "doorward: {count} are left out here: they came faster than they were read\n"
            )),
        }
        self.to.flush()
    }
}

impl<W: Write> Write for Live<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or(bytes);
        if self.line.len() + part.len() > LINE_BYTES {
            return Err(ErrorKind::InvalidData.into());
        }
        self.line.extend_from_slice(part);
        if end.is_none() {
            return Ok(part.len());
        }
        self.print()?;
        self.line.clear();
        Ok(part.len() + 1)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::operate::output::column;

    const COLUMNS: &[Column] = &[column("AT", "at"), column("NAME", "name")];
    const STREAM: &str = ":\n\nevent: event\nid: AAAB\ndata: {\"name\":\"a\\u001bb\",\"at\":\"now\"}\n\n\
                          event: missed\ndata: {\"missed\":7}\n\n";

    /// What is printed of the stream, which comes in pieces of this size.
    fn printed(columns: Option<&'static [Column]>, size: usize) -> String {
        let mut printed = Vec::new();
        let mut live = Live::new(columns, &mut printed);
        for piece in STREAM.as_bytes().chunks(size) {
            live.write_all(piece).unwrap();
        }
        String::from_utf8(printed).unwrap()
    }

    #[test]
    fn each_message_is_a_line_in_whatever_pieces_it_comes() {
        for size in [1, 3, 20, STREAM.len()] {
            assert_eq!(printed(Some(COLUMNS), size), "now  a?b\n");
            let json = printed(None, size);
            assert_eq!(
                json,
                "{\"name\":\"a\\u001bb\",\"at\":\"now\"}\n{\"missed\":7}\n"
            );
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let mut live = Live::new(None, io::sink());
        let endless = vec![b'x'; LINE_BYTES];
        live.write_all(&endless).unwrap();
        let refused = live.write_all(b"x").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidData);
    }
}
