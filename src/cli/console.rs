//! Reads the configuration and prints lines, for all commands.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::stderr;
use crate::config::{self, Complaints, Config, Loaded, Machine};
use crate::world::{Clock, SystemClock};

/// Reads the configuration file, and finds every mistake that can be known before serving. Password
/// files in `$CREDENTIALS_DIRECTORY` (systemd) may have any mode.
pub(super) fn load_config(path: &Path) -> Result<Loaded, Complaints> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let machine = Machine {
        credentials: credentials.as_deref(),
        now: SystemClock::start().now(),
    };
    config::load(path, &machine)
}

/// Reads the configuration file, and prints the warnings to standard error.
pub(super) fn read_config(path: &Path) -> Result<Config, CliError> {
    let loaded = load_config(path).map_err(CliError::Configuration)?;
    for warning in loaded.warnings {
        stderr::write(&format!("doorward: warning: {warning}\n"));
    }
    Ok(loaded.config)
}

/// As `read_config`, without the warnings: for a command that asks a server, which has logged them.
pub(super) fn read_config_quietly(path: &Path) -> Result<Config, CliError> {
    let loaded = load_config(path).map_err(CliError::Configuration)?;
    Ok(loaded.config)
}

/// Asks a question on the terminal. Without a terminal nobody can answer: false.
pub(super) fn asks_yes(question: &str) -> Result<bool, CliError> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Ok(false);
    }
    stderr::write(question);
    let mut answer = String::new();
    let read = stdin.lock().read_line(&mut answer);
    read.map_err(|cause| CliError::because("cannot read from the terminal", cause))?;
    Ok(answer.trim() == "yes")
}

/// Prints a line to standard output; an error if it cannot be written.
pub(super) fn print_line(line: &str) -> Result<(), CliError> {
    print(&format!("{line}\n"))
}

/// Prints a list to standard output, for a reader that may have enough before the end, as `head`.
pub(super) fn print_list(list: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(list.as_bytes()).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() != ErrorKind::BrokenPipe => Err(unwritten(cause)),
        _ => Ok(()),
    }
}

/// Prints a text to standard output; an error if it cannot be written.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(unwritten)
}

fn unwritten(cause: io::Error) -> CliError {
    CliError::because("cannot write to standard output", cause)
}
