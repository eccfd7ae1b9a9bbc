//! Standard error behind a bounded buffer that one thread writes out. If nobody reads the other end
//! of a pipe, a write to it never returns; so no other thread writes to standard error.

use std::io::{ErrorKind, Write};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use crate::sync::{lock, recover};

/// The most text that waits to be written: about 3,000 lines.
const BUFFER_BYTES: usize = 256 * 1024;
/// The longest wait for the buffer to empty, before the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// How long to wait before writing again to a pipe that was set not to block, and is full.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// The buffer of this process; none if its thread cannot start, for then lines are written at once.
/// The thread starts with the first line.
static BUFFER: LazyLock<Option<&'static LineBuffer>> = LazyLock::new(|| {
    let buffer: &LineBuffer = Box::leak(Box::new(LineBuffer::new()));
    let thread = thread::Builder::new().name("doorward-log".to_owned());
    let started = thread.spawn(|| buffer.write_all_to(std::io::stderr()));
    started.is_ok().then_some(buffer)
});

/// Writes the text, which ends with a line break, after all that was written before. It does not
/// wait; if the buffer is full, the text is dropped and counted.
pub(super) fn write(text: &str) {
    match *BUFFER {
        Some(buffer) => buffer.push(text),
        // There is no other place to report an error.
        None => drop(std::io::stderr().write_all(text.as_bytes())),
    }
}

/// Sets how to say that lines were dropped: a line, with its line break, for their number.
pub(super) fn set_notice(notice: fn(u64) -> String) {
    if let Some(buffer) = *BUFFER {
        buffer.state().notice = notice;
    }
}

/// Waits until all is written, but no longer than `FLUSH_TIMEOUT`.
pub(super) fn flush() {
    if let Some(buffer) = *BUFFER {
        buffer.flush();
    }
}

/// The sentence for this number of dropped lines.
pub(super) fn dropped_lines(count: u64) -> String {
    let lines = if count == 1 { "line was" } else { "lines were" };
    format!("{count} log {lines} dropped: the log is not read fast enough")
}

/// Lines that wait to be written.
struct LineBuffer {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    text: Vec<u8>,
    /// Lines that were dropped since the last notice.
    dropped: u64,
    notice: fn(u64) -> String,
    /// Whether text was taken that is not written yet.
    is_writing: bool,
}

impl State {
    /// Adds the notice about the lines that were dropped, if there are any.
    fn mention_dropped(&mut self) {
        if self.dropped > 0 {
            let count = std::mem::take(&mut self.dropped);
            self.text.extend((self.notice)(count).bytes());
        }
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty() && !self.is_writing
    }
}

impl LineBuffer {
    fn new() -> LineBuffer {
        LineBuffer {
            state: Mutex::new(State {
                text: Vec::new(),
                dropped: 0,
                notice: |count| format!("doorward: warning: {}\n", dropped_lines(count)),
                is_writing: false,
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// A text of any length fits into the empty buffer.
    fn push(&self, text: &str) {
        let mut state = self.state();
        if !state.text.is_empty() && state.text.len() + text.len() > BUFFER_BYTES {
            state.dropped += 1;
            return;
        }
        state.mention_dropped();
        state.text.extend(text.bytes());
        drop(state);
        self.changed.notify_all();
    }

    fn flush(&self) {
        let mut state = self.state();
        state.mention_dropped();
        self.changed.notify_all();
        let waited = self
            .changed
            .wait_timeout_while(state, FLUSH_TIMEOUT, |state| !state.is_empty());
        drop(recover(waited));
    }

    /// Writes what comes, for ever. Lines that cannot be written count as dropped.
    fn write_all_to(&self, mut out: impl Write) {
        let mut taken = Vec::new();
        loop {
            self.take(&mut taken);
            let unwritten = write_out(&mut out, &taken);
            let lines = unwritten.split(|&byte| byte == b'\n').count() - 1;
            taken.clear();
            let mut state = self.state();
            state.dropped += lines as u64;
            state.is_writing = false;
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Waits for text, and exchanges it for the empty `taken`.
    fn take(&self, taken: &mut Vec<u8>) {
        let waited = self
            .changed
            .wait_while(self.state(), |state| state.text.is_empty());
        let mut state = recover(waited);
        state.mention_dropped();
        std::mem::swap(&mut state.text, taken);
        state.is_writing = true;
    }
}

/// Writes the text; the part that could not be written.
fn write_out<'a>(out: &mut impl Write, mut text: &'a [u8]) -> &'a [u8] {
    while !text.is_empty() {
        match out.write(text) {
            Ok(0) => break,
            Ok(bytes) => text = text.get(bytes..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::park_timeout(RETRY_INTERVAL);
            }
            Err(_) => break,
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    fn waiting(buffer: &LineBuffer) -> String {
        String::from_utf8(buffer.state().text.clone()).unwrap()
    }

    #[test]
    fn a_line_that_does_not_fit_is_dropped_and_counted() {
        let buffer = LineBuffer::new();
        let first = "x".repeat(BUFFER_BYTES + 1);
        for text in [&first, "a\n", "b\n"] {
            buffer.push(text);
        }
        assert_eq!(waiting(&buffer).len(), first.len());
        let mut taken = Vec::new();
        buffer.take(&mut taken);
        let said = String::from_utf8(taken.split_off(first.len())).unwrap();
        assert!(said.contains("2 log lines were dropped"), "{said}");
        buffer.push("c\n");
        assert_eq!(waiting(&buffer), "c\n");
    }

    #[test]
    fn lines_that_cannot_be_written_are_mentioned_before_the_next() {
        let buffer = LineBuffer::new();
        buffer.state().dropped += 1;
        buffer.push("next\n");
        let said = waiting(&buffer);
        assert!(said.ends_with("1 log line was dropped: the log is not read fast enough\nnext\n"));
    }

    #[test]
    fn writing_goes_on_after_an_interruption_and_ends_at_an_error() {
        /// Writes two bytes at a time, and reports an error before each piece.
        struct Rude(Vec<u8>, Vec<ErrorKind>);
        impl Write for Rude {
            fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
                if let Some(kind) = self.1.pop() {
                    return Err(Error::from(kind));
                }
                let piece = &text[..text.len().min(2)];
                self.0.extend(piece);
                Ok(piece.len())
            }

            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let passing = vec![ErrorKind::WouldBlock, ErrorKind::Interrupted];
        let mut rude = Rude(Vec::new(), passing);
        assert_eq!(write_out(&mut rude, b"abc\n"), b"");
        assert_eq!(rude.0, b"abc\n");
        let mut gone = Rude(Vec::new(), vec![ErrorKind::BrokenPipe]);
        assert_eq!(write_out(&mut gone, b"abc\n"), b"abc\n");
    }
}
