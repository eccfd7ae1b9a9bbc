//! `doorward check-config`: reports every mistake in a configuration file, and changes nothing.

use std::path::Path;

use super::console::{print_line, read_config};
use super::error::CliError;

/// Prints that the file is fine, or fails with every complaint.
pub(super) fn run(path: &Path) -> Result<(), CliError> {
    read_config(path)?;
    print_line(&format!("{} is fine.", path.display()))
}
