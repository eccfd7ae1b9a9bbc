//! The command line: its grammar, its help and its exit codes. Each subcommand has a file of its
//! own.

mod admin;
mod check_config;
mod config_file;
mod console;
mod control_client;
mod error;
mod first_steps;
mod hash_password;
mod health;
mod init;
mod logging;
mod mail;
mod new_file;
mod openapi;
mod opening;
mod operate;
mod reload;
mod serve;
mod service_manager;
mod stderr;
mod stopped_server;

use std::error::Error;

use clap::{CommandFactory, Parser, Subcommand};

use config_file::ConfigFile;
pub use error::CliError;

/// The parsed command line.
#[derive(Parser)]
#[command(
    name = "doorward",
    version,
    about = "Users, tokens, reset codes and events behind five HTTP APIs, in one binary",
    long_about = "doorward keeps users, tokens with expiry, reset codes and events in an embedded database\n\
                  and serves them over HTTP.\n\n\
                  Write a first configuration, edit it, check it, and serve:\n\n  \
                  doorward init --dir .\n  \
                  doorward check-config --config config.toml\n  \
                  doorward serve --config config.toml",
    after_help = "Exit codes: 0 fine, 2 wrong command line or configuration, 3 not found, 4 refused,\n\
                  1 anything else."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the APIs until SIGTERM or SIGINT
    #[command(
        long_about = "Serves the APIs in the foreground. On SIGTERM or SIGINT it accepts no more requests,\n\
                      finishes those under way and leaves."
    )]
    Serve(ConfigFile),
    /// Check a configuration file without serving
    #[command(
        long_about = "Reads the configuration file as `serve` would and reports every mistake in it with its\n\
                      line, and warnings of what works but is seldom meant. It changes nothing. Run it as\n\
                      the user that serves: a file that this user cannot read is a mistake too."
    )]
    CheckConfig(ConfigFile),
    /// Ask the running server whether it is well
    #[command(
        long_about = "Asks the running server by its control socket, the file control.sock in its data\n\
                      directory, and prints `ok`, or what is wrong. Run it as root or as the user that\n\
                      serves. It fails if no server answers, or if the server refuses changes."
    )]
    Health(ConfigFile),
    /// Accounts: list, add, disable, help those who are locked out
    #[command(
        long_about = "Asks the running server by its control socket, as root or as the user that serves. When\n\
                      none runs, the command opens the store itself. With --json it prints what the admin\n\
                      API answers:\n\n  \
                      doorward user list --search ana\n  \
                      doorward user reset-link ana@example.org"
    )]
    User(operate::Operation<operate::User>),
    /// Tokens by their public ids
    Token(operate::Operation<operate::Token>),
    /// Tokens for programs that cannot log in
    #[command(
        long_about = "Makes, lists, rotates and ends tokens for sensors, dashboards and services. The secret of\n\
                      a new one is alone on standard output:\n\n  \
                      doorward machine-token make sensor-1 --scope events:write > sensor-1.token"
    )]
    MachineToken(operate::Operation<operate::MachineToken>),
    /// The keys that sign access tokens
    Key(operate::Operation<operate::Key>),
    /// Events, their counts, streams and erasure
    Event(operate::Operation<operate::Event>),
    /// Who has to wait because of a limit
    Limit(operate::Operation<operate::Limit>),
    /// Mail that waits
    Outbox(operate::Operation<operate::Outbox>),
    /// The audit log: who did what
    Audit(operate::Operation<operate::Audit>),
    /// Why a token, a code, an address or a request is not accepted
    #[command(
        long_about = "Says what something is and why it is not accepted. A secret is best read from standard\n\
                      input, where other users of the machine cannot see it:\n\n  \
                      doorward explain --email ana@example.org\n  \
                      doorward explain --token - < token.txt"
    )]
    Explain(operate::Question<operate::Explain>),
    /// How the server does: health, store, memory, writer, requests, connections
    Status(operate::Question<operate::Status>),
    /// The settings in force, and where they come from
    #[command(
        long_about = "Shows each setting with its value, and whether it comes from the configuration file or is\n\
                      the default. After a reload it says what waits for a restart. Secrets are hidden:\n\n  \
                      doorward settings mail"
    )]
    Settings(operate::Question<operate::Settings>),
    /// A screen that shows each second what the server does
    #[command(
        long_about = "Shows requests, logins, events, groups of changes, memory and the busiest routes, drawn\n\
                      again each second until q or ^C. Without a terminal it prints them once."
    )]
    Top(operate::Question<operate::Top>),
    /// Write a first configuration and make the data directory
    #[command(
        long_about = "Writes DIR/config.toml, makes the data directory, and prints a new administrator's\n\
                      password once; the configuration holds its hash. Nothing that exists is changed, and\n\
                      after an error nothing is left behind. The data are in DIR/data, or in\n\
                      /var/lib/doorward if DIR is /etc/doorward. To try doorward in a directory of its own:\n\n  \
                      doorward init --dir door\n  \
                      doorward serve --config door/config.toml"
    )]
    Init(init::Target),
    /// The administrator's password
    #[command(subcommand)]
    Admin(admin::Command),
    /// Invites: mail them, hand them over, end them
    #[command(
        long_about = "An invite is a link (`accounts.invite_link`) with a code that opens accounts, for any\n\
                      address. It is mailed, or printed once to hand it over. Another invite that is mailed to\n\
                      the same address ends the one before. Without a running server, the next start sends the\n\
                      mail:\n\n  \
                      doorward invite make ana@example.org --expires 24h"
    )]
    Invite(operate::Operation<operate::Invite>),
    /// Try whether mail can be sent
    #[command(subcommand)]
    Mail(MailCommand),
    /// Hash a password for the configuration file
    #[command(
        long_about = "Asks for a password twice without showing it, or reads one line from a pipe, and prints\n\
                      its Argon2id hash for `admin.password_hash` or `hub.passwords`:\n\n  \
                      doorward hash-password < password.txt"
    )]
    HashPassword,
    /// Print the OpenAPI document of the APIs
    #[command(
        long_about = "Prints the OpenAPI 3.1 document of all APIs, or of one. A server that runs serves the\n\
                      document of its own APIs as /openapi.json, and as a page /docs:\n\n  \
                      doorward openapi --api core"
    )]
    Openapi(openapi::Document),
}

#[derive(Subcommand)]
enum MailCommand {
    /// Send a mail to an address, and show what each step did
    #[command(
        long_about = "Sends a short mail as the configuration says, without the server, and prints a line for\n\
                      each step with the answer of the mail server. Exit code 1 if the mail was not taken."
    )]
    Test {
        /// Where the mail goes
        #[arg(value_name = "ADDRESS")]
        address: String,
        #[command(flatten)]
        file: ConfigFile,
    },
}

/// The grammar of the command line, from which the manual pages and completions are made.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the command of the command line to its end.
pub fn run() -> Result<(), CliError> {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(wrong) if wrong.use_stderr() => return Err(CliError::Usage(wrong)),
        // Help, or the version, was asked for.
        Err(asked) => return console::print(&asked.render().to_string()),
    };
    match arguments.command {
        Command::Serve(file) => serve::run(&file.path()),
        Command::CheckConfig(file) => check_config::run(&file.path()),
        Command::Health(file) => health::run(&file.path()),
        Command::User(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::MachineToken(command) => command.run(),
        Command::Key(command) => command.run(),
        Command::Event(command) => command.run(),
        Command::Limit(command) => command.run(),
        Command::Outbox(command) => command.run(),
        Command::Audit(command) => command.run(),
        Command::Explain(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Settings(command) => command.run(),
        Command::Top(command) => command.run(),
        Command::Init(target) => init::run(&target),
        Command::Admin(command) => command.run(),
        Command::Invite(operation) => operation.run(),
        Command::Mail(MailCommand::Test { address, file }) => mail::test(&address, &file.path()),
        Command::HashPassword => hash_password::run(),
        Command::Openapi(document) => document.run(),
    }
}

/// Prints an error and its causes, outermost first, to standard error.
pub fn print_error(error: &CliError) {
    let text = match error {
        CliError::Usage(_) => error.to_string(),
        _ => format!("doorward: {}\n", sentence(error)),
    };
    // The error must not be dropped because earlier lines wait.
    stderr::flush();
    stderr::write(&text);
}

/// Waits until standard error has taken all lines, but no longer than a second.
pub fn flush_errors() {
    stderr::flush();
}

fn sentence(error: &dyn Error) -> String {
    error.source().map_or_else(
        || error.to_string(),
        |cause| format!("{error}: {}", sentence(cause)),
    )
}
