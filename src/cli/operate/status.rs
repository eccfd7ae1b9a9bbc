//! `doorward status`: how the server does, and what it writes to the disk.

use clap::Args;
use serde_json::Value;

use super::output::{self, Column, column};
use super::{Run, Session};
use crate::cli::console::print;
use crate::cli::error::CliError;

#[derive(Args)]
pub(in crate::cli) struct Status {
    #[arg(
        long,
        help = "What the data take of the disk, and what is written to it day by day"
    )]
    disk: bool,
}

const DAYS: [Column; 4] = [
    column("DAY", "day"),
    column("EVENTS", "events"),
    column("BYTES WRITTEN", "written_bytes"),
    column("FOR AN EVENT", "written_bytes_per_event"),
];

impl Run for Status {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let path = if self.disk { "/storage" } else { "/status" };
        let status = session.admin.get(path)?;
        if session.json {
            return session.show_one(&status);
        }
        print(&output::sections(&status))?;
        match status.get("days").and_then(Value::as_array) {
            None => Ok(()),
            Some(days) => {
                let table = output::table(days, &DAYS, output::terminal_width());
                print(&format!("\n{table}"))
            }
        }
    }
}
