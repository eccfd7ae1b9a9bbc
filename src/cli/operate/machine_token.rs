//! `doorward machine-token`: tokens for programs that cannot log in. A new secret is alone on
//! standard output, so that a script can take it; what belongs to it is said on standard error.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::{Filters, encoded};
use super::output::{Column, column};
use super::user;
use super::{Run, Session};
use crate::cli::console::print_line;
use crate::cli::error::CliError;
use crate::cli::stderr;
use crate::config;
use crate::model::TokenId;
use crate::world::{Clock, SystemClock};

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List the machine tokens, by name
    List(List),
    /// Show a machine token
    Show(Named),
    /// Make a machine token; its secret is printed once
    Make(Make),
    /// Make another secret with the same name and rights; the old one lives on for a while
    Rotate(Rotate),
    /// End a machine token; by its name, with those that it was rotated from
    End(Named),
}

#[derive(Args)]
pub(in crate::cli) struct List {
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
    #[arg(value_name = "TOKEN", help = "The name or the id of a machine token")]
    token: String,
}

#[derive(Args)]
pub(in crate::cli) struct Make {
    #[arg(help = "The name, such as sensor-1")]
    name: String,
    #[arg(
        long = "scope",
        value_name = "SCOPE",
        required = true,
        value_delimiter = ',',
        help = "What it may do, such as events:write; may be given again"
    )]
    scopes: Vec<String>,
    #[arg(
        long,
        value_name = "USER",
        help = "The id or the address of the account whose events it reports"
    )]
    user: Option<String>,
    #[arg(
        long,
        value_name = "TIME",
        help = "When it ends: after a time such as 90d, or at a date or moment [default: never]"
    )]
    expires: Option<String>,
    #[arg(
        long = "network",
        value_name = "CIDR",
        value_delimiter = ',',
        help = "A network that it may be used from; may be given again [default: all]"
    )]
    networks: Vec<String>,
}

#[derive(Args)]
pub(in crate::cli) struct Rotate {
    #[command(flatten)]
    token: Named,
    #[arg(
        long,
        value_name = "SECONDS",
        help = "How long the old secret works on [default: a day]"
    )]
    overlap: Option<u64>,
    #[arg(
        long,
        value_name = "TIME",
        help = "When the new one ends [default: when the old one would have]"
    )]
    expires: Option<String>,
}

const COLUMNS: [Column; 7] = [
    column("NAME", "name"),
    column("STATUS", "status"),
    column("SCOPES", "scopes"),
    column("EXPIRES", "expires_at"),
    column("LAST USED", "last_used_at"),
    column("ADDRESS", "last_address"),
    column("ID", "id"),
];

impl Named {
    /// The path of the token, with `rest` behind it.
    fn path(&self, session: &Session, rest: &str) -> Result<String, CliError> {
        let ids = self.ids(session)?;
        let newest = ids.first().map_or("", String::as_str);
        Ok(format!("/machine-tokens/{newest}{rest}"))
    }

    /// The ids of the tokens with the name, the newest first; or the id that was typed. There is at
    /// least one.
    fn ids(&self, session: &Session) -> Result<Vec<String>, CliError> {
        let all = listed(session, usize::MAX)?;
        let text = |token: &Value, key| {
            let text = token.get(key).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let with_name = all.iter().filter(|it| text(it, "name") == self.token);
        let mut found: Vec<_> = with_name
            .map(|it| (text(it, "created_at"), text(it, "id")))
            .collect();
        // A date of RFC 3339 in UTC sorts as the moment does.
        found.sort_by(|a, b| b.cmp(a));
        let mut ids: Vec<_> = found.into_iter().map(|(_, id)| id).collect();
        // A name may look like an id.
        if ids.is_empty() && TokenId::parse(&self.token).is_some() {
            ids.push(encoded(&self.token));
        }
        if ids.is_empty() {
            let why = format!("no machine token has the name {}", self.token);
            return Err(CliError::not_found(why));
        }
        Ok(ids)
    }
}

fn listed(session: &Session, limit: usize) -> Result<Vec<Value>, CliError> {
    let all = Filters::default();
    let admin = &session.admin;
    admin.list("/machine-tokens", &all, "machine_tokens", limit)
}

/// The moment at which a token is to end, as the admin API reads it: what was typed, or a moment
/// that lies a time such as 90d ahead.
fn end(typed: Option<&String>) -> Option<String> {
    typed.map(|text| {
        let span = config::parse_duration(text);
        let ahead = |span| SystemClock::start().now().after(span).rfc3339_millis();
        span.map_or_else(|| text.clone(), ahead)
    })
}

/// Prints the secret of a new token, and says what it is.
fn show_secret(session: &Session, made: &Value) -> Result<(), CliError> {
    if session.json {
        return session.show_one(made);
    }
    let text = |key: &str| made.get(key).and_then(Value::as_str);
    let until = text("expires_at").map_or_else(
        || "does not expire".to_owned(),
        |moment| format!("is good until {moment}"),
    );
    let name = text("name").unwrap_or_default();
    stderr::write(&format!(
        "doorward: the token {name} {until}; it is shown only once, here\n"
    ));
    print_line(text("token").unwrap_or_default())
}

impl Run for Command {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let admin = &session.admin;
        match self {
            Command::List(list) => {
                let tokens = listed(session, list.limit)?;
                session.show_list("machine_tokens", &tokens, &COLUMNS)
            }
            Command::Show(token) => session.show_one(&admin.get(&token.path(session, "")?)?),
            Command::Make(make) => {
                let owner = make.user.as_deref();
                let user_id = owner.map(|it| user::id(session, it)).transpose()?;
                let new = json!({
                    "name": make.name,
                    "scopes": make.scopes,
                    "user_id": user_id,
                    "expires_at": end(make.expires.as_ref()),
                    "networks": Some(make.networks).filter(|them| !them.is_empty()),
                });
                show_secret(session, &admin.post("/machine-tokens", &new)?)
            }
            Command::Rotate(rotate) => {
                let path = rotate.token.path(session, "/rotate")?;
                let asked = json!({
                    "overlap_seconds": rotate.overlap,
                    "expires_at": end(rotate.expires.as_ref()),
                });
                show_secret(session, &admin.post(&path, &asked)?)
            }
            Command::End(token) => {
                let ids = token.ids(session)?;
                session.confirm(&format!("The machine token {} will end.", token.token))?;
                for id in ids {
                    admin.delete(&format!("/machine-tokens/{id}"))?;
                }
                session.done("The machine token is ended.")
            }
        }
    }
}
