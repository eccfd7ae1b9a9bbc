//! A line on the terminal that says how much of a long answer has come.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::world::{Clock, SystemClock};

/// Nothing is shown of what takes no longer.
const AFTER: Duration = Duration::from_secs(1);
/// How the line looks.
const STYLE: &str = "{spinner} {bytes} in {elapsed}, {bytes_per_sec}";

/// Counts bytes, and shows their number after a second.
pub(super) struct Progress {
    bar: ProgressBar,
    clock: SystemClock,
    /// It may be shown, and is not yet.
    waits: bool,
}

impl Progress {
    /// Begins to count. `may_be_shown`: a person looks at standard error.
    pub(super) fn start(may_be_shown: bool) -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            bar.set_style(style);
        }
        Progress {
            bar,
            clock: SystemClock::start(),
            waits: may_be_shown,
        }
    }

    /// So many further bytes have come.
    pub(super) fn add(&mut self, bytes: usize) {
        if self.waits && self.clock.monotonic() >= AFTER {
            self.waits = false;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(bytes as u64);
    }

    /// All bytes have come: the line is removed.
    pub(super) fn end(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
