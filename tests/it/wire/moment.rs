//! Waits for real processes and real sockets, with the system clock.

use std::time::{Duration, Instant};

/// The longest wait: only a program that hangs takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Calls `ask` every 2 ms until it returns a value. Panics after `PATIENCE`.
#[expect(
    clippy::disallowed_methods,
    reason = "a real process, or a real socket, is waited for"
)]
#[track_caller]
pub(crate) fn poll<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "it never happens");
        std::thread::sleep(Duration::from_millis(2));
    }
}
