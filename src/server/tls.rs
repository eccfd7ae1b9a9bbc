//! Sets up TLS with rustls and ring.

use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::{self, ServerConfig};

use super::ServerError;
use crate::config::{self, Tls};

/// Reads the certificate chain and its key again: the files may have changed since the
/// configuration was checked.
pub(super) fn acceptor(files: &Tls) -> Result<TlsAcceptor, ServerError> {
    let certified_key = config::certified_key(files).map_err(ServerError::Tls)?;
    let unfit = |error: rustls::Error| ServerError::Tls(format!("cannot be used: {error}"));
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified_key)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_gone_since_the_check_is_named() {
        let files = Tls {
            cert: "none.pem".into(),
            key: "none.pem".into(),
        };
        let said = acceptor(&files).map(drop).unwrap_err().to_string();
        assert!(
            said.starts_with("`server.tls` names \"none.pem\": No such file"),
            "{said}"
        );
    }
}
