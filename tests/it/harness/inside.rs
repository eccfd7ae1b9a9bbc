//! What tests do to a server from inside: its service without HTTP, and its database while it is
//! stopped.

use std::sync::Arc;

use doorward::config;
use doorward::service::Services;

use super::{Server, configuration};

impl Server {
    /// The service, for verbs that no route has.
    pub(crate) fn services(&self) -> Arc<Services> {
        self.inner.with(|it| it.services.clone())
    }

    /// Stops the server, flips a bit in the record under this key, and starts again.
    pub(crate) fn restart_with_damage(&self, key: &[u8], settings: &str) {
        self.inner.stop();
        let path = self.inner.directory.path().join("data");
        // A process that a parallel test is starting may hold the inherited lock a moment longer.
        let mut tries = (0..10_000).map(|_| sled::open(&path));
        let open = |tried: sled::Result<sled::Db>| tried.inspect_err(|_| std::thread::yield_now());
        let db = tries.find_map(|tried| open(tried).ok()).unwrap();
        let mut bytes = db.get(key).unwrap().unwrap().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        db.insert(key, bytes).unwrap();
        db.flush().unwrap();
        drop(db);
        self.inner.run(settings);
    }

    /// Puts other settings in force, as SIGHUP does.
    pub(crate) fn reload(&self, settings: &str) {
        let services = self.services();
        let new = configuration(settings, &self.inner.directory);
        let (config, _) = config::reloaded(&services.config(), new);
        self.run(async move { services.reload(Arc::new(config)).await })
            .unwrap();
    }
}
