//! The option `--config`, which most commands have.

use std::path::PathBuf;

use clap::Args;

use crate::config;

/// The option that names the configuration.
#[derive(Args)]
pub(super) struct ConfigFile {
    #[arg(
        long = "config",
        global = true,
        value_name = "FILE",
        help = "The configuration file [default: $DOORWARD_CONFIG, else /etc/doorward/config.toml]"
    )]
    path: Option<PathBuf>,
}

impl ConfigFile {
    /// The file that the option names, or the default.
    pub(super) fn path(self) -> PathBuf {
        self.path
            .unwrap_or_else(|| config::default_path(std::env::var_os("DOORWARD_CONFIG")))
    }
}
