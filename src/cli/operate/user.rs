//! `doorward user`: accounts.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::call::{Filters, encoded};
use super::output::{Column, column};
use super::token::COLUMNS as TOKEN_COLUMNS;
use super::{Run, Session};
use crate::cli::console::print_line;
use crate::cli::error::CliError;
use crate::cli::hash_password::read_password;
use crate::model::Secret;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List accounts
    List(List),
    /// Show an account
    Show(Named),
    /// Add an account; without a password, a reset link opens it
    Add(Add),
    /// Change the name or the address of an account
    Edit(Edit),
    /// Disable an account and end its tokens
    Disable(Named),
    /// Enable an account again
    Enable(Named),
    /// Delete an account with its tokens
    Delete(Named),
    /// Set the password of an account, read from the terminal or a pipe, and end its tokens
    Password(Password),
    /// Make a link for a new password, to hand over by hand
    ResetLink(ResetLink),
    /// List the tokens of an account
    Tokens(Named),
    /// End the tokens of an account
    EndTokens(EndTokens),
}

#[derive(Args)]
pub(in crate::cli) struct List {
    #[arg(
        long,
        value_name = "TEXT",
        help = "Accounts whose address or name begins with this"
    )]
    search: Option<String>,
    #[arg(long, help = "Only disabled accounts")]
    disabled: bool,
    #[arg(
        long,
        value_name = "BY",
        value_parser = ["created", "email", "name"],
        conflicts_with = "search",
        help = "By what to sort [default: created]"
    )]
    sort: Option<String>,
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
    #[arg(value_name = "USER", help = "The id or the address of an account")]
    user: String,
}

#[derive(Args)]
pub(in crate::cli) struct Add {
    #[arg(value_name = "ADDRESS", help = "The mail address")]
    email: String,
    #[arg(long, help = "The name to show")]
    name: String,
    #[arg(long, help = "Read a password from the terminal or a pipe")]
    password: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Edit {
    #[command(flatten)]
    user: Named,
    #[arg(long, help = "The new name")]
    name: Option<String>,
    #[arg(long, value_name = "ADDRESS", help = "The new mail address")]
    email: Option<String>,
    #[command(flatten)]
    notice: Notice,
}

#[derive(Args)]
pub(in crate::cli) struct Password {
    #[command(flatten)]
    user: Named,
    #[command(flatten)]
    notice: Notice,
}

#[derive(Args)]
pub(in crate::cli) struct Notice {
    #[arg(long, help = "Send the owner no mail about the change")]
    no_notice: bool,
}

#[derive(Args)]
pub(in crate::cli) struct ResetLink {
    #[command(flatten)]
    user: Named,
    #[arg(
        long,
        value_name = "SECONDS",
        help = "How long it works [default: reset.lifetime]"
    )]
    lifetime: Option<u64>,
}

#[derive(Args)]
pub(in crate::cli) struct EndTokens {
    #[command(flatten)]
    user: Named,
    #[arg(long, value_name = "TOKEN", help = "The id of a token that stays")]
    except: Option<String>,
}

const COLUMNS: [Column; 5] = [
    column("ID", "id"),
    column("ADDRESS", "email"),
    column("NAME", "name"),
    column("DISABLED", "disabled"),
    column("SINCE", "created_at"),
];

impl Named {
    /// The path of the account, with `rest` behind it.
    fn path(&self, session: &Session, rest: &str) -> Result<String, CliError> {
        Ok(format!(
            "/users/{}{rest}",
            encoded(&id(session, &self.user)?)
        ))
    }
}

/// The id of an account: looked up by the address, if that is what was typed.
pub(super) fn id(session: &Session, typed: &str) -> Result<String, CliError> {
    if !typed.contains('@') {
        return Ok(typed.to_owned());
    }
    let by_address = Filters::default().with("q", Some(typed));
    let found = session.admin.list("/users", &by_address, "users", 100)?;
    let is_it = |user: &&Value| {
        let email = user.get("email").and_then(Value::as_str);
        email.is_some_and(|email| email.to_lowercase() == typed.to_lowercase())
    };
    let id = found.iter().find(is_it).and_then(|user| user.get("id"));
    let id = id.and_then(Value::as_str).map(str::to_owned);
    id.ok_or_else(|| CliError::not_found(format!("no account has the address {typed}")))
}

impl Run for Command {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let admin = &session.admin;
        match self {
            Command::List(list) => {
                let filters = Filters::default()
                    .with("q", list.search.as_deref())
                    .with("disabled", list.disabled.then_some("true"))
                    .with("sort", list.sort.as_deref());
                let users = admin.list("/users", &filters, "users", list.limit)?;
                session.show_list("users", &users, &COLUMNS)
            }
            Command::Show(user) => session.show_one(&admin.get(&user.path(session, "")?)?),
            Command::Add(add) => add.run(session),
            Command::Edit(edit) => {
                let path = edit.user.path(session, "")?;
                let notify = !edit.notice.no_notice;
                let change = json!({"name": edit.name, "email": edit.email, "notify": notify});
                session.show_one(&admin.patch(&path, &change)?)
            }
            Command::Disable(user) => {
                let path = user.path(session, "/disable")?;
                session.show_one(&admin.post(&path, &json!({}))?)
            }
            Command::Enable(user) => {
                let path = user.path(session, "/enable")?;
                session.show_one(&admin.post(&path, &json!({}))?)
            }
            Command::Delete(user) => {
                let path = user.path(session, "")?;
                session.confirm(&format!("The account {} will be gone.", user.user))?;
                admin.delete(&path)?;
                session.done("The account is deleted.")
            }
            Command::Password(set) => {
                let path = set.user.path(session, "/password")?;
                let password = read_password()?;
                let notify = !set.notice.no_notice;
                let new = json!({"password": password.reveal(), "notify": notify});
                admin.post(&path, &new)?;
                session.done("The password is set, and all tokens of the account are ended.")
            }
            Command::ResetLink(link) => {
                let path = link.user.path(session, "/reset-link")?;
                let made = admin.post(&path, &json!({"lifetime_seconds": link.lifetime}))?;
                if session.json {
                    return session.show_one(&made);
                }
                let text = |key: &str| made.get(key).and_then(Value::as_str).unwrap_or_default();
                print_line(text("link"))?;
                session.done(&format!("It works once, until {}.", text("expires_at")))
            }
            Command::Tokens(user) => {
                let path = user.path(session, "/tokens")?;
                let tokens = admin.list(&path, &Filters::default(), "tokens", 1_000)?;
                session.show_list("tokens", &tokens, &TOKEN_COLUMNS)
            }
            Command::EndTokens(end) => {
                let path = end.user.path(session, "/tokens")?;
                session.confirm(&format!("{} will be logged out.", end.user.user))?;
                let except = Filters::default().with("except", end.except.as_deref());
                admin.delete(&except.after(&path))?;
                session.done("The tokens are ended.")
            }
        }
    }
}

impl Add {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let password = if self.password {
            Some(read_password()?)
        } else {
            None
        };
        let new = json!({
            "name": self.name,
            "email": self.email,
            "password": password.as_ref().map(Secret::reveal),
        });
        session.show_one(&session.admin.post("/users", &new)?)
    }
}
