//! Tests that request bodies stay within their part of the memory.

use std::io::Write;

use serde_json::Value;

use crate::harness::{PASSWORD, Server};

use super::line::{Line, bearer, post};
use super::process::Process;

const MIB: usize = 1 << 20;
const EVENTS: &str = "/api/events/simple_clientapp";

/// Signs up an account; its first session, as a header.
fn sign_up(process: &Process, email: &str) -> String {
    let account = format!(r#"{{"name":"Ana","email":"{email}","password":"{PASSWORD}"}}"#);
    let mut line = Line::to_address(process.address);
    let answer = line.say(post("/v1/user", &[], &account)).hears(201);
    let session: Value = serde_json::from_slice(&answer.body).unwrap();
    bearer(session["id"].as_str().unwrap())
}

/// The head of a report with a body of this length.
fn head(token: &str, length: usize) -> String {
    format!("POST {EVENTS} HTTP/1.1\r\nHost: a\r\n{token}\r\nContent-Length: {length}\r\n\r\n")
}

#[test]
fn bodies_that_stall_take_no_more_than_their_part_of_the_memory() {
    let process =
        Process::start("limits.connections_per_address = 300\naccounts.hash_memory = \"1MiB\"\n");
    let ana = sign_up(&process, "ana@example.org");
    let ben = sign_up(&process, "ben@example.org");
    let check = format!("GET /v1/user HTTP/1.1\r\nHost: a\r\n{ben}\r\n\r\n");
    let mut lines: Vec<_> = (0..256)
        .map(|_| Line::to_address(process.address))
        .collect();
    for line in &mut lines {
        line.say(head(&ana, 8 * MIB));
    }
    let piece = vec![b' '; MIB - 1];
    for _ in 0..8 {
        for line in &mut lines {
            line.say(&piece);
        }
        Line::to_address(process.address).say(&check).hears(200);
    }
    // The report of another user fits into one piece of a small request.
    let report = post(EVENTS, &[&ben], r#"[{"name":"a"}]"#);
    Line::to_address(process.address).say(report).hears(201);
    let most = (64 + 16) * MIB as u64;
    let peak = process.peak_bytes();
    assert!(peak <= most, "{} MiB", peak / MIB as u64);
}

#[test]
fn a_body_for_which_there_is_no_memory_is_503_and_a_small_one_is_read() {
    // At the least memory there is room for one body of the greatest length. The first one must not
    // be given up while a busy machine sends the others.
    let server = Server::with("limits.body_timeout = \"10m\"");
    let token = bearer(&server.user("ana@example.org").session().token);
    let long = [" ".repeat(5 * MIB).as_str(), r#"[{"name":"a"}]"#].concat();
    let long = post(EVENTS, &[&token], &long);
    // On a busy machine the longer body may be read first, and the stalled one is refused.
    let (first, refused) = super::moment::poll(|| {
        let mut first = Line::to(&server);
        first.say(head(&token, 8 * MIB)).say(vec![b' '; 6 * MIB]);
        let answer = Line::to(&server).say(&long).hear();
        (answer.status != 201).then_some((first, answer))
    });
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    let small = post(EVENTS, &[&token], r#"[{"name":"a"}]"#);
    Line::to(&server).say(small).hears(201);
    drop(first);
    super::moment::poll(|| (Line::to(&server).say(&long).hear().status == 201).then_some(()));
}

#[test]
fn bodies_that_expand_take_no_more_than_their_part_of_the_memory() {
    let process =
        Process::start("limits.connections_per_address = 300\naccounts.hash_memory = \"1MiB\"\n");
    let ana = sign_up(&process, "ana@example.org");
    let frame = zstd_frame(&sparse(8 * MIB - 100));
    assert!(frame.len() < 200 << 10, "{}", frame.len());
    let head = format!(
        "POST {EVENTS} HTTP/1.1\r\nHost: a\r\n{ana}\r\nContent-Encoding: zstd\r\n\
         Content-Length: {}\r\n\r\n",
        frame.len()
    );
    let mut lines: Vec<_> = (0..128)
        .map(|_| Line::to_address(process.address))
        .collect();
    for line in &mut lines {
        line.say(&head).say(&frame);
    }
    let statuses: Vec<u16> = lines.iter_mut().map(|line| line.hear().status).collect();
    assert!(statuses.contains(&201), "{statuses:?}");
    assert!(
        statuses.iter().all(|it| [201, 503].contains(it)),
        "{statuses:?}"
    );
    // In addition: the other form of the body that is being decoded, and the window of its decoder.
    let most = (64 + 16 + 2 * 8) * MIB as u64;
    let peak = process.peak_bytes();
    assert!(peak <= most, "{} MiB", peak / MIB as u64);
}

/// A report of one event, made `bytes` bytes long with spaces and, in each 256 of them, two digits
/// that hardly repeat: compressed it is about 90 times shorter.
fn sparse(bytes: usize) -> Vec<u8> {
    let mut body = br#"{"events":[{"name":"a"}],"text":""#.to_vec();
    let mut state = 1_u32;
    while body.len() < bytes {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        body.extend(format!("{:02x}{:254}", state >> 24, ' ').bytes());
    }
    body.truncate(bytes);
    body.extend(b"\"}");
    body
}

/// A frame that does not say how long its content is, with the largest window that is permitted.
fn zstd_frame(body: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(23).unwrap();
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}
