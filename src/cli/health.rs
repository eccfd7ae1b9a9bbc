//! `doorward health`: asks the running server whether it is well.

use std::path::Path;

use serde_json::Value;

use super::console::{print_line, read_config_quietly};
use super::control_client::{ControlClient, ControlError};
use super::error::CliError;

/// Prints `ok`, or what is damaged while requests are still served. Fails if no server answers, or
/// if it refuses changes.
pub(super) fn run(config: &Path) -> Result<(), CliError> {
    let config = read_config_quietly(config)?;
    let data = &config.storage.path;
    match ControlClient::new(data).get("/health") {
        Ok(health) => print_line(&summary(&health)),
        Err(ControlError::NotRunning) => Err(CliError::new(format!(
            "the server does not run: nothing answers in {}; start it with `systemctl start \
             doorward` or `doorward serve`",
            data.display()
        ))),
        Err(error) => Err(error.into()),
    }
}

fn summary(health: &Value) -> String {
    let count = |key: &str| health.get(key).and_then(Value::as_u64).unwrap_or(0);
    let is = |key: &str, value: &str| health.get(key).and_then(Value::as_str) == Some(value);
    let mut line = if is("status", "ok") {
        "ok".to_owned()
    } else {
        format!(
            "requests are served, but the store is damaged: {} blocks of events and {} other \
             records are known to be lost; the log says more",
            count("damaged_blocks"),
            count("damaged_records")
        )
    };
    if is("clock", "suspect") {
        line += "; the machine's clock is suspect, so nothing is removed because of its age";
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_line_says_all_that_is_wrong() {
        let fine = json!({"status": "ok", "clock": "trusted"});
        assert_eq!(summary(&fine), "ok");
        let suspect = json!({"status": "ok", "clock": "suspect"});
        assert!(summary(&suspect).starts_with("ok; the machine's clock is suspect"));
        let damaged = json!({"status": "damaged", "damaged_blocks": 2, "clock": "trusted"});
        assert!(summary(&damaged).contains("2 blocks of events and 0 other"));
    }
}
