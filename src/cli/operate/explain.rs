//! `doorward explain`: why something is not accepted.

use std::io::BufRead;

use clap::Args;
use serde_json::Value;

use super::audit::COLUMNS;
use super::call::Filters;
use super::output;
use super::{Run, Session};
use crate::cli::console::{print, print_line};
use crate::cli::error::CliError;

/// One thing to explain. A secret on the command line can be read by other users of the machine, so
/// `-` reads it from standard input.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct Subject {
    #[arg(long, help = "A token; - reads it from standard input")]
    token: Option<String>,
    #[arg(
        long,
        help = "A reset code or an invite; - reads it from standard input"
    )]
    code: Option<String>,
    #[arg(long, value_name = "ADDRESS", help = "The address of an account")]
    email: Option<String>,
    #[arg(long, value_name = "ID", help = "The id of a request (X-Request-Id)")]
    request: Option<String>,
}

impl Run for Subject {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let asked = Filters::default()
            .with("token", secret(self.token)?.as_deref())
            .with("code", secret(self.code)?.as_deref())
            .with("email", self.email.as_deref())
            .with("request", self.request.as_deref());
        let explained = session.admin.get(&asked.after("/explain"))?;
        if session.json {
            return session.show_one(&explained);
        }
        let sentence = explained.get("explanation").and_then(Value::as_str);
        print_line(sentence.unwrap_or_default())?;
        match explained.get("entries").and_then(Value::as_array) {
            Some(entries) if !entries.is_empty() => {
                let table = output::table(entries, COLUMNS, output::terminal_width());
                print(&format!("\n{table}"))
            }
            _ => Ok(()),
        }
    }
}

/// The secret itself, or the first line of standard input.
fn secret(given: Option<String>) -> Result<Option<String>, CliError> {
    if given.as_deref() != Some("-") {
        return Ok(given);
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|cause| CliError::because("cannot read standard input", cause))?;
    Ok(Some(line.trim().to_owned()))
}
