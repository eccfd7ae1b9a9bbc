//! Starts logging, as text for people or as one JSON object a line. Log lines go to standard error,
//! where systemd collects them.

use std::io::Write;

use env_logger::{Builder, Target, fmt::Formatter};
use log::Record;
use serde::Serialize;

use crate::config;
use crate::world::{Clock, SystemClock};

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: &'a str,
    target: &'a str,
    message: String,
}

/// Starts logging. A second call changes nothing.
pub(super) fn start(config: &config::Log) {
    let write = match config.format {
        config::LogFormat::Text => write_text,
        config::LogFormat::Json => write_json,
    };
    let mut builder = Builder::new();
    // Libraries log only warnings and errors; the program itself logs at the configured level.
    builder.filter_level(config.level.min(log::LevelFilter::Warn));
    builder.filter_module(env!("CARGO_PKG_NAME"), config.level);
    builder.target(Target::Stderr).format(write);
    let _ = builder.try_init();
}

fn now() -> String {
    SystemClock::start().now().rfc3339()
}

fn write_text(to: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    writeln!(to, "{} {:5} {}", now(), record.level(), record.args())
}

fn write_json(to: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    let line = Line {
        time: now(),
        level: record.level().as_str(),
        target: record.target(),
        message: record.args().to_string(),
    };
    let line = serde_json::to_string(&line).map_err(std::io::Error::other)?;
    writeln!(to, "{line}")
}
