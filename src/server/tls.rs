//! Sets up TLS with rustls and ring.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};

use super::ServerError;
use crate::config::Tls;

/// Reads the certificate chain and its key from PEM files and checks that they belong together.
pub(super) fn acceptor(files: &Tls) -> Result<TlsAcceptor, ServerError> {
    let wrong = |path: &Path, why: String| ServerError::Tls {
        path: path.to_owned(),
        why,
    };
    let chain: Vec<CertificateDer> = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(&files.cert, unreadable(&error, "certificate")))?;
    if chain.is_empty() {
        return Err(wrong(
            &files.cert,
            unreadable(&pem::Error::NoItemsFound, "certificate"),
        ));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| wrong(&files.key, unreadable(&error, "private key")))?;
    let unfit = |error: rustls::Error| {
        let cert = files.cert.display();
        wrong(
            &files.key,
            format!("cannot be used with the certificate {cert}: {error}"),
        )
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unreadable(error: &pem::Error, what: &str) -> String {
    match error {
        pem::Error::Io(error) => format!("cannot be read: {error}"),
        pem::Error::NoItemsFound => format!("holds no {what} in PEM form (-----BEGIN …-----)"),
        error => format!("is not a PEM file: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(cert: &Path, key: &Path) -> String {
        let files = Tls {
            cert: cert.to_owned(),
            key: key.to_owned(),
        };
        acceptor(&files).map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_bad_certificate_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let (none, empty) = (
            directory.path().join("none.pem"),
            directory.path().join("empty.pem"),
        );
        std::fs::write(&empty, "no certificate").unwrap();
        let said = complaint(&none, &empty);
        assert!(
            said.contains("none.pem cannot be read: No such file"),
            "{said}"
        );
        let said = complaint(&empty, &none);
        assert!(said.contains("empty.pem holds no certificate"), "{said}");
    }
}
