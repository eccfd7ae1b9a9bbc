//! Tests sockets that serve IPv4 and IPv6 together.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use serde_json::Value;

use crate::harness::Server;

use super::line::{Line, post};

#[test]
fn clients_have_their_ipv4_address_on_a_socket_of_both_families() {
    if TcpListener::bind("[::1]:0").is_err() {
        return; // This machine has no IPv6.
    }
    let server =
        Server::with("server.listen = \"[::]:0\"\nserver.trusted_proxies = [\"::ffff:127.0.0.1\"]");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.address().port()));
    let body = r#"{"name":"Ana","email":"ana@example.org","password":"a good password"}"#;
    let forwarded = "X-Forwarded-For: ::ffff:192.0.2.7";
    let mut line = Line::to_address(address);
    let answer = line.say(post("/v1/user", &[forwarded], body)).hears(201);
    let session: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(session["ip_address"], "192.0.2.7", "{session}");

    let login = r#"{"email":"ana@example.org","password":"a good password"}"#;
    let answer = line.say(post("/v1/auth", &[], login)).hears(201);
    let session: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(session["ip_address"], "127.0.0.1", "{session}");
}
