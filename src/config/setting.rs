//! One setting: its key, its default, its meaning and its kind.

use super::fixed;
use super::kind::{Form, Kind};

/// The value of a setting that the file leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// This value, as TOML.
    Default(&'static str),
    /// None; this is an example, as TOML.
    Example(&'static str),
}

/// One key of the configuration file.
pub struct Setting {
    /// The key with its sections, such as `server.tls.cert`.
    pub key: &'static str,
    /// Its default, or an example.
    pub preset: Preset,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// The values it allows, and the field of `Config` that it sets.
    pub(super) kind: Kind,
}

impl Setting {
    /// Its sections, such as `server.tls`.
    pub fn section(&self) -> &'static str {
        self.key.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// What it does, and whether it takes effect only with a restart.
    pub fn meaning(&self) -> String {
        let about = self.about.to_owned();
        if self.needs_restart() {
            about + " Needs a restart."
        } else {
            about
        }
    }

    /// Whether it needs a restart to take effect.
    pub fn needs_restart(&self) -> bool {
        fixed::needs_restart(self.key)
    }

    /// Whether its value must not be shown.
    pub(super) fn is_secret(&self) -> bool {
        use Form::{Clear, Hash, List};
        matches!(
            self.kind,
            Kind::Invites | Kind::Password(Clear | Hash | List, _)
        )
    }

    /// Its name within its section, such as `cert`.
    pub fn name(&self) -> &'static str {
        self.key.rsplit_once('.').map_or(self.key, |(_, name)| name)
    }
}
