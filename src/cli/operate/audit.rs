//! `doorward audit`: who did what.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::call::Filters;
use super::output::{Column, Live, Output, column};
use super::{Run, Session, user};
use crate::cli::error::CliError;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List entries of the audit log, the newest first
    List(List),
    /// Write all entries, the oldest first, one JSON object a line
    Export(Export),
    /// Print entries as they are written, until ^C; needs a running server
    Live(Selection),
}

/// Which entries.
#[derive(Args)]
pub(in crate::cli) struct Selection {
    #[arg(
        long,
        help = "admin, hub, anonymous, server, machine:NAME, control:UID, or the id of an account"
    )]
    actor: Option<String>,
    #[arg(
        long,
        value_name = "USER",
        help = "The id or the address of the account that it concerns"
    )]
    user: Option<String>,
    #[arg(long, help = "Such as log_in or change_password")]
    action: Option<String>,
    #[arg(long, help = "Such as success or wrong_password")]
    outcome: Option<String>,
}

/// Which of the entries that are written already.
#[derive(Args)]
pub(in crate::cli) struct Past {
    #[command(flatten)]
    selection: Selection,
    #[arg(
        long,
        value_name = "ID",
        help = "Entries of the request with this id (X-Request-Id)"
    )]
    request: Option<String>,
    #[arg(
        long,
        value_name = "MOMENT",
        help = "From this date or moment on, 2026-11-20"
    )]
    from: Option<String>,
    #[arg(long, value_name = "MOMENT", help = "Before this date or moment")]
    to: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct List {
    #[command(flatten)]
    past: Past,
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 50,
        help = "How many at most"
    )]
    limit: usize,
}

#[derive(Args)]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    past: Past,
    #[arg(
        long,
        value_name = "FILE",
        help = "A new file, which is there whole or not at all [default: standard output]"
    )]
    output: Option<PathBuf>,
}

pub(super) const COLUMNS: &[Column] = &[
    column("AT", "at"),
    column("ACTION", "action"),
    column("OUTCOME", "outcome"),
    column("COUNT", "count"),
    column("ACTOR", "actor"),
    column("ACCOUNT", "user_id"),
    column("ADDRESS", "address"),
];

impl Selection {
    fn filters(&self, session: &Session) -> Result<Filters, CliError> {
        let user = self.user.as_deref();
        let user = user.map(|typed| user::id(session, typed)).transpose()?;
        Ok(Filters::default()
            .with("actor", self.actor.as_deref())
            .with("user_id", user.as_deref())
            .with("action", self.action.as_deref())
            .with("outcome", self.outcome.as_deref()))
    }
}

impl Past {
    fn filters(&self, session: &Session) -> Result<Filters, CliError> {
        let selection = self.selection.filters(session)?;
        Ok(selection
            .with("request", self.request.as_deref())
            .with("from", self.from.as_deref())
            .with("to", self.to.as_deref()))
    }
}

impl Run for Command {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let admin = &session.admin;
        match self {
            Command::List(list) => {
                let filters = list.past.filters(session)?;
                let entries = admin.list("/audit", &filters, "entries", list.limit)?;
                session.show_list("entries", &entries, COLUMNS)
            }
            Command::Export(export) => {
                let path = export.past.filters(session)?.after("/audit/export");
                admin.export(&path, Output::to(export.output.as_deref())?)
            }
            Command::Live(selection) => {
                let path = selection.filters(session)?.after("/audit/live");
                admin.listen(
                    &path,
                    Live::new(session.columns(COLUMNS), std::io::stdout()),
                )
            }
        }
    }
}
