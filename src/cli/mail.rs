//! `doorward mail test`: sends a mail by the configured transport, and shows what each step did.

use std::path::Path;

use super::console::{print_line, read_config};
use super::error::CliError;
use crate::crypto::SystemRandom;
use crate::model::Email;
use crate::service;
use crate::world::{Clock, Random, SystemClock};

/// Sends a mail to `address`. Neither the server nor its database takes part.
pub(super) fn test(address: &str, config: &Path) -> Result<(), CliError> {
    let config = read_config(config)?;
    let to = Email::parse(address).map_err(|wrong| CliError::new(format!("the {wrong}")))?;
    let mut unique = [0; 16];
    SystemRandom::default().fill(&mut unique);
    let now = SystemClock::start().now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|cause| CliError::because("cannot start", cause))?;
    let mut printed = Ok(());
    let mut report = |step: &str, what: &str| {
        let line = print_line(&format!("{step}: {what}"));
        if printed.is_ok() {
            printed = line;
        }
    };
    let sent = service::send_trial(&config, &to, unique, now, &mut report);
    runtime.block_on(sent).map_err(CliError::new)?;
    printed
}
