//! Reads the configuration and prints lines, for all commands.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::config::{self, Config, Machine};
use crate::world::{Clock, SystemClock};

/// Reads the configuration file, finds every mistake that can be known before serving, and prints
/// the warnings to standard error. Password files in `$CREDENTIALS_DIRECTORY` (systemd) may have
/// any mode.
pub(super) fn read_config(path: &Path) -> Result<Config, CliError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let machine = Machine {
        credentials: credentials.as_deref(),
        now: SystemClock::start().now(),
    };
    let loaded = config::load(path, &machine).map_err(CliError::Configuration)?;
    for warning in loaded.warnings {
        // A warning that cannot be printed must not stop the command.
        let _ = writeln!(std::io::stderr(), "doorward: warning: {warning}");
    }
    Ok(loaded.config)
}

/// Prints a line to standard output; an error if that is closed.
pub(super) fn print_line(line: &str) -> Result<(), CliError> {
    let written = writeln!(std::io::stdout(), "{line}");
    written.map_err(|cause| CliError::because("cannot write to standard output", cause))
}
