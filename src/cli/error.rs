//! The error of a failed command: its message and its exit code.

use std::error::Error;
use std::fmt;
use std::path::Path;

use crate::config::Complaints;
use crate::server::ServerError;
use crate::store;

/// Why a command failed. It prints as a sentence for the user, and gives the exit code.
#[derive(Debug)]
pub enum CliError {
    /// The command line is wrong: exit code 2.
    Usage(clap::Error),
    /// The configuration is wrong: exit code 2.
    Configuration(Complaints),
    /// The service manager passed on something that cannot be served, so its unit must be changed:
    /// exit code 2.
    HandedOver(ServerError),
    /// Nothing has the id or the address that was given: exit code 3.
    NotFound(String),
    /// The request was understood and refused: exit code 4.
    Refused(String),
    /// Something could not be done: exit code 1.
    Failed {
        /// What could not be done, or what was wrong.
        what: String,
        /// The underlying error; none if `what` says everything.
        cause: Option<Box<dyn Error + Send + Sync>>,
    },
}

impl CliError {
    /// A failure without an underlying error.
    pub fn new(what: impl Into<String>) -> CliError {
        CliError::Failed {
            what: what.into(),
            cause: None,
        }
    }

    /// Nothing has the id or the address that was given.
    pub fn not_found(what: impl Into<String>) -> CliError {
        CliError::NotFound(what.into())
    }

    /// The request was understood and refused.
    pub fn refused(what: impl Into<String>) -> CliError {
        CliError::Refused(what.into())
    }

    /// A failure with its underlying error.
    pub fn because(what: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> CliError {
        CliError::Failed {
            what: what.to_owned(),
            cause: Some(cause.into()),
        }
    }

    /// The store in `path` could not be opened: why, and what its owner can do next.
    pub fn cannot_open(error: &store::Error, path: &Path) -> CliError {
        let next = match error {
            store::Error::Damaged(_) | store::Error::Corrupt(_) => format!(
                ".\nPut the newest backup back: move {} aside, copy the backup there, and start \
                 again. docs/storage.md says more under \"What damage does\", and how to get help",
                path.display()
            ),
            _ => String::new(),
        };
        CliError::new(format!("cannot open the store: {error}{next}"))
    }

    /// The server cannot listen.
    pub fn cannot_listen(error: ServerError) -> CliError {
        match error {
            ServerError::HandedOver { .. } => CliError::HandedOver(error),
            ServerError::Listen { .. } | ServerError::Tls(_) => CliError::new(error.to_string()),
        }
    }

    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            CliError::Usage(_) | CliError::Configuration(_) | CliError::HandedOver(_) => 2,
            CliError::Failed { .. } => 1,
            CliError::NotFound(_) => 3,
            CliError::Refused(_) => 4,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CliError::Usage(wrong) => wrong.render().fmt(f),
            CliError::Configuration(complaints) => {
                let count = complaints.list().len();
                let mistakes = if count == 1 { "mistake" } else { "mistakes" };
                write!(f, "{count} {mistakes} in the configuration\n{complaints}")
            }
            CliError::HandedOver(error) => error.fmt(f),
            CliError::NotFound(what) | CliError::Refused(what) | CliError::Failed { what, .. } => {
                f.write_str(what)
            }
        }
    }
}

impl Error for CliError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            CliError::Usage(_)
            | CliError::Configuration(_)
            | CliError::HandedOver(_)
            | CliError::NotFound(_)
            | CliError::Refused(_)
            | CliError::Failed { cause: None, .. } => None,
            CliError::Failed {
                cause: Some(cause), ..
            } => Some(cause.as_ref()),
        }
    }
}
