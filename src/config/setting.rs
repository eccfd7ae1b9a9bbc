//! What a setting is.

use super::kind::Kind;

/// What stands where the owner says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// This value, as TOML.
    Default(&'static str),
    /// Nothing; this is an example, as TOML.
    Example(&'static str),
}

/// One key of the configuration file.
pub struct Setting {
    /// The key with its sections, such as `server.tls.cert`.
    pub key: &'static str,
    /// Its default.
    pub preset: Preset,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// What its value may be, and where it goes.
    pub(super) kind: Kind,
}

impl Setting {
    /// Its sections, such as `server.tls`.
    pub fn section(&self) -> &'static str {
        self.key.rsplit_once('.').map_or("", |(section, _)| section)
    }

    /// Its name within its section, such as `cert`.
    pub fn name(&self) -> &'static str {
        self.key.rsplit_once('.').map_or(self.key, |(_, name)| name)
    }
}
