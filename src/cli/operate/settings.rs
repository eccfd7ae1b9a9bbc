//! `doorward settings`: what is in force, and where it comes from.

use clap::Args;
use serde_json::{Value, json};

use super::output::{Column, column};
use super::{Run, Session};
use crate::cli::error::CliError;

#[derive(Args)]
pub(in crate::cli) struct Settings {
    #[arg(
        value_name = "KEY",
        help = "Only keys that begin with this, such as mail"
    )]
    prefix: Option<String>,
    #[arg(long, help = "Only what the configuration file sets")]
    from_file: bool,
}

const COLUMNS: [Column; 5] = [
    column("KEY", "key"),
    column("VALUE", "value"),
    column("SOURCE", "source"),
    column("LINE", "line"),
    column("AFTER A RESTART", "after_restart"),
];

impl Settings {
    fn shows(&self, setting: &Value) -> bool {
        let text = |key: &str| setting.get(key).and_then(Value::as_str).unwrap_or_default();
        let prefix = self.prefix.as_deref().unwrap_or_default();
        text("key").starts_with(prefix) && (!self.from_file || text("source") == "file")
    }
}

/// A secret is not shown; that it is set is.
fn without_secret(mut setting: Value) -> Value {
    let is = |key: &str, value: Value| setting.get(key) == Some(&value);
    let is_set = is("is_secret", json!(true)) && is("source", json!("file"));
    if let Some(value) = setting.get_mut("value").filter(|_| is_set) {
        *value = json!("(secret)");
    }
    setting
}

impl Run for Settings {
    fn run(self, session: &Session) -> Result<(), CliError> {
        let all = session.admin.get("/settings")?;
        let all = all.get("settings").and_then(Value::as_array);
        let shown = all.into_iter().flatten().filter(|it| self.shows(it));
        let rows: Vec<Value> = if session.json {
            shown.cloned().collect()
        } else {
            shown.cloned().map(without_secret).collect()
        };
        if let Some(prefix) = self.prefix.filter(|_| rows.is_empty()) {
            return Err(CliError::not_found(format!(
                "no setting begins with {prefix}"
            )));
        }
        session.show_list("settings", &rows, &COLUMNS)
    }
}
