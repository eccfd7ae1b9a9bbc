//! The clock, where a real process or a real socket is waited for.

use std::time::{Duration, Instant};

/// Nothing here takes so long, unless something hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Asks again and again until there is an answer. There has to be one in time.
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
