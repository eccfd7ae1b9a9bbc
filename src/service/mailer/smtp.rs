//! Hands messages to the configured mail server. Each conversation is built from the configuration
//! in force and carries what waits, then ends: idle connections die unseen.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::extension::ClientId;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::connection::{Connection, Report};
use super::refusal::Refusal;
use crate::config::{self, Config, Security};

/// Connects, encrypts, greets and logs in, as configured.
pub(super) async fn connect(config: &Config, report: Report<'_>) -> Result<Connection, Refusal> {
    let smtp = &config.mail.smtp;
    let name = client_id(&config.helo());
    let address = (smtp.host.as_str(), smtp.port());
    let mut connection = Connection::open(address, smtp.timeout, report).await?;
    if smtp.security == Security::Tls {
        let (trust, host) = tls(&smtp.host, smtp.ca_file.as_deref()).await?;
        connection = connection.encrypt(trust, host, report).await?;
    }
    connection.greeting(report).await?;
    connection.ehlo(&name, report).await?;
    if smtp.security == Security::StartTls {
        connection.starttls(report).await?;
        let (trust, host) = tls(&smtp.host, smtp.ca_file.as_deref()).await?;
        connection = connection.encrypt(trust, host, report).await?;
        // What was learned in clear does not count (RFC 3207, section 4.2).
        connection.ehlo(&name, report).await?;
    }
    if let (Some(user), Some(password)) = (&smtp.username, &smtp.password) {
        let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
        connection.log_in(credentials, report).await?;
    }
    Ok(connection)
}

/// The certificates to trust, and the name that the server's certificate must have.
async fn tls(
    host: &str,
    ca_file: Option<&Path>,
) -> Result<(Arc<ClientConfig>, ServerName<'static>), Refusal> {
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|error| Refusal::broken("TLS", &error))?;
    let ca_file = ca_file.map(Path::to_owned);
    // The system's certificates are a few hundred kilobytes in files.
    let reading = tokio::task::spawn_blocking(move || roots(ca_file.as_deref()));
    let roots = reading
        .await
        .map_err(|error| Refusal::broken("TLS", &error))?
        .map_err(|why| Refusal::broken("TLS", &why))?;
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Refusal::broken("TLS", &error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((Arc::new(config), name))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let certificates = match ca_file {
        None => rustls_native_certs::load_native_certs().certs,
        Some(path) => config::certificates(path).map_err(|why| format!("`mail.ca_file` {why}"))?,
    };
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() {
        return Err(
            "no certificate to trust; install the package ca-certificates or set \
                    mail.ca_file"
                .into(),
        );
    }
    Ok(roots)
}

/// An address literal, or a name (RFC 5321, 4.1.3).
fn client_id(name: &str) -> ClientId {
    match name.parse() {
        Ok(IpAddr::V4(ip)) => ClientId::Ipv4(ip),
        Ok(IpAddr::V6(ip)) => ClientId::Ipv6(ip),
        Err(_) => ClientId::Domain(name.to_owned()),
    }
}
