//! Tests what the program writes to standard error.

use std::io::{BufReader, Read};
use std::process::ChildStderr;

use super::line::{HEALTH, Line, post};
use super::moment::poll;
use super::process::Process;
use crate::harness::{SmtpServer, Trick};

const CHEAP: &str = "accounts = { hash_memory = \"1MiB\", hash_passes = 1 }\n";

#[test]
fn the_log_of_requests_shows_no_query() {
    let process = Process::start("log.requests = true\nlog.level = \"trace\"\n");
    let mut line = Line::to_address(process.address);
    line.say("GET /api/token?token=SECRET HTTP/1.1\r\nHost: a\r\n\r\n")
        .hear();
    let said = process.all_said();
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
            // A line that is being written has no end yet, and other lines may come between.
            let whole = fresh
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            let requests: Vec<&str> = whole.filter(|line| line.contains(" ms ")).collect();
            (requests.len() >= 2).then(|| requests.concat())
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
    let said = process.all_said();
    assert!(said.contains("GET /healthz 200"), "{said}");
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
    let said = process.all_said();
    let warnings = said.matches("the trusted proxy 127.0.0.1 sent a request without");
    assert_eq!(warnings.count(), 1, "{said}");
}

/// Asks for this path of 16 KiB, whose answer leaves a line as long in the log of requests.
fn ask(line: &mut Line, number: usize) {
    let path = format!("/{number}/{}", "x".repeat(16 << 10));
    line.say(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
        .hears(404);
}

/// More requests than the pipe and the buffer together have room for lines.
const FLOOD: usize = 100;

/// The number of lines that were dropped, according to all that is left in the pipe.
fn dropped(said: &str) -> usize {
    let notices = said.lines().filter_map(|line| line.strip_suffix(DROPPED));
    notices
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<usize>().unwrap())
        .sum()
}

const DROPPED: &str = " log lines were dropped: the log is not read fast enough";

#[test]
fn requests_do_not_wait_for_a_log_that_nobody_reads() {
    let (mut process, mut pipe) = Process::start_with_pipe("log.requests = true\n");
    let mut line = Line::to_address(process.address);
    (0..FLOOD).for_each(|number| ask(&mut line, number));
    process.terminate();
    let mut said = String::new();
    pipe.read_to_string(&mut said).unwrap();
    assert_eq!(process.ends().code(), Some(0));
    let lines = said.matches("INFO  GET /").count();
    assert!(lines > 16, "{lines}");
    assert_eq!(lines + dropped(&said), FLOOD);
    assert!(
        said.trim_end().ends_with(" stopped"),
        "the last line is not dropped"
    );
}

#[test]
fn the_log_goes_on_behind_the_number_of_dropped_lines_when_it_is_read_again() {
    let (process, mut pipe) = Process::start_with_pipe("log.requests = true\n");
    let mut line = Line::to_address(process.address);
    (0..FLOOD).for_each(|number| ask(&mut line, number));
    let mut said = read_until(&mut pipe, DROPPED);
    ask(&mut line, FLOOD);
    said += &read_until(&mut pipe, "INFO  GET /100/");
    let lines = said.matches("INFO  GET /").count();
    assert_eq!(lines + dropped(&said), FLOOD + 1);
}

/// Reads the pipe until this text has come.
fn read_until(pipe: &mut BufReader<ChildStderr>, end: &str) -> String {
    let mut said = Vec::new();
    while !said.ends_with(end.as_bytes()) {
        let mut byte = [0];
        pipe.read_exact(&mut byte).unwrap();
        said.extend(byte);
    }
    String::from_utf8(said).unwrap()
}

#[test]
fn a_pipe_that_nobody_reads_does_not_keep_the_program_from_ending() {
    let (mut process, pipe) = Process::start_with_pipe("log.requests = true\n");
    let mut line = Line::to_address(process.address);
    (0..FLOOD).for_each(|number| ask(&mut line, number));
    process.terminate();
    assert_eq!(process.ends().code(), Some(0));
    drop(pipe);
}

#[test]
fn the_words_of_a_mail_server_bring_no_code_into_the_log() {
    let smtp = SmtpServer::tricky("text", Trick::Echoes);
    let process = Process::start(&(CHEAP.to_owned() + &smtp.settings()));
    let signup = r#"{"name":"Ana","email":"ana@example.org","password":"a good password"}"#;
    let mut line = Line::to_address(process.address);
    line.say(post("/v1/user", &[], signup)).hears(201);
    let ask = post("/api/password", &[], r#"{"email":"ana@example.org"}"#);
    line.say(ask).hears(201);
    let said = poll(|| Some(process.said()).filter(|it| it.contains("550 spam")));
    let sent = smtp.heard().replace("=\r\n", "").replace("=3D", "=");
    let (_, code) = sent.split_once("?token=").unwrap();
    let code = code.split(char::is_whitespace).next().unwrap();
    assert!(code.len() > 40, "{sent}");
    for part in code.as_bytes().chunks(10).filter(|it| it.len() == 10) {
        let part = std::str::from_utf8(part).unwrap();
        assert!(!said.contains(part), "{part} in {said}");
    }
}
