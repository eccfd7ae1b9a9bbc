//! `doorward outbox`: mail that waits.

use clap::{Args, Subcommand};
use serde_json::json;

use super::call::{Filters, encoded};
use super::output::{Column, column};
use super::{Run, Session};
use crate::cli::error::CliError;

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// List the mails that wait to be sent
    List,
    /// Try a mail at once
    Retry(Named),
    /// Drop a mail
    Drop(Named),
}

#[derive(Args)]
pub(in crate::cli) struct Named {
    #[arg(value_name = "MAIL", help = "The id of a mail that waits")]
    id: String,
}

const COLUMNS: [Column; 6] = [
    column("ID", "id"),
    column("KIND", "kind"),
    column("TO", "to"),
    column("ATTEMPTS", "attempts"),
    column("NEXT", "due_at"),
    column("UNTIL", "ends_at"),
];

impl Run for Command {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let admin = &session.admin;
        match self {
            Command::List => {
                let mails = admin.list("/outbox", &Filters::default(), "mails", usize::MAX)?;
                session.show_list("mails", &mails, &COLUMNS)
            }
            Command::Retry(mail) => {
                admin.post(&format!("/outbox/{}/retry", encoded(&mail.id)), &json!({}))?;
                session
                    .done("It is tried now; if the mail server does not take it, the log says why.")
            }
            Command::Drop(mail) => {
                session.confirm("The mail will not be sent.")?;
                admin.delete(&format!("/outbox/{}", encoded(&mail.id)))?;
                session.done("The mail is dropped.")
            }
        }
    }
}
