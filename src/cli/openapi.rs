//! `doorward openapi`: prints the OpenAPI document.

use std::path::Path;

use super::console::print;
use super::error::CliError;
use crate::api;
use crate::config;
use crate::http::{Api, openapi};

/// What to print.
#[derive(clap::Args)]
pub(super) struct Document {
    /// Only this API, such as `core` or `admin`
    #[arg(long, value_name = "NAME")]
    api: Option<String>,
}

impl Document {
    /// Prints the document of all APIs, or of one.
    pub(super) fn run(&self) -> Result<(), CliError> {
        let config =
            config::parse("", Path::new("")).map_err(|wrong| CliError::new(wrong.to_string()))?;
        let all = api::served(&config.apis);
        let asked = |api: &&'static Api| self.api.as_ref().is_none_or(|name| *name == api.name);
        let apis: Vec<&Api> = all.iter().copied().filter(asked).collect();
        if apis.is_empty() {
            let mut names: Vec<&str> = all.iter().map(|api| api.name).collect();
            names.sort_unstable();
            names.dedup();
            let names = names.join(", ");
            return Err(CliError::new(format!(
                "no API has this name; there are {names}"
            )));
        }
        let text = format!("{:#}\n", openapi::document(&apis));
        print(&text)
    }
}
