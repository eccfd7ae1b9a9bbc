//! Keeps the service manager informed while the server starts and runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::server::notify;
use crate::service::Services;

/// How often the status line is renewed.
const STATUS_INTERVAL: Duration = Duration::from_secs(30);
/// How much time a start asks for at once, and how often.
const EXTENSION: Duration = Duration::from_secs(30);
const EXTENSION_INTERVAL: Duration = Duration::from_secs(10);
/// How often a start asks for more time at most, an hour in all: one that hangs must end too.
const EXTENSIONS: u32 = 360;
/// How long to wait before the writer is asked again after it was too busy.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Asks for more time while the store opens: reading a large one takes longer than a start may.
pub(super) async fn extend_start() {
    if notify::is_wanted() {
        for _ in 0..EXTENSIONS {
            notify::extend_timeout(EXTENSION);
            sleep(EXTENSION_INTERVAL).await;
        }
    }
}

/// Renews the status line, and feeds the watchdog as long as the store's writer answers.
pub(super) async fn keep_informed(services: Arc<Services>) {
    if notify::is_wanted() {
        tokio::join!(keep_status(&services), keep_watchdog(&services));
    }
}

async fn keep_status(services: &Services) {
    loop {
        // After an error, which the store logs itself, the line stays as it is.
        if let Ok(usage) = services.usage(services.now()).await {
            notify::status(&usage.to_string());
        }
        sleep(STATUS_INTERVAL).await;
    }
}

async fn keep_watchdog(services: &Services) {
    let Some(patience) = notify::watchdog() else {
        return;
    };
    loop {
        let pause = feed(patience, services.round_trip(), notify::alive).await;
        sleep(pause).await;
    }
}

/// Calls `alive` if the round trip succeeds, and returns how long to wait until the next one. A
/// writer that hangs makes this wait, so that the service manager ends the process.
async fn feed<E>(
    patience: Duration,
    round_trip: impl Future<Output = Result<(), E>>,
    alive: impl FnOnce(),
) -> Duration {
    match round_trip.await {
        Ok(()) => {
            alive();
            patience / 2
        }
        Err(_) => RETRY_INTERVAL.min(patience / 4),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// What one call of `feed` comes to, and whether it fed the watchdog.
    fn fed(round_trip: impl Future<Output = Result<(), ()>>) -> (Poll<Duration>, bool) {
        let fed = Cell::new(false);
        let patience = Duration::from_secs(8);
        let feeding = pin!(feed(patience, round_trip, || fed.set(true)));
        let outcome = feeding.poll(&mut Context::from_waker(Waker::noop()));
        (outcome, fed.get())
    }

    #[test]
    fn the_watchdog_is_fed_after_a_round_trip_and_only_then() {
        assert_eq!(fed(pending()), (Poll::Pending, false));
        assert_eq!(fed(ready(Err(()))), (Poll::Ready(RETRY_INTERVAL), false));
        assert_eq!(
            fed(ready(Ok(()))),
            (Poll::Ready(Duration::from_secs(4)), true)
        );
    }
}
