//! Tests what the program writes to standard error.

use super::line::{HEALTH, Line};
use super::moment::poll;
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
fn a_head_that_cannot_be_parsed_is_a_line_in_the_log_of_requests() {
    let process = Process::start("log.requests = true\n");
    let long = "x".repeat(33 << 10);
    let many = "X-Filler: x\r\n".repeat(101);
    for (head, status) in [
        ("GET / HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 400),
        ("\x16\x03\x01\x02\r\n", 400),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
            400,
        ),
        (&format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431),
        (&format!("GET /?{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 431),
    ] {
        let before = process.said();
        let mut line = Line::to_address(process.address);
        line.say(HEALTH).hears(200);
        line.say(head).hears(status);
        line.is_over();
        let said = poll(|| {
            let said = process.said();
            let fresh = said.strip_prefix(&before)?;
            (fresh.lines().count() >= 2).then(|| fresh.to_owned())
        });
        let (served, refused) = said.trim_end().split_once('\n').unwrap();
        let (_, id) = served.rsplit_once(' ').unwrap();
        let expected = format!("INFO  - - {status} 0 ms 127.0.0.1 {}", next_id(id));
        assert!(refused.ends_with(&expected), "{said}");
    }
}

/// The id of the request after the one with this id.
fn next_id(id: &str) -> String {
    format!("{:016x}", u64::from_str_radix(id, 16).unwrap() + 1)
}

#[test]
fn a_connection_that_is_not_answered_leaves_no_line_in_the_log_of_requests() {
    let process = Process::start("log.requests = true\nlimits.header_timeout = \"200ms\"\n");
    for head in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HT", "\r\n"] {
        let mut line = Line::to_address(process.address);
        line.say(head).is_over();
    }
    let mut last = Line::to_address(process.address);
    last.say(HEALTH).hears(200);
    let said = poll(|| Some(process.said()).filter(|said| said.contains("GET /healthz 200")));
    assert!(!said.contains(" - - "), "{said}");
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
