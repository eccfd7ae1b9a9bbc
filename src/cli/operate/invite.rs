//! `doorward invite`: links that open accounts.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::{Filters, encoded};
use super::output::{Column, column};
use super::{Run, Session};
use crate::cli::console::print_line;
use crate::cli::error::CliError;
use crate::config;
use crate::model::Email;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// Mail an invite, or print a link to hand over
    Make(Make),
    /// List invites
    List,
    /// Show an invite
    Show(Named),
    /// End an invite
    End(Named),
}

#[derive(Args)]
pub(in crate::cli) struct Make {
    #[arg(value_parser = address, help = "Where to mail it; without it, the link is printed")]
    address: Option<Email>,
    #[arg(
        long,
        value_name = "TIME",
        default_value = "7d",
        value_parser = lifetime,
        help = "How long the link is good, such as 24h or 7d"
    )]
    expires: Duration,
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 1,
        help = "How many accounts it opens"
    )]
    uses: u32,
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        help = "A note for the list"
    )]
    note: String,
}

#[derive(Args)]
pub(in crate::cli) struct Named {
    #[arg(value_name = "INVITE", help = "The id of an invite")]
    id: String,
}

impl Named {
    fn path(&self) -> String {
        format!("/invites/{}", encoded(&self.id))
    }
}

fn address(text: &str) -> Result<Email, String> {
    Email::parse(text).map_err(|invalid| invalid.why)
}

fn lifetime(text: &str) -> Result<Duration, String> {
    config::parse_duration(text).ok_or_else(|| "a time is written like 24h or 7d".to_owned())
}

const COLUMNS: [Column; 8] = [
    column("ID", "id"),
    column("SOURCE", "source"),
    column("STATUS", "status"),
    column("USED", "used"),
    column("OF", "uses"),
    column("EXPIRES", "expires_at"),
    column("ADDRESS", "email"),
    column("NOTE", "note"),
];

impl Run for Command {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let admin = &session.admin;
        match self {
            Command::Make(make) => make.run(session),
            Command::List => {
                let invites = admin.list("/invites", &Filters::default(), "invites", usize::MAX)?;
                session.show_list("invites", &invites, &COLUMNS)
            }
            Command::Show(invite) => session.show_one(&admin.get(&invite.path())?),
            Command::End(invite) => {
                session.confirm("The invite will open no account any more.")?;
                admin.delete(&invite.path())?;
                session.done("The invite is ended.")
            }
        }
    }
}

impl Make {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let to = self.address.as_ref().map(Email::shown);
        let made = session.admin.post(
            "/invites",
            &json!({
                "email": to,
                "note": self.note,
                "uses": self.uses,
                "lifetime_seconds": self.expires.as_secs(),
            }),
        )?;
        if session.json {
            return session.show_one(&made);
        }
        let text = |key: &str| made.get(key).and_then(Value::as_str).unwrap_or_default();
        let until = text("expires_at");
        if let Some(to) = to {
            return print_line(&format!(
                "The invite for {to} is in the outbox. A server that runs sends it now; if the mail \
                 server does not take it, the log says why."
            ));
        }
        print_line(text("link"))?;
        session.done(&format!("It opens accounts until {until}."))
    }
}
