//! `doorward token`: tokens by their public ids.

use clap::{Args, Subcommand};

use super::call::{Filters, encoded};
use super::output::{Column, column};
use super::{Run, Session};
use crate::cli::error::CliError;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List tokens
    List(List),
    /// Show a token
    Show(Named),
    /// End a token and its login
    End(Named),
}

#[derive(Args)]
pub(in crate::cli) struct List {
    #[arg(long, help = "admin, hub, angen, session or access")]
    kind: Option<String>,
    #[arg(long, help = "admin, hub, or the id of an account")]
    holder: Option<String>,
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 100,
        help = "How many at most"
    )]
    limit: usize,
}

#[derive(Args)]
pub(in crate::cli) struct Named {
    #[arg(value_name = "TOKEN", help = "The public id of a token")]
    id: String,
}

pub(super) const COLUMNS: [Column; 7] = [
    column("ID", "id"),
    column("KIND", "kind"),
    column("STATUS", "status"),
    column("HOLDER", "holder"),
    column("LAST USED", "last_used_at"),
    column("ADDRESS", "address"),
    column("USER AGENT", "user_agent"),
];

impl Run for Command {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let path = |it: &Named| format!("/tokens/{}", encoded(&it.id));
        match self {
            Command::List(list) => {
                let filters = Filters::default()
                    .with("kind", list.kind.as_deref())
                    .with("holder", list.holder.as_deref());
                let tokens = session
                    .admin
                    .list("/tokens", &filters, "tokens", list.limit)?;
                session.show_list("tokens", &tokens, &COLUMNS)
            }
            Command::Show(token) => session.show_one(&session.admin.get(&path(&token))?),
            Command::End(token) => {
                session.admin.delete(&path(&token))?;
                session.done("The token is ended.")
            }
        }
    }
}
