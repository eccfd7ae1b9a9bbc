//! The command line: its grammar, its help and its exit codes. Each subcommand has a file of its own.

mod check_config;
mod hash_password;
mod logging;
mod serve;

use std::error::Error;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Complaints, Config};

/// What was asked for on the command line.
#[derive(Debug, Parser)]
#[command(
    name = "doorward",
    version,
    about = "Users, tokens, reset codes and events behind five HTTP APIs, in one binary",
    long_about = "doorward keeps users, tokens with expiry, reset codes and events in an embedded database\n\
                  and serves them over HTTP.\n\n\
                  Write a configuration file (config.example.toml holds every key), check it, and serve:\n\n  \
                  doorward check-config --config config.toml\n  \
                  doorward serve --config config.toml",
    after_help = "Exit codes: 0 fine, 2 wrong command line or configuration, 1 anything else."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the APIs until SIGTERM or SIGINT
    #[command(
        long_about = "Serves the APIs in the foreground. On SIGTERM or SIGINT it accepts no more requests,\n\
                      finishes those under way and leaves."
    )]
    Serve(ConfigFile),
    /// Check a configuration file without serving
    #[command(
        long_about = "Reads the configuration file as `serve` would and reports every mistake in it with its\n\
                      line. Run it as the user that serves: a password file that this user cannot read is a\n\
                      mistake too."
    )]
    CheckConfig(ConfigFile),
    /// Hash a password for the configuration file
    #[command(
        long_about = "Asks for a password twice without showing it, or reads one line from a pipe, and prints\n\
                      its Argon2id hash for `admin.password_hash` or `hub.passwords`:\n\n  \
                      doorward hash-password < password.txt"
    )]
    HashPassword,
}

#[derive(Debug, Args)]
struct ConfigFile {
    #[arg(
        long = "config",
        value_name = "FILE",
        help = "The configuration file [default: $DOORWARD_CONFIG, else /etc/doorward/config.toml]"
    )]
    path: Option<PathBuf>,
}

impl ConfigFile {
    fn path(self) -> PathBuf {
        self.path
            .unwrap_or_else(|| config::default_path(std::env::var_os("DOORWARD_CONFIG")))
    }
}

/// Why a command ended early. It is shown as a sentence that says what to do, and knows its exit code.
#[derive(Debug)]
pub enum CliError {
    /// The configuration is wrong: exit code 2.
    Configuration(Complaints),
    /// Something could not be done: exit code 1.
    Failed {
        /// What could not be done, or what was wrong.
        what: String,
        /// What stood in the way, where `what` does not say it.
        cause: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl CliError {
    /// A failure that `what` says all about.
    pub fn new(what: impl Into<String>) -> CliError {
        CliError::Failed {
            what: what.into(),
            cause: None,
        }
    }

    /// A failure and what stood in the way.
    pub fn because(what: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> CliError {
        CliError::Failed {
            what: what.to_owned(),
            cause: Some(cause.into()),
        }
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            CliError::Configuration(_) => 2,
            CliError::Failed { .. } => 1,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CliError::Configuration(complaints) => {
                let count = complaints.list().len();
                let mistakes = if count == 1 { "mistake" } else { "mistakes" };
                write!(f, "{count} {mistakes} in the configuration\n{complaints}")
            }
            CliError::Failed { what, .. } => f.write_str(what),
        }
    }
}

impl Error for CliError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            CliError::Configuration(_) | CliError::Failed { cause: None, .. } => None,
            CliError::Failed {
                cause: Some(cause), ..
            } => Some(cause.as_ref()),
        }
    }
}

/// Runs one command to its end.
pub fn run(arguments: Arguments) -> Result<(), CliError> {
    match arguments.command {
        Command::Serve(file) => serve::run(&file.path()),
        Command::CheckConfig(file) => check_config::run(&file.path()),
        Command::HashPassword => hash_password::run(),
    }
}

/// Reads the configuration file, with systemd's credentials at hand, and prints its warnings to standard error.
fn read_config(path: &Path) -> Result<Config, CliError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let loaded = config::load(path, credentials.as_deref()).map_err(CliError::Configuration)?;
    for warning in loaded.warnings {
        // A warning that nobody can read is no reason not to go on.
        let _ = writeln!(std::io::stderr(), "doorward: warning: {warning}");
    }
    Ok(loaded.config)
}

/// Prints a line to standard output, which may be closed.
fn print_line(line: &str) -> Result<(), CliError> {
    let written = writeln!(std::io::stdout(), "{line}");
    written.map_err(|cause| CliError::because("cannot write to standard output", cause))
}
