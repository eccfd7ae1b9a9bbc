//! Runs the command, prints its error and chooses the exit code: 0 for success, 2 for a wrong
//! command line or configuration, 1 for any other error.

use std::process::ExitCode;

use doorward::cli;

fn main() -> ExitCode {
    let code = match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            cli::print_error(&error);
            ExitCode::from(error.exit_code())
        }
    };
    cli::flush_errors();
    code
}
