//! The configuration in force. A reload replaces it as a whole; a reader that keeps what it got
//! works with one configuration to its end.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::Config;

/// The configuration in force, shared by all who read it.
#[derive(Debug)]
pub struct CurrentConfig(ArcSwap<Config>);

impl CurrentConfig {
    /// Begins with this configuration.
    pub fn new(config: Arc<Config>) -> Arc<CurrentConfig> {
        Arc::new(CurrentConfig(ArcSwap::new(config)))
    }

    /// The configuration in force now.
    pub fn get(&self) -> Arc<Config> {
        self.0.load_full()
    }

    /// Puts another configuration in force.
    pub fn replace(&self, config: Arc<Config>) {
        self.0.store(config);
    }
}

#[cfg(test)]
impl CurrentConfig {
    /// The default configuration with other limits.
    pub(crate) fn with_limits(limits: super::Limits) -> Arc<CurrentConfig> {
        let defaults = super::parse("", std::path::Path::new("")).unwrap();
        CurrentConfig::new(Arc::new(Config { limits, ..defaults }))
    }
}
