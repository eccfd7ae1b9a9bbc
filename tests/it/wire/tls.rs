//! Tests of TLS. The certificate in `fixtures` is for `localhost`, self-signed and valid until
//! 2120. `foreign-key.pem` is not its key.

use std::net::TcpStream;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::harness::Server;

use super::line::{HEALTH, Line, post};
use super::process::refuses;

fn fixture(name: &str) -> String {
    format!("{}/tests/it/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn settings(cert: &str, key: &str) -> String {
    format!("server.tls.cert = \"{cert}\"\nserver.tls.key = \"{key}\"\n")
}

fn with_tls(more: &str) -> Server {
    Server::with(&(settings(&fixture("cert.pem"), &fixture("key.pem")) + more))
}

/// A client that trusts the certificate.
fn secure(server: &Server) -> Line<StreamOwned<ClientConnection, TcpStream>> {
    let mut trusted = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(fixture("cert.pem")).unwrap();
    trusted.add(certificate).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(server.address()).unwrap();
    stream
        .set_read_timeout(Some(super::moment::PATIENCE))
        .unwrap();
    Line::over(StreamOwned::new(connection, stream))
}

#[test]
fn requests_over_tls_are_answered() {
    let server = with_tls("");
    let mut line = secure(&server);
    line.say(HEALTH).hears(200);
    let body = r#"{"name":"Ana","email":"ana@example.org","password":"a good password"}"#;
    line.say(post("/v1/user", &[], body)).hears(201);
    line.say("GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    line.hears(200);
    line.is_over();
}

#[test]
fn a_plain_request_to_the_tls_port_is_no_request() {
    let server = with_tls("");
    let mut line = Line::to(&server);
    let heard = line.say(HEALTH).hear_out();
    // The server may send a TLS alert, but no HTTP.
    let is_alert = heard.first().is_none_or(|kind| *kind == 21);
    assert!(is_alert && heard.len() < 16, "{}", heard.escape_ascii());
    secure(&server).say(HEALTH).hears(200);
}

#[test]
fn a_handshake_that_stalls_or_is_garbage_is_cut_off() {
    let server = with_tls("limits.header_timeout = \"200ms\"");
    // Twice the start of a record with a ClientHello, then a record of an unknown type.
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01"[..],
        b"\x16",
        b"\xff\xff\xff\xff\xff\xff",
    ] {
        Line::to(&server).say(bytes).hear_out();
    }
    let mut silent = secure(&server);
    silent.say(HEALTH).hears(200);
    silent.is_over();
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let (cert, key) = (fixture("cert.pem"), fixture("key.pem"));
    let foreign = fixture("foreign-key.pem");
    for (cert, key, sentence) in [
        (&key, &key, "key.pem\", which holds no certificate"),
        (&cert, &cert, "cert.pem\", which holds no private key"),
        (
            &cert,
            &foreign,
            "foreign-key.pem\", which cannot be used with the certificate",
        ),
        (&fixture("no.pem"), &key, "no.pem\": No such file"),
    ] {
        let settings = settings(cert, key) + "server.listen = \"127.0.0.1:0\"\n";
        let (code, said) = refuses(&settings);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(sentence), "{said}");
    }
}
