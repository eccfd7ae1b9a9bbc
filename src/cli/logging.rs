//! Logging, as text for people or as one JSON object a line. Log lines go to standard error, where
//! systemd collects them, and never make a request wait.

use std::sync::atomic::{AtomicBool, Ordering};

use log::{Level, LevelFilter, Log, Metadata, Record};
use serde::Serialize;

use super::stderr;
use crate::config::{self, LogFormat};
use crate::world::{Clock, SystemClock};

/// The target of the program's own lines, before `::` and the rest of a module's path.
const OWN_TARGET: &str = env!("CARGO_PKG_NAME");

/// Makes a line of a level, a target and a message.
type Render = fn(Level, &str, &str) -> String;

/// Writes the records of `log` to standard error.
struct Logger;

/// Whether lines are JSON; else they are text.
static JSON: AtomicBool = AtomicBool::new(false);

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: &'a str,
    target: &'a str,
    message: &'a str,
}

/// Starts logging. A second call changes nothing.
pub(super) fn start(config: &config::Log) {
    if log::set_logger(&Logger).is_ok() {
        change(config);
        stderr::set_notice(notice);
    }
}

/// Changes the level and the format of all lines from now on.
pub(super) fn change(config: &config::Log) {
    JSON.store(config.format == LogFormat::Json, Ordering::Relaxed);
    log::set_max_level(config.level);
}

/// Logs why the process must end now, and ends it with exit code 1.
pub(super) fn exit(why: &str) -> ! {
    log::error!("{why}");
    stderr::flush();
    std::process::exit(1)
}

impl Log for Logger {
    /// Libraries log only warnings and errors; the program itself logs at the configured level.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_logged(metadata, log::max_level())
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let message = record.args().to_string();
            stderr::write(&render()(record.level(), record.target(), &message));
        }
    }

    fn flush(&self) {
        stderr::flush();
    }
}

fn is_logged(metadata: &Metadata<'_>, level: LevelFilter) -> bool {
    let is_own = metadata.target().split("::").next() == Some(OWN_TARGET);
    let most = if is_own {
        level
    } else {
        level.min(LevelFilter::Warn)
    };
    metadata.level() <= most
}

/// The format in force.
fn render() -> Render {
    if JSON.load(Ordering::Relaxed) {
        json
    } else {
        text
    }
}

/// The line for this number of dropped lines.
fn notice(dropped: u64) -> String {
    render()(Level::Warn, OWN_TARGET, &stderr::dropped_lines(dropped))
}

fn now() -> String {
    SystemClock::start().now().rfc3339()
}

fn text(level: Level, _: &str, message: &str) -> String {
    format!("{} {level:5} {message}\n", now())
}

fn json(level: Level, target: &str, message: &str) -> String {
    let line = Line {
        time: now(),
        level: level.as_str(),
        target,
        message,
    };
    // A struct of strings always becomes JSON.
    serde_json::to_string(&line).unwrap_or_default() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_log_only_warnings_and_errors() {
        let logs = |level, target: &str, of: Level| {
            let metadata = Metadata::builder().target(target).level(of).build();
            is_logged(&metadata, level)
        };
        for (level, target, of, expected) in [
            (LevelFilter::Debug, "doorward::server", Level::Debug, true),
            (LevelFilter::Debug, "doorward", Level::Trace, false),
            (LevelFilter::Debug, "sled::pagecache", Level::Info, false),
            (LevelFilter::Debug, "doorwards", Level::Info, false),
            (LevelFilter::Debug, "sled", Level::Warn, true),
            (LevelFilter::Error, "sled", Level::Warn, false),
            (LevelFilter::Off, "doorward", Level::Error, false),
        ] {
            assert_eq!(logs(level, target, of), expected, "{level} {target} {of}");
        }
    }
}
