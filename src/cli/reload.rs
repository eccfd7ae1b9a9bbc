//! Puts a changed configuration in force while the server runs: on SIGHUP the whole file is read
//! again, and the certificate also when its files change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::console::load_config;
use super::logging;
use crate::config::{self, Config};
use crate::server::{Certificate, notify};
use crate::service::Services;

/// How often the files of the certificate are looked at.
const CERTIFICATE_LOOKS: Duration = Duration::from_mins(1);

/// Everything that a reload changes.
pub(super) struct Reloader {
    path: PathBuf,
    services: Arc<Services>,
    certificate: Arc<Certificate>,
    signals: io::Result<Signals>,
}

/// Signals that would end the process if nobody waited for them.
pub(super) struct Signals {
    hang_up: Signal,
    /// SIGUSR1 and SIGUSR2 mean nothing here. A script that sends one must not end the process.
    _user: [Signal; 2],
}

impl Reloader {
    /// `path` is the configuration file.
    pub(super) fn new(
        path: &Path,
        signals: io::Result<Signals>,
        services: &Arc<Services>,
        certificate: &Arc<Certificate>,
    ) -> Reloader {
        Reloader {
            path: path.to_owned(),
            services: Arc::clone(services),
            certificate: Arc::clone(certificate),
            signals,
        }
    }

    /// Reloads whenever it is asked to, in an endless loop. A signal that arrives during a reload
    /// causes another one.
    pub(super) async fn run(mut self) {
        let mut looks = interval(CERTIFICATE_LOOKS);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        if let Err(error) = &self.signals {
            log::error!("cannot wait for signals, so SIGHUP ends the process: {error}");
        }
        loop {
            let asked = async {
                match &mut self.signals {
                    Ok(signals) => signals.hang_up.recv().await,
                    Err(_) => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = asked => {
                    notify::reloading();
                    self.reload().await;
                    notify::ready();
                }
                _ = looks.tick() => self.look_at_certificate(),
            }
        }
    }

    /// Reads the configuration file again. A mistake in it changes nothing.
    async fn reload(&self) {
        let path = self.path.clone();
        let loaded = tokio::task::spawn_blocking(move || load_config(&path)).await;
        let loaded = match loaded {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(complaints)) => {
                for line in complaints.lines() {
                    log::error!("{line}");
                }
                log::error!("the configuration has mistakes: nothing was changed");
                return;
            }
            Err(error) => return log::error!("the configuration was not read: {error}"),
        };
        for warning in loaded.warnings {
            log::warn!("{warning}");
        }
        let (config, unchanged) = config::reloaded(&self.services.config(), loaded.config);
        for sentence in unchanged {
            log::warn!("{sentence}");
        }
        self.put_in_force(config).await;
    }

    async fn put_in_force(&self, config: Config) {
        let config = Arc::new(config);
        logging::change(&config.log);
        if let Err(error) = self.certificate.replace(config.server.tls.as_ref()) {
            log::error!("{error}. The certificate before stays in force");
        }
        match self.services.reload(config).await {
            Ok(()) => log::info!("the configuration was reloaded"),
            Err(error) => log::error!(
                "the configuration was reloaded, but not its passwords and invites ({error:?}): send SIGHUP \
                 again"
            ),
        }
    }

    fn look_at_certificate(&self) {
        let config = self.services.config();
        match self
            .certificate
            .replace_if_changed(config.server.tls.as_ref())
        {
            Ok(false) => {}
            Ok(true) => log::info!("the certificate was read again, because its files changed"),
            // A renewal may have written only one of the files yet: the other changes later.
            Err(error) => log::error!("{error}. The certificate before stays in force"),
        }
    }
}

/// Catches the signals from now on, so that none ends the process. A SIGHUP that comes before the
/// `Reloader` runs causes a reload when it does.
pub(super) fn signals() -> io::Result<Signals> {
    Ok(Signals {
        hang_up: signal(SignalKind::hangup())?,
        _user: [
            signal(SignalKind::user_defined1())?,
            signal(SignalKind::user_defined2())?,
        ],
    })
}
