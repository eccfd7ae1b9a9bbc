//! The clock, for tests of a real process.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The monotonic time, to measure spans.
#[expect(clippy::disallowed_methods, reason = "a real process is waited for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The system time in milliseconds since the Unix epoch, as the server writes it.
#[expect(
    clippy::disallowed_methods,
    reason = "the server under test has the system's clock"
)]
pub(crate) fn millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// Sleeps while a real process runs.
#[expect(clippy::disallowed_methods, reason = "a real process is waited for")]
pub(crate) fn wait(span: Duration) {
    std::thread::sleep(span);
}

/// Calls `ask` every 2 ms until it returns a value or the time is over; then `None`.
pub(crate) fn poll<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let until = now() + patience;
    loop {
        match ask() {
            None if now() < until => wait(Duration::from_millis(2)),
            answer => return answer,
        }
    }
}
