//! Tests of compressed reports of events (`Content-Encoding`).

use std::io::Write;

use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::harness::{Actor, Answer, Request, Server};

const EVENTS: &str = "/api/events/simple_clientapp";
const REPORT: &str = r#"{"events":[{"name":"opened"},{"name":"closed"}]}"#;
const ACCEPTED: Option<&str> = Some("gzip, zstd");

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn zstd(body: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(body, 3).unwrap()
}

/// A frame with a window of this power of two, and without the length of its content.
fn zstd_in_window(window_log: u32, body: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.window_log(window_log).unwrap();
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// `REPORT`, made this many bytes long with spaces.
fn padded(bytes: usize) -> Vec<u8> {
    let mut body = vec![b' '; bytes - REPORT.len()];
    body.extend(REPORT.bytes());
    body
}

/// As `padded`, but with text that compresses to about a quarter.
fn padded_with_text(bytes: usize) -> Vec<u8> {
    let start = br#"{"events":[],"text":""#;
    let mut body = start.to_vec();
    let mut state = 1_u32;
    while body.len() < bytes - 2 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        body.push(b'a' + u8::try_from(state >> 30).unwrap());
    }
    body.extend(b"\"}");
    body
}

#[track_caller]
fn send(actor: &Actor, coding: &str, body: impl Into<Vec<u8>>) -> Answer {
    let request = Request::new("POST", EVENTS).body(body.into());
    actor.send(request.header("Content-Encoding", coding))
}

#[test]
fn a_report_may_be_gzip_or_zstd() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let (first, second) = REPORT.as_bytes().split_at(20);
    let members = [gzip(first), gzip(second)].concat();
    let frames = [zstd(first), zstd_in_window(23, second)].concat();
    let plain = REPORT.as_bytes().to_vec();
    let reports = [
        ("gzip", gzip(REPORT.as_bytes())),
        ("GZip", gzip(REPORT.as_bytes())),
        ("x-gzip", gzip(REPORT.as_bytes())),
        ("gzip", members),
        ("zstd", zstd(REPORT.as_bytes())),
        ("ZSTD", frames),
        ("identity", plain.clone()),
        (" , identity,", plain.clone()),
        ("identity, gzip", gzip(REPORT.as_bytes())),
        ("", plain),
    ];
    let count = reports.len() as u64;
    for (coding, body) in reports {
        let stored = send(&ana, coding, body).gives(201).number("/count");
        assert_eq!(stored, 2, "{coding}");
    }
    let counts = server.counts();
    assert_eq!((counts["opened"], counts["closed"]), (count, count));
}

#[test]
fn a_damaged_body_is_400() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let bodies = [
        ("gzip", gzip(REPORT.as_bytes())),
        ("zstd", zstd(REPORT.as_bytes())),
    ];
    for (coding, whole) in bodies {
        for length in 1..whole.len() {
            send(&ana, coding, &whole[..length]).gives(400);
        }
        for rest in [&b"\0"[..], b"{}", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"] {
            send(&ana, coding, [&whole, rest].concat()).names(400, "Content-Encoding");
        }
        send(&ana, coding, REPORT).names(400, "Content-Encoding");
    }
    // The check value of gzip is wrong.
    let mut flipped = gzip(REPORT.as_bytes());
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    send(&ana, "gzip", flipped).names(400, "Content-Encoding");
    send(&ana, "gzip", zstd(REPORT.as_bytes())).gives(400);
    send(&ana, "zstd", zstd_in_window(24, &padded(20 << 20))).gives(400);
    assert!(server.events().is_empty());
}

#[test]
fn the_decoded_length_counts_against_the_limit() {
    let server = Server::with("limits.event_body = \"64KiB\"");
    let ana = server.user("ana@example.org").session();
    let limit = 64 << 10;
    for (coding, encode) in [
        ("gzip", gzip as fn(&[u8]) -> Vec<u8>),
        ("zstd", zstd),
        ("zstd", |body| zstd_in_window(20, body)),
    ] {
        send(&ana, coding, encode(&padded(limit))).gives(201);
        send(&ana, coding, encode(&padded(limit + 1))).gives(413);
    }
    // The coded body is longer than the limit.
    send(&ana, "gzip", gzip(&padded_with_text(8 * limit))).gives(413);
}

#[test]
fn a_body_of_the_greatest_length_is_read_at_the_least_memory() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let body = padded_with_text(8 << 20);
    for (coding, coded) in [
        ("gzip", gzip(&body)),
        ("zstd", zstd(&body)),
        ("zstd", zstd_in_window(23, &body)),
    ] {
        assert!(coded.len() > 2 << 20, "{coding}");
        send(&ana, coding, coded).gives(201);
    }
}

#[test]
fn a_long_body_may_expand_a_hundred_times() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    for (coding, encode) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("zstd", zstd)] {
        send(&ana, coding, encode(&padded(1 << 20))).gives(201);
        send(&ana, coding, encode(&padded(2 << 20))).names(413, "100 times");
    }
}

#[test]
fn another_coding_of_a_report_is_415() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let body = gzip(REPORT.as_bytes());
    for coding in [
        "br",
        "deflate",
        "compress",
        "gzip, gzip",
        "gzip, zstd",
        "gzip;q=1",
        "*",
        "\u{e9}",
    ] {
        let answer = send(&ana, coding, &body[..]).gives(415);
        assert_eq!(answer.header("accept-encoding"), ACCEPTED, "{coding}");
    }
    let twice = ana.with_header("Content-Encoding", "gzip");
    let answer = send(&twice, "gzip", &body[..]).gives(415);
    assert_eq!(answer.header("accept-encoding"), ACCEPTED);
    // A body of another type says nothing about codings.
    let text = Request::new("POST", EVENTS).header("Content-Type", "text/plain");
    let answer = ana.send(text.body(REPORT)).gives(415);
    assert_eq!(answer.header("accept-encoding"), None);
}

#[test]
fn a_retry_in_another_coding_is_the_same_request() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    let ana = ana.with_header("Idempotency-Key", "one");
    send(&ana, "identity", REPORT).gives(201);
    send(&ana, "gzip", gzip(REPORT.as_bytes())).gives(201);
    send(&ana, "zstd", zstd(REPORT.as_bytes())).gives(201);
    assert_eq!(server.events().len(), 2);
    send(&ana, "gzip", gzip(br#"[{"name":"other"}]"#)).gives(422);
}

#[test]
fn the_quota_of_bytes_counts_the_decoded_body() {
    let server = Server::with("limits.rates = true\nlimits.event_bytes_per_day = \"4KiB\"");
    let ana = server.user("ana@example.org").session();
    send(&ana, "gzip", gzip(&padded(4 << 10))).gives(201);
    send(&ana, "gzip", gzip(&padded(100))).gives(429);
    let events = json!({"events": [{"name": "opened"}]});
    ana.post(EVENTS, events).gives(429);
}
