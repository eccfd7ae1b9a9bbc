//! `doorward event`: events and their erasure.

use clap::{Args, Subcommand};

use super::call::Filters;
use super::output::{Column, column};
use super::{Run, Session};
use crate::cli::error::CliError;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List events, the newest first
    List(List),
    /// Remove events for good
    Erase(Erase),
}

#[derive(Args)]
pub(in crate::cli) struct List {
    #[arg(long, help = "Events of this name")]
    name: Option<String>,
    #[arg(
        long,
        value_name = "ID",
        help = "The id of the account that they are about"
    )]
    user: Option<String>,
    #[arg(
        long,
        value_name = "MOMENT",
        help = "From this date or moment on, 2026-11-20"
    )]
    from: Option<String>,
    #[arg(long, value_name = "MOMENT", help = "Before this date or moment")]
    to: Option<String>,
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 50,
        help = "How many at most"
    )]
    limit: usize,
}

#[derive(Args)]
pub(in crate::cli) struct Erase {
    #[arg(long, help = "Events of this name")]
    name: Option<String>,
    #[arg(
        long,
        value_name = "ID",
        help = "The id of the account that they are about"
    )]
    user: Option<String>,
    #[arg(
        long,
        value_name = "MOMENT",
        help = "Before this date or moment, 2026-11-20"
    )]
    before: Option<String>,
}

const COLUMNS: [Column; 5] = [
    column("AT", "at"),
    column("NAME", "name"),
    column("ACCOUNT", "user_id"),
    column("REPORTER", "reporter_id"),
    column("DETAILS", "details"),
];

impl Run for Command {
    fn run(self, session: &Session) -> Result<(), CliError> {
        match self {
            Command::List(list) => {
                let filters = Filters::default()
                    .with("name", list.name.as_deref())
                    .with("user_id", list.user.as_deref())
                    .with("from", list.from.as_deref())
                    .with("to", list.to.as_deref());
                let events = session
                    .admin
                    .list("/events", &filters, "events", list.limit)?;
                session.show_list("events", &events, &COLUMNS)
            }
            Command::Erase(erase) => {
                session.confirm("These events will be gone, and out of all counts.")?;
                let filters = Filters::default()
                    .with("name", erase.name.as_deref())
                    .with("user_id", erase.user.as_deref())
                    .with("before", erase.before.as_deref());
                session.show_one(&session.admin.delete(&filters.after("/events"))?)
            }
        }
    }
}
