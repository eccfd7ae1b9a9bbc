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
