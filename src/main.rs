//! Parses the command line, runs it, prints what went wrong and chooses the exit code: 0 fine, 2
//! wrong command line or configuration, 1 anything else.

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use doorward::cli;

fn main() -> ExitCode {
    // On a wrong command line clap says so and leaves with 2 by itself.
    let arguments = cli::Arguments::parse();
    match cli::run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nowhere else to say so.
            let _ = writeln!(std::io::stderr(), "doorward: {}", sentence(&error));
            ExitCode::from(error.exit_code())
        }
    }
}

/// The error and its causes, from the outermost inwards.
fn sentence(error: &dyn Error) -> String {
    error.source().map_or_else(
        || error.to_string(),
        |cause| format!("{error}: {}", sentence(cause)),
    )
}
