//! Tests what the program writes to standard error.

use super::line::Line;
use super::process::Process;

#[test]
fn the_log_of_requests_shows_no_query() {
    let process = Process::start("log.requests = true\nlog.level = \"trace\"\n");
    let mut line = Line::to_address(process.address);
    line.say("GET /api/token?token=SECRET HTTP/1.1\r\nHost: a\r\n\r\n")
        .hear();
    let said = process.said();
    assert!(said.contains("GET /api/token "), "{said}");
    assert!(!said.contains("SECRET"), "{said}");
}

#[test]
fn the_log_says_once_that_a_trusted_proxy_names_no_client() {
    let process = Process::start("server.trusted_proxies = [\"127.0.0.1\"]\n");
    for forwarded in ["", "X-Forwarded-For: unknown\r\n"] {
        let mut line = Line::to_address(process.address);
        line.say(format!("GET / HTTP/1.1\r\nHost: a\r\n{forwarded}\r\n"))
            .hear();
    }
    let said = process.said();
    let warnings = said.matches("the trusted proxy 127.0.0.1 sent a request without");
    assert_eq!(warnings.count(), 1, "{said}");
}
