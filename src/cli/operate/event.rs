//! `doorward event`: events, their counts, their streams and their erasure.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::call::Filters;
use super::output::{self, Column, Live, Output, column};
use super::{Run, Session, user};
use crate::cli::console::print;
use crate::cli::error::CliError;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List events, the newest first
    List(List),
    /// Count events, and the users they are about, by hour, day or month
    Summary(Summary),
    /// Write all events, the oldest first
    Export(Export),
    /// Print events as they are stored, until ^C; needs a running server
    Live(About),
    /// Remove events for good
    Erase(Erase),
}

/// Which events.
#[derive(Args)]
pub(in crate::cli) struct About {
    #[arg(long, help = "Events of this name")]
    name: Option<String>,
    #[arg(
        long,
        value_name = "USER",
        help = "The id or the address of the account that they are about"
    )]
    user: Option<String>,
}

/// From when to when.
#[derive(Args)]
pub(in crate::cli) struct Span {
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
    about: About,
    #[command(flatten)]
    span: Span,
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 50,
        help = "How many at most"
    )]
    limit: usize,
}

#[derive(Args)]
pub(in crate::cli) struct Summary {
    #[arg(long, help = "hour, day or month [default: day]")]
    by: Option<String>,
    #[arg(long, help = "Events of this name")]
    name: Option<String>,
    #[command(flatten)]
    span: Span,
    #[arg(
        long,
        value_name = "ZONE",
        help = "The zone of days and months, such as Europe/Berlin [default: UTC]"
    )]
    tz: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct Export {
    #[arg(long, help = "ndjson or csv [default: ndjson]")]
    format: Option<String>,
    #[command(flatten)]
    about: About,
    #[arg(
        long,
        help = "admin, hub, machine:NAME, or the id of an account that reported them"
    )]
    reporter: Option<String>,
    #[command(flatten)]
    span: Span,
    #[arg(long, help = "asc or desc [default: asc]")]
    order: Option<String>,
    #[arg(
        long,
        value_name = "ID",
        help = "Those after the event with this id, to go on with an export that broke off"
    )]
    cursor: Option<String>,
    #[arg(
        long,
        value_name = "FILE",
        help = "A new file, which is there whole or not at all [default: standard output]"
    )]
    output: Option<PathBuf>,
}

#[derive(Args)]
pub(in crate::cli) struct Erase {
    #[command(flatten)]
    about: About,
    #[arg(
        long,
        value_name = "MOMENT",
        help = "Before this date or moment, 2026-11-20"
    )]
    before: Option<String>,
}

const COLUMNS: &[Column] = &[
    column("AT", "at"),
    column("NAME", "name"),
    column("ACCOUNT", "user_id"),
    column("REPORTER", "reporter_id"),
    column("DETAILS", "details"),
];
const BUCKETS: [Column; 3] = [
    column("FROM", "from"),
    column("EVENTS", "count"),
    column("USERS", "users"),
];
const NAMES: [Column; 2] = [column("NAME", "name"), column("EVENTS", "count")];

impl About {
    fn filters(&self, session: &Session) -> Result<Filters, CliError> {
        let user = self.user.as_deref();
        let user = user.map(|typed| user::id(session, typed)).transpose()?;
        Ok(Filters::default()
            .with("name", self.name.as_deref())
            .with("user_id", user.as_deref()))
    }
}

impl Span {
    fn filters(&self, others: Filters) -> Filters {
        others
            .with("from", self.from.as_deref())
            .with("to", self.to.as_deref())
    }
}

impl Run for Command {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let admin = &session.admin;
        match self {
            Command::List(list) => {
                let filters = list.span.filters(list.about.filters(session)?);
                let events = admin.list("/events", &filters, "events", list.limit)?;
                session.show_list("events", &events, COLUMNS)
            }
            Command::Summary(summary) => summary.run(session),
            Command::Export(export) => export.run(session),
            Command::Live(about) => {
                let path = about.filters(session)?.after("/events/live");
                admin.listen(
                    &path,
                    Live::new(session.columns(COLUMNS), std::io::stdout()),
                )
            }
            Command::Erase(erase) => {
                session.confirm("These events will be gone, and out of all counts.")?;
                let filters = erase.about.filters(session)?;
                let filters = filters.with("before", erase.before.as_deref());
                session.show_one(&admin.delete(&filters.after("/events"))?)
            }
        }
    }
}

impl Export {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let filters = self.span.filters(self.about.filters(session)?);
        let filters = filters
            .with("format", self.format.as_deref())
            .with("reporter_id", self.reporter.as_deref())
            .with("order", self.order.as_deref())
            .with("cursor", self.cursor.as_deref());
        let output = Output::to(self.output.as_deref())?;
        session
            .admin
            .export(&filters.after("/events/export"), output)
    }
}

impl Summary {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let filters = Filters::default()
            .with("by", self.by.as_deref())
            .with("name", self.name.as_deref())
            .with("tz", self.tz.as_deref());
        let path = self.span.filters(filters).after("/events/summary");
        let summary = session.admin.get(&path)?;
        if session.json {
            return session.show_one(&summary);
        }
        let table = |key: &str, columns: &[Column]| {
            let rows = summary.get(key).and_then(Value::as_array);
            let rows = rows.map_or(&[][..], Vec::as_slice);
            output::table(rows, columns, output::terminal_width())
        };
        let number = |key: &str| summary.get(key).and_then(Value::as_u64).unwrap_or(0);
        let (buckets, names) = (table("buckets", &BUCKETS), table("names", &NAMES));
        let (events, users) = (number("total"), number("users"));
        let more = match number("more_names") {
            0 => String::new(),
            more => format!("and {more} more names\n"),
        };
        print(&format!(
            "{buckets}\n{names}{more}\n{events} events about {users} users (an estimate)\n"
        ))
    }
}
