//! Reads the configuration and prints lines, for all commands.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::config::{self, Config};

/// Reads the configuration file and prints its warnings to standard error. Password files in
/// `$CREDENTIALS_DIRECTORY` (systemd) may have any mode.
pub(super) fn read_config(path: &Path) -> Result<Config, CliError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let loaded = config::load(path, credentials.as_deref()).map_err(CliError::Configuration)?;
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
