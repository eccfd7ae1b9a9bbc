//! Reads the TLS files: the certificate chain, its private key, and whether they belong together.
//! Errors complete a sentence that starts with the key of the setting.

use std::path::Path;

use tokio_rustls::rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{CertificateError, Error, RootCertStore};

use super::Tls;
use crate::model::Timestamp;

/// The certificate chain in a PEM file, leaf first.
pub fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    match certificates {
        Ok(chain) if Vec::is_empty(&chain) => {
            Err(unreadable(path, &pem::Error::NoItemsFound, "certificate"))
        }
        Ok(chain) => Ok(chain),
        Err(error) => Err(unreadable(path, &error, "certificate")),
    }
}

/// The private key in a PEM file: the first, if it holds several.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| unreadable(path, &error, "private key"))
}

/// The chain together with its key; an error if the key is not that of the first certificate.
pub fn certified_key(files: &Tls) -> Result<CertifiedKey, String> {
    let (chain, key) = (chain(&files.cert)?, private_key(&files.key)?);
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| {
        let (cert, key) = (files.cert.display(), files.key.display());
        format!(r#"names "{key}", which cannot be used with the certificate in "{cert}": {error}"#)
    })
}

/// Why clients refuse the first certificate of a chain at the moment `now`, if its dates are the
/// reason.
pub(super) fn wrong_date(chain: &[CertificateDer<'_>], now: Timestamp) -> Option<String> {
    let seconds = u64::try_from(now.millis() / 1000).unwrap_or(0);
    let certificate = chain.first()?;
    // The dates are checked first. Without roots, every other outcome is an unknown issuer.
    let verdict = verify_server_cert_signed_by_trust_anchor(
        &ParsedCertificate::try_from(certificate).ok()?,
        &RootCertStore::empty(),
        &[],
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds)),
        ring::default_provider()
            .signature_verification_algorithms
            .all,
    );
    let date = |time: UnixTime| {
        let millis = i64::try_from(time.as_secs().saturating_mul(1000)).unwrap_or(i64::MAX);
        Timestamp::from_millis(millis).rfc3339()
    };
    match verdict.err()? {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            Some(format!("has expired at {}", date(not_after)))
        }
        Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => {
            Some(format!("is not valid before {}", date(not_before)))
        }
        _ => None,
    }
}

/// Whether the first certificate of a chain is for this host; true if that cannot be said.
pub(super) fn is_for(chain: &[CertificateDer<'_>], host: &str) -> bool {
    let certificate = chain
        .first()
        .and_then(|it| ParsedCertificate::try_from(it).ok());
    match (certificate, ServerName::try_from(host)) {
        (Some(certificate), Ok(name)) => verify_server_name(&certificate, &name).is_ok(),
        _ => true,
    }
}

fn unreadable(path: &Path, error: &pem::Error, what: &str) -> String {
    let shown = path.display();
    match error {
        pem::Error::Io(error) => format!(r#"names "{shown}": {error}"#),
        pem::Error::NoItemsFound => {
            format!(r#"names "{shown}", which holds no {what} in PEM form (-----BEGIN …-----)"#)
        }
        error => format!(r#"names "{shown}", which is not a PEM file: {error}"#),
    }
}
