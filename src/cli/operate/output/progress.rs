//! A line on the terminal that says how much of a long answer has come, in bytes or in rows.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Nothing is shown of what takes no longer.
const AFTER: Duration = Duration::from_secs(1);
/// How the line looks.
const BYTES: &str = "{spinner} {bytes} in {elapsed}, {bytes_per_sec}";
const ROWS: &str = "{spinner} {pos} in {elapsed}";

/// Counts what has come, and shows the number after a second.
pub(in crate::cli::operate) struct Progress {
    bar: ProgressBar,
    /// It may be shown, and is not yet.
    waits: bool,
}

impl Progress {
    /// Begins to count bytes. `may_be_shown`: a person looks at standard error.
    pub(super) fn of_bytes(may_be_shown: bool) -> Progress {
        Progress::start(may_be_shown, BYTES)
    }

    /// Begins to count rows.
    pub(in crate::cli::operate) fn of_rows() -> Progress {
        Progress::start(stderr().is_terminal(), ROWS)
    }

    fn start(may_be_shown: bool, style: &str) -> Progress {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Progress {
            bar,
            waits: may_be_shown,
        }
    }

    /// So much more has come, this long after the start.
    pub(in crate::cli::operate) fn add(&mut self, count: usize, since_start: Duration) {
        if self.waits && since_start >= AFTER {
            self.waits = false;
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.inc(count as u64);
    }

    /// Everything has come: the line is removed.
    pub(super) fn end(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_after_a_second_and_only_to_a_person() {
        let (almost, second) = (Duration::from_millis(999), Duration::from_secs(1));
        let mut progress = Progress::of_bytes(true);
        progress.add(5, almost);
        assert!(progress.waits);
        progress.add(7, second);
        assert!(!progress.waits);
        assert_eq!(progress.bar.position(), 12);
        assert!(!Progress::of_bytes(false).waits);
    }
}
