//! A screen of the terminal that is drawn again and again, until a key, a signal or the end of the
//! terminal ends it. The terminal is then as it was before.

use std::io::{self, IsTerminal, Read, Stdout, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::error::CliError;

/// The second screen of the terminal, without a cursor.
const OPEN: &[u8] = b"\x1b[?1049h\x1b[?25l";
/// The first screen, and the cursor.
const CLOSE: &[u8] = b"\x1b[?25h\x1b[?1049l";
/// The keys that end it: q, ^C and ^D.
const END_KEYS: [u8; 4] = [b'q', b'Q', 3, 4];

/// The screen, as long as it is open.
pub(super) struct Screen {
    out: Stdout,
    /// Gets a value as soon as the user has enough.
    ends: Receiver<()>,
    /// How the terminal was before, if keys are read.
    before: Option<Termios>,
}

impl Screen {
    /// Opens it on standard output, which must be a terminal.
    pub(super) fn open() -> Result<Screen, CliError> {
        let (sender, ends) = mpsc::channel();
        let signals = sender.clone();
        start("doorward-signals", move || wait_for_signal(&signals))?;
        let before = read_single_keys();
        if before.is_some() {
            start("doorward-keys", move || wait_for_key(&sender))?;
        }
        let out = io::stdout();
        let screen = Screen { out, ends, before };
        screen.write(OPEN).map_err(not_drawn)?;
        Ok(screen)
    }

    /// Draws these lines. An error means that the terminal is gone.
    pub(super) fn draw(&self, lines: &[String]) -> io::Result<()> {
        let size = rustix::termios::tcgetwinsize(&self.out);
        let height = size.map_or(0, |size| usize::from(size.ws_row));
        let visible = lines
            .iter()
            .take(if height == 0 { usize::MAX } else { height });
        // The rest of each line, and of the screen, is cleared when it is drawn: it does not blink.
        let visible: Vec<String> = visible.map(|line| format!("{line}\x1b[K")).collect();
        self.write(format!("\x1b[H{}\x1b[J", visible.join("\r\n")).as_bytes())
    }

    /// Waits this long; true as soon as the user has enough.
    pub(super) fn ends_within(&self, time: Duration) -> bool {
        self.ends.recv_timeout(time) != Err(RecvTimeoutError::Timeout)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = self.out.lock();
        out.write_all(bytes).and_then(|()| out.flush())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = self.write(CLOSE);
        if let Some(before) = &self.before {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Lets the terminal pass on each key at once, unseen, also ^C. Returns how it was before; none if
/// standard input is no terminal, for then there are no keys.
fn read_single_keys() -> Option<Termios> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin).ok().filter(|_| stdin.is_terminal())?;
    let mut single = before.clone();
    let line_by_line = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
    single.local_modes.remove(line_by_line);
    tcsetattr(&stdin, OptionalActions::Now, &single).ok()?;
    Some(before)
}

fn wait_for_key(ends: &Sender<()>) {
    let mut keys = io::stdin().lock().bytes();
    // An error, or no further key, means that the terminal is gone.
    while keys
        .next()
        .is_some_and(|key| key.is_ok_and(|key| !END_KEYS.contains(&key)))
    {}
    // Without a receiver the screen is closed.
    let _ = ends.send(());
}

fn wait_for_signal(ends: &Sender<()>) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let waited = runtime.and_then(|runtime| {
        runtime.block_on(async {
            let mut terminate = signal(SignalKind::terminate())?;
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut hang_up = signal(SignalKind::hangup())?;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
                _ = hang_up.recv() => {}
            }
            Ok(())
        })
    });
    if waited.is_ok() {
        let _ = ends.send(());
    }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), CliError> {
    let started = thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(drop).map_err(not_drawn)
}

fn not_drawn(cause: io::Error) -> CliError {
    CliError::because("cannot draw on the terminal", cause)
}
