//! `doorward status`: what is stored, and how much of the disk it takes.

use clap::Args;

use super::{Run, Session};
use crate::cli::error::CliError;

#[derive(Args)]
pub(in crate::cli) struct Status {}

impl Run for Status {
    fn run(self, session: &Session) -> Result<(), CliError> {
        session.show_one(&session.admin.get("/storage")?)
    }
}
