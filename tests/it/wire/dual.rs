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

#[test]
fn the_request_id_of_a_trusted_proxy_is_taken_over_and_that_of_others_is_not() {
    for (settings, expected) in [
        ("server.trusted_proxies = [\"127.0.0.1\"]", true),
        ("", false),
    ] {
        let server = Server::with(settings);
        let asked = "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: proxy-7f3a\r\n\r\n";
        let answer = Line::to_address(server.address()).say(asked).hears(200);
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(id == "proxy-7f3a", expected, "{id}");
    }
}
