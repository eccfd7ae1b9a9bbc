//! The commands that ask the admin API: over the control socket of the running server or, when none
//! runs, of the store that the command opens itself, by the same code.

mod audit;
mod call;
mod event;
mod explain;
mod invite;
mod key;
mod limit;
mod machine_token;
mod outbox;
mod output;
mod settings;
mod status;
mod token;
mod top;
mod user;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::config_file::ConfigFile;
use super::console;
use super::error::CliError;
use call::Admin;
use output::Column;

/// The options that all these commands have.
#[derive(Args)]
struct Common {
    #[arg(long, global = true, help = "Print the JSON of the admin API")]
    json: bool,
    #[arg(
        long,
        global = true,
        help = "Do not ask before something is removed for good"
    )]
    yes: bool,
    #[command(flatten)]
    config: ConfigFile,
}

/// A command with its options.
#[derive(Args)]
pub(super) struct Operation<C: Subcommand> {
    #[command(subcommand)]
    command: C,
    #[command(flatten)]
    common: Common,
}

/// A command without further words.
#[derive(Args)]
pub(super) struct Question<C: Args> {
    #[command(flatten)]
    command: C,
    #[command(flatten)]
    common: Common,
}

/// What a command does.
pub(super) trait Run {
    fn run(self, session: &Session) -> Result<(), CliError>;
}

impl<C: Subcommand + Run> Operation<C> {
    pub(super) fn run(self) -> Result<(), CliError> {
        self.command.run(&Session::open(self.common)?)
    }
}

impl<C: Args + Run> Question<C> {
    pub(super) fn run(self) -> Result<(), CliError> {
        self.command.run(&Session::open(self.common)?)
    }
}

pub(super) use audit::Command as Audit;
pub(super) use event::Command as Event;
pub(super) use explain::Subject as Explain;
pub(super) use invite::Command as Invite;
pub(super) use key::Command as Key;
pub(super) use limit::Command as Limit;
pub(super) use machine_token::Command as MachineToken;
pub(super) use outbox::Command as Outbox;
pub(super) use settings::Settings;
pub(super) use status::Status;
pub(super) use token::Command as Token;
pub(super) use top::Top;
pub(super) use user::Command as User;

/// The admin API with the options of a command.
pub(super) struct Session {
    admin: Admin,
    json: bool,
    yes: bool,
}

impl Session {
    fn open(common: Common) -> Result<Session, CliError> {
        let config = console::read_config_quietly(&common.config.path())?;
        Ok(Session {
            admin: Admin::of(config),
            json: common.json,
            yes: common.yes,
        })
    }

    /// Prints a list: as JSON under its key, or as a table.
    fn show_list(&self, key: &str, rows: &[Value], columns: &[Column]) -> Result<(), CliError> {
        if self.json {
            let list = serde_json::json!({ key: rows });
            return console::print_list(&format!("{list}\n"));
        }
        let table = output::table(rows, columns, output::terminal_width());
        console::print_list(&output::with_heading(&table, output::may_highlight()))
    }

    /// The columns of what comes one by one; none: its JSON is printed.
    fn columns(&self, columns: &'static [Column]) -> Option<&'static [Column]> {
        (!self.json).then_some(columns)
    }

    /// Prints one thing: as JSON, or a line for each of its fields.
    fn show_one(&self, value: &Value) -> Result<(), CliError> {
        if self.json {
            return console::print_line(&value.to_string());
        }
        console::print(&output::fields(value))
    }

    /// Says that something is done; nothing for programs.
    fn done(&self, what: &str) -> Result<(), CliError> {
        if self.json {
            return Ok(());
        }
        console::print_line(what)
    }

    /// Asks before something is removed for good, unless `--yes` says so.
    fn confirm(&self, what: &str) -> Result<(), CliError> {
        if self.yes || console::asks_yes(&format!("{what} Type yes to go on: "))? {
            return Ok(());
        }
        Err(CliError::new(
            "nothing was changed; --yes answers the question beforehand",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_list_has_its_usual_length() {
        type Augment = fn(clap::Command) -> clap::Command;
        let commands: [(Augment, &str); 5] = [
            (Audit::augment_subcommands, "50"),
            (Event::augment_subcommands, "50"),
            (User::augment_subcommands, "100"),
            (Token::augment_subcommands, "100"),
            (MachineToken::augment_subcommands, "100"),
        ];
        for (augment, usual) in commands {
            let command = augment(clap::Command::new("doorward"));
            let list = command.find_subcommand("list").unwrap();
            let limit = list
                .get_arguments()
                .find(|it| it.get_id() == "limit")
                .unwrap();
            assert_eq!(limit.get_default_values(), [usual]);
        }
    }
}
