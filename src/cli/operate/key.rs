//! `doorward key`: the keys that sign access tokens.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::encoded;
use super::output::{Column, column};
use super::{Run, Session};
use crate::cli::error::CliError;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List the keys, the one in use first
    List,
    /// Make the next key, and show it to those who verify tokens, before it is used
    Next,
    /// Let the next key sign, or a new one; the key before stays until its tokens expire
    Rotate,
    /// Take a key that does not sign out of the key set at once
    Remove(Named),
}

#[derive(Args)]
pub(in crate::cli) struct Named {
    #[arg(
        value_name = "KEY",
        allow_hyphen_values = true,
        help = "The id of a key in the list"
    )]
    id: String,
}

const COLUMNS: [Column; 5] = [
    column("ID", "id"),
    column("STATUS", "status"),
    column("MADE", "created_at"),
    column("USED FROM", "used_from"),
    column("UNTIL", "until"),
];

impl Run for Command {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let admin = &session.admin;
        let answer = match self {
            Command::List => admin.get("/signing-keys")?,
            Command::Next => admin.post("/signing-key/next", &json!({}))?,
            Command::Rotate => admin.post("/signing-key/rotate", &json!({}))?,
            Command::Remove(key) => {
                session.confirm("Others will refuse the access tokens that it has signed.")?;
                admin.delete(&format!("/signing-keys/{}", encoded(&key.id)))?;
                return session.done("The key is removed.");
            }
        };
        let keys = answer.get("signing_keys").and_then(Value::as_array);
        session.show_list("signing_keys", keys.map_or(&[], Vec::as_slice), &COLUMNS)
    }
}
