//! `doorward audit`: who did what.

use clap::{Args, Subcommand};

use super::call::Filters;
use super::output::{Column, column};
use super::{Run, Session};
use crate::cli::error::CliError;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List entries of the audit log, the newest first
    List(List),
}

#[derive(Args)]
pub(in crate::cli) struct List {
    #[arg(
        long,
        help = "admin, hub, anonymous, server, control:UID, or the id of an account"
    )]
    actor: Option<String>,
    #[arg(
        long,
        value_name = "ID",
        help = "The id of the account that it concerns"
    )]
    user: Option<String>,
    #[arg(long, help = "Such as log_in or change_password")]
    action: Option<String>,
    #[arg(long, help = "Such as success or wrong_password")]
    outcome: Option<String>,
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

pub(super) const COLUMNS: [Column; 7] = [
    column("AT", "at"),
    column("ACTION", "action"),
    column("OUTCOME", "outcome"),
    column("COUNT", "count"),
    column("ACTOR", "actor"),
    column("ACCOUNT", "user_id"),
    column("ADDRESS", "address"),
];

impl Run for Command {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let Command::List(list) = self;
        let filters = Filters::default()
            .with("actor", list.actor.as_deref())
            .with("user_id", list.user.as_deref())
            .with("action", list.action.as_deref())
            .with("outcome", list.outcome.as_deref())
            .with("from", list.from.as_deref())
            .with("to", list.to.as_deref());
        let entries = session
            .admin
            .list("/audit", &filters, "entries", list.limit)?;
        session.show_list("entries", &entries, &COLUMNS)
    }
}
