//! `doorward check-config`: says what is wrong with a configuration file, and touches nothing else.

use std::path::Path;

use super::{CliError, print_line, read_config};

/// Prints that the file is fine, or fails with every complaint.
pub(super) fn run(path: &Path) -> Result<(), CliError> {
    read_config(path)?;
    print_line(&format!("{} is fine.", path.display()))
}
