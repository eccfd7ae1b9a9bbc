//! Sets up TLS with rustls and ring, and renews it when the files of the certificate change.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{self, ServerConfig};

use super::ServerError;
use crate::config::{self, Tls};
use crate::sync::lock;

/// The certificate in force, if any. Connections that are open keep theirs.
#[derive(Default)]
pub struct Certificate {
    acceptor: ArcSwapOption<ServerConfig>,
    /// The files that were read last, whether or not they could be used.
    seen: Mutex<Option<Seen>>,
}

/// Which files were read, and what the system said of them.
#[derive(Clone, PartialEq, Eq)]
struct Seen {
    files: Tls,
    versions: [Option<Version>; 2],
}

/// What changes when a file is replaced or written: device, inode, length, and time of change.
type Version = (u64, u64, u64, i64, i64);

impl Certificate {
    /// The certificate in these files; none: plain HTTP.
    pub(super) fn read(files: Option<&Tls>) -> Result<Arc<Certificate>, ServerError> {
        let certificate = Arc::<Certificate>::default();
        certificate.replace(files)?;
        Ok(certificate)
    }

    /// Accepts TLS on a connection; none: the server speaks plain HTTP.
    pub(super) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.acceptor.load_full().map(TlsAcceptor::from)
    }

    /// Puts the certificate in these files in force for new connections. If they cannot be used,
    /// the one before stays in force.
    pub fn replace(&self, files: Option<&Tls>) -> Result<(), ServerError> {
        // Noted before the files are read: a change in between is seen by the next look.
        *lock(&self.seen) = files.map(seen);
        self.acceptor
            .store(files.map(server_config).transpose()?.map(Arc::new));
        Ok(())
    }

    /// Does the same if the files have changed since they were read last. True if they have.
    pub fn replace_if_changed(&self, files: Option<&Tls>) -> Result<bool, ServerError> {
        if *lock(&self.seen) == files.map(seen) {
            return Ok(false);
        }
        self.replace(files).map(|()| true)
    }
}

fn seen(files: &Tls) -> Seen {
    let version = |path: &Path| path.metadata().ok().as_ref().map(version);
    Seen {
        files: files.clone(),
        versions: [version(&files.cert), version(&files.key)],
    }
}

fn version(file: &Metadata) -> Version {
    let changed = (file.ctime(), file.ctime_nsec());
    (file.dev(), file.ino(), file.len(), changed.0, changed.1)
}

/// Reads the certificate chain and its key again: the files may have changed since the
/// configuration was checked.
fn server_config(files: &Tls) -> Result<ServerConfig, ServerError> {
    let certified_key = config::certified_key(files).map_err(ServerError::Tls)?;
    let unfit = |error: rustls::Error| ServerError::Tls(format!("cannot be used: {error}"));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified_key)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const CERT: &str = include_str!("../../tests/it/fixtures/cert.pem");
    const KEY: &str = include_str!("../../tests/it/fixtures/key.pem");

    fn files(home: &Path) -> Tls {
        Tls {
            cert: home.join("cert.pem"),
            key: home.join("key.pem"),
        }
    }

    #[test]
    fn a_certificate_that_is_gone_since_the_check_is_named() {
        let files = Tls {
            cert: "none.pem".into(),
            key: "none.pem".into(),
        };
        let said = Certificate::read(Some(&files)).map(drop).unwrap_err();
        let said = said.to_string();
        assert!(
            said.starts_with("`server.tls` names \"none.pem\": No such file"),
            "{said}"
        );
    }

    #[test]
    fn files_that_change_are_read_once_and_bad_ones_leave_the_old_in_force() {
        let home = tempfile::tempdir().unwrap();
        let files = files(home.path());
        fs::write(&files.cert, CERT).unwrap();
        fs::write(&files.key, KEY).unwrap();
        let certificate = Certificate::read(Some(&files)).unwrap();
        let in_force = || certificate.acceptor.load_full().unwrap();
        let first = in_force();
        assert!(!certificate.replace_if_changed(Some(&files)).unwrap());
        fs::write(&files.cert, "no certificate").unwrap();
        assert!(certificate.replace_if_changed(Some(&files)).is_err());
        assert!(Arc::ptr_eq(&first, &in_force()));
        assert!(!certificate.replace_if_changed(Some(&files)).unwrap());
        fs::write(&files.cert, CERT).unwrap();
        assert!(certificate.replace_if_changed(Some(&files)).unwrap());
        assert!(!Arc::ptr_eq(&first, &in_force()));
    }
}
