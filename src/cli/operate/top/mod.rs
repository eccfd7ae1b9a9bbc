//! `doorward top`: a screen that shows each second what the server does.

mod frame;
mod metrics;
mod screen;

use std::io::{IsTerminal, stdout};
use std::thread;
use std::time::Duration;

use clap::Args;

use self::frame::Frame;
use self::metrics::Metrics;
use self::screen::Screen;
use super::output;
use super::{Run, Session};
use crate::cli::console::print;
use crate::cli::error::CliError;
use crate::world::{Clock, SystemClock};

/// The time between two frames.
const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Args)]
pub(in crate::cli) struct Top {}

/// The metrics of a moment.
struct Moment {
    metrics: Metrics,
    /// By a clock that never goes back.
    at: Duration,
}

impl Run for Top {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let clock = SystemClock::start();
        let mut before = Moment::read(session, &clock)?;
        if !stdout().is_terminal() {
            thread::park_timeout(INTERVAL);
            let now = Moment::read(session, &clock)?;
            return print(&(lines(&before, &now).join("\n") + "\n"));
        }
        let screen = Screen::open()?;
        let mut shown = lines(&before, &before);
        // A terminal that is gone ends it as a key does.
        while screen.draw(&shown).is_ok() && !screen.ends_within(INTERVAL) {
            let now = Moment::read(session, &clock)?;
            shown = lines(&before, &now);
            before = now;
        }
        Ok(())
    }
}

impl Moment {
    fn read(session: &Session, clock: &SystemClock) -> Result<Moment, CliError> {
        let text = session.admin.metrics()?;
        Ok(Moment {
            metrics: Metrics::parse(&text),
            at: clock.monotonic(),
        })
    }
}

/// The lines of a frame, as wide as the terminal.
fn lines(before: &Moment, now: &Moment) -> Vec<String> {
    let frame = Frame {
        before: &before.metrics,
        now: &now.metrics,
        between: now.at.saturating_sub(before.at),
    };
    let width = output::terminal_width();
    let lines = frame.lines().into_iter();
    let mut lines: Vec<String> = lines
        .map(|line| line.chars().take(width).collect())
        .collect();
    if let Some(heading) = lines.first_mut().filter(|_| output::may_highlight()) {
        *heading = output::bold(heading);
    }
    lines
}
