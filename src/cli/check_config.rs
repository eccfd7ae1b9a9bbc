//! `doorward check-config`: says what is wrong with a configuration file, and touches nothing else.

use std::path::Path;

use super::console::{print_line, read_config};
use super::error::CliError;

/// Prints that the file is fine, or fails with every complaint.
pub(super) fn run(path: &Path) -> Result<(), CliError> {
    read_config(path)?;
    print_line(&format!("{} is fine.", path.display()))
}
