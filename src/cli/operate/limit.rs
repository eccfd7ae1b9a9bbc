//! `doorward limit`: who has to wait.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::call::encoded;
use super::output::{Column, column};
use super::{Run, Session};
use crate::cli::error::CliError;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List who has to wait because of a limit
    List,
    /// Let somebody try again at once
    Lift(Named),
}

#[derive(Args)]
pub(in crate::cli) struct Named {
    #[arg(value_name = "WAIT", help = "The id of a wait in the list")]
    id: String,
}

const COLUMNS: [Column; 5] = [
    column("LIMIT", "limit"),
    column("SECONDS", "wait_seconds"),
    column("NETWORK", "network"),
    column("ACCOUNT", "user_id"),
    column("ID", "id"),
];

impl Run for Command {
    fn run(self, session: &Session) -> Result<(), CliError> {
        match self {
            Command::List => {
                let waits = session.admin.get("/limits")?;
                let waits = waits.get("waits").and_then(Value::as_array);
                session.show_list("waits", waits.map_or(&[], Vec::as_slice), &COLUMNS)
            }
            Command::Lift(wait) => {
                session
                    .admin
                    .delete(&format!("/limits/{}", encoded(&wait.id)))?;
                session.done("They may try again at once.")
            }
        }
    }
}
