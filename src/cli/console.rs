//! What all commands read and print alike.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::config::{self, Config};

/// Reads the configuration file, with systemd's credentials at hand, and prints its warnings to
/// standard error.
pub(super) fn read_config(path: &Path) -> Result<Config, CliError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let loaded = config::load(path, credentials.as_deref()).map_err(CliError::Configuration)?;
    for warning in loaded.warnings {
        // A warning that nobody can read is no reason not to go on.
        let _ = writeln!(std::io::stderr(), "doorward: warning: {warning}");
    }
    Ok(loaded.config)
}

/// Prints a line to standard output, which may be closed.
pub(super) fn print_line(line: &str) -> Result<(), CliError> {
    let written = writeln!(std::io::stdout(), "{line}");
    written.map_err(|cause| CliError::because("cannot write to standard output", cause))
}
