//! The export of all events in one answer, for the administrator.

use std::io::{BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::{Actor, Received, Request, Server, read_chunk, seconds};
use crate::wire::moment::{PATIENCE, poll};

const EXPORT: &str = "/api/admin/events/export";

/// The events as the list shows them, oldest first.
fn listed(admin: &Actor) -> Vec<Value> {
    let page = admin
        .get("/api/admin/events?order=asc&limit=1000")
        .gives(200);
    page.json()["events"].as_array().unwrap().clone()
}

fn text(admin: &Actor, query: &str) -> String {
    admin.get(&format!("{EXPORT}?{query}")).gives(200).text()
}

fn lines(admin: &Actor, query: &str) -> Vec<Value> {
    let text = text(admin, query);
    assert!(text.is_empty() || text.ends_with('\n'));
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn names(events: &[Value]) -> Vec<&str> {
    let names = events.iter().map(|it| it["name"].as_str().unwrap());
    names.collect()
}

/// Parses CSV (RFC 4180).
fn records(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(char) = chars.next() {
        match char {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => quoted = !quoted,
            _ if quoted => field.push(char),
            ',' => record.push(std::mem::take(&mut field)),
            '\r' => {
                assert_eq!(chars.next(), Some('\n'));
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            _ => field.push(char),
        }
    }
    assert!(!quoted && field.is_empty() && record.is_empty());
    records
}

/// Stores some events of two users, in blocks of their own. Returns the ids of the users.
fn report_some(server: &Server) -> [String; 2] {
    let people = ["ana@example.org", "ben@example.org"].map(|email| server.user(email));
    for round in 0..3 {
        for (user, name) in people.iter().zip(["a, \"b\"\n", "=1+1"]) {
            let details = format!("{{\"n\": {round}.10,\r\n  \"text\":\"\\n \\\"x\\\"\"}}");
            let body = format!(r#"[{{"name":{},"details":{details}}}]"#, json!(name));
            let path = "/api/events/complex_clientapp";
            user.session().post(path, body.as_str()).gives(201);
            user.session().report(&["plain", "other"]).gives(201);
            server.pass(seconds(60));
        }
    }
    people.map(|user| user.id)
}

#[test]
fn both_formats_say_what_the_list_says() {
    let server = Server::start();
    report_some(&server);
    let admin = server.admin();
    let (listed, lines) = (listed(&admin), lines(&admin, "format=ndjson"));
    assert_eq!((lines.len(), &lines), (18, &listed));

    let csv = text(&admin, "format=csv");
    let records = records(&csv);
    let head = ["id", "at", "name", "user_id", "reporter_id", "details"];
    assert_eq!(records[0], head);
    assert_eq!(records.len(), 19);
    for (record, event) in records[1..].iter().zip(&listed) {
        for (field, key) in record.iter().zip(head).take(5) {
            assert_eq!(Some(field.as_str()), event[key].as_str());
        }
        match record[5].as_str() {
            "" => assert_eq!(event["details"], Value::Null),
            details => {
                assert_eq!(
                    serde_json::from_str::<Value>(details).unwrap(),
                    event["details"]
                );
                assert!(details.contains(".10,\r\n  \"text\""), "byte for byte");
            }
        }
    }
}

#[test]
fn the_answer_says_what_it_is_and_head_does_not_make_it() {
    let server = Server::start();
    report_some(&server);
    let admin = server.admin();
    for (format, content_type, file) in [
        ("ndjson", "application/x-ndjson", "events.ndjson"),
        ("csv", "text/csv; charset=utf-8", "events.csv"),
    ] {
        let path = format!("{EXPORT}?format={format}");
        for answer in [admin.get(&path), admin.send(Request::new("HEAD", &path))] {
            let answer = answer.gives(200);
            assert_eq!(answer.header("content-type"), Some(content_type));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let disposition = format!("attachment; filename=\"{file}\"");
            assert_eq!(answer.header("content-disposition"), Some(&*disposition));
        }
    }
}

#[test]
fn behind_any_event_follows_exactly_the_rest() {
    let server = Server::start();
    report_some(&server);
    let admin = server.admin();
    for order in ["asc", "desc"] {
        let all = lines(&admin, &format!("order={order}"));
        for (place, event) in all.iter().enumerate() {
            let id = event["id"].as_str().unwrap();
            let rest = lines(&admin, &format!("order={order}&cursor={id}"));
            assert_eq!(rest, all[place + 1..]);
        }
    }
    let all = records(&text(&admin, "format=csv"));
    let query = format!("format=csv&cursor={}", all[4][0]);
    assert_eq!(records(&text(&admin, &query))[1..], all[5..]);
}

#[test]
fn an_export_is_of_what_is_asked_for() {
    let server = Server::start();
    let [ana, ben] = report_some(&server);
    let admin = server.admin();
    let all = lines(&admin, "");
    assert_eq!(names(&lines(&admin, "name=plain")), ["plain"; 6]);
    assert_eq!(lines(&admin, &format!("user_id={ana}")).len(), 9);
    assert_eq!(lines(&admin, &format!("reporter_id={ben}")).len(), 9);
    assert!(lines(&admin, "name=unheard").is_empty());
    assert_eq!(text(&admin, "name=unheard&format=csv").lines().count(), 1);
    let from = all[6]["at"].as_str().unwrap();
    let to = all[9]["at"].as_str().unwrap();
    assert_eq!(lines(&admin, &format!("from={from}&to={to}")), all[6..9]);
    let newest = lines(&admin, "order=desc");
    assert!(newest.iter().eq(all.iter().rev()));
}

#[test]
fn a_wrong_question_is_refused_before_the_first_byte() {
    let server = Server::start();
    let admin = server.admin();
    for (query, said) in [
        ("format=xml", "format: must be ndjson or csv"),
        ("order=up", "order: must be desc or asc"),
        ("cursor=x", "cursor: must be the id of an event"),
        ("from=yesterday", "from: must be a date"),
        ("from=2026-11-20&to=2026-11-19", "to: must lie after from"),
        ("user_id=7", "user_id: must be a UUID"),
    ] {
        let path = format!("{EXPORT}?{query}");
        admin.get(&path).names(400, said);
        admin.send(Request::new("HEAD", &path)).gives(400);
    }
    let user = server.user("ana@example.org").session();
    user.get(EXPORT).gives(403);
}

/// Asks for an export and reads only the head of the answer.
fn begin(server: &Server, admin: &Actor, version: &str) -> (Received, BufReader<TcpStream>) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // A small buffer: the kernel must not take the whole answer for a client that does not read.
    rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 16 * 1024).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let token = &admin.token;
    let request = format!("GET {EXPORT} HTTP/{version}\r\nHost: a\r\nX-Token: {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut stream = BufReader::new(stream);
    (Received::read_head(&mut stream).unwrap(), stream)
}

/// Stores more events than any socket's buffer holds; they compress to little on the disk. Returns
/// their number.
fn report_many(server: &Server) -> usize {
    let user = server.user("ana@example.org").session();
    let details = "x".repeat(16_000);
    let event = format!(r#"{{"name":"long","details":{{"x":"{details}"}}}}"#);
    let body = format!("[{}]", vec![event; 500].join(","));
    for _ in 0..4 {
        let path = "/api/events/complex_clientapp";
        user.post(path, body.as_str()).gives(201);
    }
    2000
}

/// Begins as many exports as may run at once, as two administrators.
fn begin_all(server: &Server) -> Vec<(Received, BufReader<TcpStream>)> {
    let admins = [server.admin(), server.admin()];
    let running: Vec<_> = (0..4)
        .map(|n| begin(server, &admins[n % 2], "1.1"))
        .collect();
    assert!(running.iter().all(|(head, _)| head.status == 200));
    running
}

/// Reads an export to its end; the error means that it was cut off. Returns the text of all chunks.
fn read_on(stream: &mut BufReader<TcpStream>) -> (String, std::io::Result<()>) {
    let mut text = Vec::new();
    let ending = loop {
        match read_chunk(stream) {
            Ok(Some(chunk)) => text.extend(chunk),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (String::from_utf8(text).unwrap(), ending)
}

#[test]
fn who_goes_away_ends_the_export() {
    let server = Server::start();
    report_many(&server);
    let admin = server.admin();
    let running = begin_all(&server);
    let (refused, _) = begin(&server, &admin, "1.1");
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("10"))
    );
    drop(running);
    poll(|| (begin(&server, &admin, "1.1").0.status == 200).then_some(()));
}

#[test]
fn one_token_has_at_most_half_of_the_exports() {
    let server = Server::start();
    report_many(&server);
    let (ana, ben) = (server.admin(), server.admin());
    let _running = [(); 2].map(|()| begin(&server, &ana, "1.1"));
    assert_eq!(begin(&server, &ana, "1.1").0.status, 503);
    assert_eq!(begin(&server, &ben, "1.1").0.status, 200);
}

#[test]
fn an_export_ends_with_its_token_and_can_be_resumed() {
    let server = Server::with("events.heartbeat = \"10ms\"");
    let count = report_many(&server);
    let (admin, other, third) = (server.admin(), server.admin(), server.admin());
    let (_, mut stream) = begin(&server, &admin, "1.1");
    // On a busy machine the token could end before the first line.
    let mut text = String::from_utf8(read_chunk(&mut stream).unwrap().unwrap()).unwrap();
    let running = [&other, &other, &third].map(|admin| begin(&server, admin, "1.1"));
    assert_eq!(begin(&server, &third, "1.1").0.status, 503);
    admin.delete("/api/token").gives(200);
    // The export makes room although its client does not read.
    poll(|| (begin(&server, &third, "1.1").0.status == 200).then_some(()));
    drop(running);
    let (more, ending) = read_on(&mut stream);
    text += &more;
    assert!(ending.is_err());
    let (whole, _unfinished) = text.rsplit_once('\n').unwrap();
    let ids = whole.lines().map(|line| {
        let event: Value = serde_json::from_str(line).unwrap();
        event["id"].as_str().unwrap().to_owned()
    });
    let ids: Vec<String> = ids.collect();
    let cursor = format!("cursor={}", ids.last().unwrap());
    let path = format!("{EXPORT}?{cursor}");
    poll(|| (other.send(Request::new("HEAD", &path)).status() == 200).then_some(()));
    let rest = lines(&other, &cursor);
    assert!(ids.len() < count && ids.len() + rest.len() == count);
}

#[test]
fn the_slowest_export_makes_room_for_another_after_a_while() {
    let server = Server::start();
    let count = report_many(&server);
    let mut running = begin_all(&server);
    // All but the first take more than the sockets' buffers hold.
    for (_, stream) in &mut running[1..] {
        let mut taken = 0;
        while taken < 12 << 20 {
            taken += read_chunk(stream).unwrap().unwrap().len();
        }
    }
    let admin = server.admin();
    server.clock.advance(seconds(29));
    assert_eq!(begin(&server, &admin, "1.1").0.status, 503);
    server.clock.advance(seconds(1));
    let (head, mut newcomer) = begin(&server, &admin, "1.1");
    assert_eq!(head.status, 200);
    for (place, (_, stream)) in running.iter_mut().enumerate() {
        assert_eq!(read_on(stream).1.is_err(), place == 0);
    }
    assert_eq!(read_on(&mut newcomer).0.lines().count(), count);
}

#[test]
fn an_export_is_finished_when_the_server_is_asked_to_stop() {
    let server = Server::start();
    let count = report_many(&server);
    let (_, mut stream) = begin(&server, &server.admin(), "1.1");
    let reader = std::thread::spawn(move || read_on(&mut stream).0.lines().count());
    server.restart();
    assert_eq!(reader.join().unwrap(), count);
}

#[test]
fn a_client_that_could_not_notice_a_truncated_export_gets_none() {
    let server = Server::start();
    let (head, _) = begin(&server, &server.admin(), "1.0");
    assert_eq!(head.status, 400);
}
