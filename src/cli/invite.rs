//! `doorward invite`: mails a link that opens accounts, whether or not the server runs.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::config_file::ConfigFile;
use super::console::{print_line, read_config_quietly};
use super::control_client::{ControlClient, ControlError};
use super::error::CliError;
use super::opening;
use super::stopped_server;
use crate::config::{self, Config, Transport};
use crate::model::{Email, Secret};

#[derive(Args)]
pub(super) struct Invite {
    #[arg(value_parser = address, help = "Where the mail goes")]
    address: Email,
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
    #[command(flatten)]
    config: ConfigFile,
}

fn address(text: &str) -> Result<Email, String> {
    Email::parse(text).map_err(|invalid| invalid.why)
}

fn lifetime(text: &str) -> Result<Duration, String> {
    config::parse_duration(text).ok_or_else(|| "a time is written like 24h or 7d".to_owned())
}

impl Invite {
    pub(super) fn run(self) -> Result<(), CliError> {
        let config = read_config_quietly(&self.config.path())?;
        check(&config)?;
        let (to, uses) = (self.address, self.uses);
        let request = json!({
            "address": to.shown(),
            "uses": uses,
            "lifetime_seconds": self.expires.as_secs(),
        });
        let shown = to.shown().to_owned();
        let when = match ControlClient::new(&config.storage.path).post("/invites", &request) {
            Ok(_) => "is sent now; if the mail server does not take it, the log says why",
            Err(ControlError::NotRunning) => {
                let announce = |password: &Secret| {
                    // If it is not shown, `doorward admin reset-password` makes another.
                    let _ = opening::show_generated_password(&config, password);
                };
                stopped_server::run(&config, announce, "cannot send the invite", |services| {
                    Box::pin(services.invite(to, uses, self.expires, services.now()))
                })?;
                "waits: no server runs, and the next start sends it"
            }
            Err(error) => return Err(error.into()),
        };
        print_line(&format!("The invite for {shown} {when}."))
    }
}

/// Refuses an invite that would not leave, or would open nothing.
fn check(config: &Config) -> Result<(), CliError> {
    if !config.accounts.signup {
        return Err(CliError::new(
            "`accounts.signup` is false, so an invite opens nothing; set it to true, and \
             `accounts.invite_required` to true so that only those who are invited sign up",
        ));
    }
    if config.mail.transport == Transport::Log {
        return Err(CliError::new(
            "`mail.transport` is \"log\", so no mail leaves; set up mail, reload the server, and \
             run this command again",
        ));
    }
    Ok(())
}
