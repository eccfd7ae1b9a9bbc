//! Parses the command line, runs the command, prints errors and chooses the exit code: 0 for
//! success, 2 for a wrong command line or configuration, 1 for any other error.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use doorward::cli;

fn main() -> ExitCode {
    // On a wrong command line clap prints the error and exits with 2.
    let arguments = cli::Arguments::parse();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is no other place to report the error.
            let _ = writeln!(std::io::stderr(), "doorward: {}", sentence(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

/// The error and its causes, outermost first, joined by colons.
fn sentence(error: &dyn Error) -> String {
    error.source().map_or_else(
        || error.to_string(),
        |cause| format!("{error}: {}", sentence(cause)),
    )
}
