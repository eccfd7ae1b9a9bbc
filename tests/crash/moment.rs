//! The clock, for a test whose subject is a real process.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Now, for spans.
#[expect(clippy::disallowed_methods, reason = "a real process is waited for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Now, in milliseconds since the epoch: as the server writes it.
#[expect(
    clippy::disallowed_methods,
    reason = "the server under test has the system's clock"
)]
pub(crate) fn millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// Lets a real process run for a while.
#[expect(clippy::disallowed_methods, reason = "a real process is waited for")]
pub(crate) fn wait(span: Duration) {
    std::thread::sleep(span);
}

/// Asks again and again until there is an answer or the time is up.
pub(crate) fn poll<T>(patience: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let until = now() + patience;
    loop {
        match ask() {
            None if now() < until => wait(Duration::from_millis(2)),
            answer => return answer,
        }
    }
}
