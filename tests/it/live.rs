//! The live stream of events as they are stored, for the administrator.

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::harness::{Actor, Received, Request, Server, hours, read_chunk};
use crate::wire::moment::{PATIENCE, poll};

const LIVE: &str = "/api/admin/events/live";
const OFTEN: &str = "events.heartbeat = \"10ms\"";

/// One block of an event stream (WHATWG HTML, 9.2.6).
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Comment,
    Event { id: String, data: Value },
    Missed(u64),
}

impl Said {
    fn parse(block: &str) -> Said {
        let field = |name: &str| {
            let lines = block.lines().filter_map(|line| line.strip_prefix(name));
            let lines: Vec<&str> = lines.map(|it| it.strip_prefix(": ").unwrap()).collect();
            lines.join("\n")
        };
        let data = || serde_json::from_str::<Value>(&field("data")).unwrap();
        match field("event").as_str() {
            "event" => Said::Event {
                id: field("id"),
                data: data(),
            },
            "missed" => Said::Missed(data()["missed"].as_u64().unwrap()),
            _ => {
                assert_eq!(block, ":");
                Said::Comment
            }
        }
    }
}

/// A client of the live stream.
struct Ear {
    stream: BufReader<TcpStream>,
    head: Received,
    text: String,
    said: VecDeque<Said>,
}

impl Ear {
    fn open(server: &Server, admin: &Actor, query: &str, last: &str) -> Ear {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        rustix::net::sockopt::set_socket_recv_buffer_size(&stream, 16 * 1024).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let token = &admin.token;
        let request = format!(
            "GET {LIVE}?{query} HTTP/1.1\r\nHost: a\r\nX-Token: {token}\r\nLast-Event-ID: {last}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut stream = BufReader::new(stream);
        let head = Received::read_head(&mut stream).unwrap();
        Ear {
            stream,
            head,
            text: String::new(),
            said: VecDeque::new(),
        }
    }

    #[track_caller]
    fn listens(server: &Server, query: &str) -> Ear {
        let ear = Ear::open(server, &server.admin(), query, "");
        assert_eq!(ear.head.status, 200);
        ear
    }

    /// The next block; `None` at the end of the stream.
    fn any(&mut self) -> Option<Said> {
        while self.said.is_empty() {
            let chunk = read_chunk(&mut self.stream).expect("the stream ends with its end")?;
            self.text += str::from_utf8(&chunk).unwrap();
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                self.said.push_back(Said::parse(block));
                self.text = rest.to_owned();
            }
        }
        self.said.pop_front()
    }

    /// As `any`, but skips comments. Fails after 1000 of them.
    #[track_caller]
    fn hear(&mut self) -> Option<Said> {
        let mut said = std::iter::repeat_with(|| self.any()).take(1000);
        said.find(|said| *said != Some(Said::Comment))
            .expect("something is said")
    }

    /// The names of the next events.
    #[track_caller]
    fn names<const N: usize>(&mut self) -> [String; N] {
        std::array::from_fn(|_| match self.hear() {
            Some(Said::Event { data, .. }) => data["name"].as_str().unwrap().to_owned(),
            other => panic!("no event: {other:?}"),
        })
    }
}

#[test]
fn a_listener_hears_what_is_stored_from_then_on_as_the_list_has_it() {
    let server = Server::start();
    let user = server.user("ana@example.org").session();
    user.report(&["before"]).gives(201);
    let mut ear = Ear::listens(&server, "");
    assert_eq!(ear.head.header("content-type"), Some("text/event-stream"));
    assert_eq!(ear.head.header("cache-control"), Some("no-store"));
    assert_eq!(ear.any(), Some(Said::Comment), "the first comes at once");
    let body = "[{\"name\":\"a\\n\\nb\",\"details\":{\"n\": 1,\r\n\r\n\"m\":\"\\n\"}}]";
    user.post("/api/events/complex_clientapp", body).gives(201);
    user.report(&["c", "d"]).gives(201);
    let listed = server.admin().get("/api/admin/events?order=asc").json();
    for event in &listed["events"].as_array().unwrap()[1..] {
        let id = event["id"].as_str().unwrap().to_owned();
        let data = event.clone();
        assert_eq!(ear.hear(), Some(Said::Event { id, data }));
    }
}

#[test]
fn a_listener_hears_only_what_it_listens_for() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let ben = server.user("ben@example.org").session();
    let mut one_name = Ear::listens(&server, "name=b");
    let mut one_user = Ear::listens(&server, &format!("user_id={}", ana.id));
    let mut both = Ear::listens(&server, &format!("user_id={}&name=last", ana.id));
    ben.report(&["a", "b", "c"]).gives(201);
    ana.session().report(&["c", "b", "last"]).gives(201);
    ben.report(&["last"]).gives(201);
    assert_eq!(one_name.names(), ["b", "b"]);
    assert_eq!(one_user.names(), ["c", "b", "last"]);
    assert_eq!(both.names(), ["last"]);
}

#[test]
fn a_stream_shows_that_it_is_alive_and_is_not_taken_for_idle() {
    let server = Server::with("events.heartbeat = \"10ms\"\nlimits.connections = 2");
    let user = server.user("ana@example.org").session();
    let mut ear = Ear::listens(&server, "");
    for _ in 0..5 {
        assert_eq!(ear.any(), Some(Said::Comment));
    }
    // The server allows two connections. A new one replaces the one that is idle for longest, and
    // the stream's heartbeats count as activity.
    let mut idle = TcpStream::connect(server.address()).unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    idle.write_all(request).unwrap();
    let mut idle = BufReader::new(idle);
    Received::read_one(&mut idle, false).unwrap();
    user.report(&["a"]).gives(201);
    assert_eq!(ear.names(), ["a"]);
    assert!(Received::read_one(&mut idle, false).is_err());
}

#[test]
fn a_stream_ends_with_its_token() {
    let server = Server::with(OFTEN);
    let admin = server.admin();
    let mut first = Ear::open(&server, &admin, "", "");
    let mut second = Ear::listens(&server, "");
    assert_eq!(first.any(), Some(Said::Comment));
    admin.delete("/api/token").gives(200);
    assert_eq!(first.hear(), None);
    assert_eq!(second.any(), Some(Said::Comment));
    server.clock.advance(hours(24));
    assert_eq!(second.hear(), None);
}

#[test]
fn a_stream_ends_when_another_administrator_ends_its_token() {
    let server = Server::with(OFTEN);
    let (admin, other) = (server.admin(), server.admin());
    let tokens = "/api/admin/tokens?holder=admin";
    let listed = other.get(tokens).gives(200).json();
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 2);
    let mut ear = Ear::open(&server, &admin, "", "");
    assert_eq!(ear.any(), Some(Said::Comment));
    // The token in use is not ended without own=true, so this ends the listener's only.
    let ended = listed["tokens"].as_array().unwrap().iter().filter(|it| {
        let path = format!("/api/admin/tokens/{}", it["id"].as_str().unwrap());
        other.delete(&path).status() == 204
    });
    assert_eq!(ended.count(), 1);
    assert_eq!(ear.hear(), None);
    other.get(tokens).gives(200);
}

#[test]
fn a_stream_ends_when_the_server_stops() {
    let server = Server::start();
    let mut ear = Ear::listens(&server, "");
    assert_eq!(ear.any(), Some(Said::Comment));
    server.restart();
    assert_eq!(ear.any(), None);
}

#[test]
fn who_comes_back_hears_what_was_stored_meanwhile_and_nothing_twice() {
    let server = Server::start();
    let user = server.user("ana@example.org").session();
    let mut ear = Ear::listens(&server, "");
    user.report(&["a", "b", "c"]).gives(201);
    let Some(Said::Event { id, .. }) = ear.hear() else {
        panic!("no event")
    };
    drop(ear);
    server.pass(hours(1));
    user.report(&["d", "e"]).gives(201);
    server.restart();
    let admin = server.admin();
    let mut all = Ear::open(&server, &admin, "", &id);
    let mut one = Ear::open(&server, &admin, "name=e", &id);
    user.report(&["e", "f"]).gives(201);
    assert_eq!(all.names(), ["b", "c", "d", "e", "e", "f"]);
    assert_eq!(one.names(), ["e", "e"]);
}

#[test]
fn nothing_is_lost_or_repeated_while_events_come_and_listeners_go() {
    const REPORTS: usize = 200;
    let server = Server::start();
    let (user, admin) = (server.user("ana@example.org").session(), server.admin());
    let mut ear = Ear::listens(&server, "");
    let heard = std::thread::scope(|scope| {
        let reporter = scope.spawn(|| {
            for report in 0..REPORTS {
                user.report(&[&format!("event {report}")]).gives(201);
            }
        });
        let mut heard = Vec::new();
        while heard.len() < REPORTS {
            match ear.hear() {
                Some(Said::Event { id, data }) => {
                    heard.push(data["name"].as_str().unwrap().to_owned());
                    // The connection breaks after every third event.
                    if heard.len() % 3 == 0 {
                        ear = Ear::open(&server, &admin, "", &id);
                    }
                }
                other => panic!("no event: {other:?}"),
            }
        }
        reporter.join().unwrap();
        heard
    });
    let expected = (0..REPORTS).map(|report| format!("event {report}"));
    assert!(heard.into_iter().eq(expected));
}

#[test]
fn a_listener_that_was_away_for_long_hears_how_much_is_left_out() {
    let server = Server::start();
    let user = server.user("ana@example.org").session();
    user.report(&["first"]).gives(201);
    let id = server
        .admin()
        .get("/api/admin/events")
        .string("/events/0/id");
    let names = vec!["other"; 6000];
    for _ in 0..2 {
        user.report(&names).gives(201);
    }
    let mut ear = Ear::open(&server, &server.admin(), "name=other", &id);
    user.report(&["new", "other"]).gives(201);
    for _ in 0..10_000 {
        assert!(matches!(ear.hear(), Some(Said::Event { .. })));
    }
    assert_eq!(ear.hear(), Some(Said::Missed(2000)));
    assert_eq!(ear.names(), ["other"]);
}

#[test]
fn a_listener_that_reads_too_slowly_hears_exactly_how_much_it_missed() {
    let server = Server::start();
    let user = server.user("ana@example.org").session();
    let mut ear = Ear::listens(&server, "");
    let (noise, mut stored) = (noise(), 0);
    // More than the sockets' buffers hold, with text that does not compress well.
    for round in 0..60 {
        let events = (0..25).map(|event| {
            let text = &noise[15_000 * (event % 8)..][..15_000];
            json!({"name": format!("noise {}", 25 * round + event), "details": {"text": text}})
        });
        let body = Value::from(events.collect::<Vec<_>>());
        user.post("/api/events/complex_clientapp", body).gives(201);
        stored += 25;
    }
    user.report(&["end"]).gives(201);
    let (mut heard, mut missed) = (0, 0);
    while heard + missed < stored + 1 {
        match ear.hear() {
            Some(Said::Event { data, .. }) => {
                let next = heard + missed;
                let expected = if next == stored {
                    "end".to_owned()
                } else {
                    format!("noise {next}")
                };
                assert_eq!(data["name"], expected);
                heard += 1;
            }
            Some(Said::Missed(count)) => missed += count,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(heard + missed, stored + 1);
    assert!(missed > 0 && heard > 0, "{heard} heard, {missed} missed");
}

/// Text that does not compress well: digests in hexadecimal.
fn noise() -> String {
    let digests = (0..1920_u16).map(|part| doorward::crypto::digest(&part.to_be_bytes()));
    let hex = |byte| format!("{byte:02x}");
    digests.flat_map(|it| it.0.map(hex)).collect()
}

#[test]
fn so_many_may_listen_and_one_who_leaves_makes_room() {
    let server = Server::with(OFTEN);
    let admin = server.admin();
    let mut ears: Vec<Ear> = (0..16).map(|_| Ear::listens(&server, "")).collect();
    admin.get(LIVE).gives(503);
    admin.send(Request::new("HEAD", LIVE)).gives(503);
    ears.pop();
    poll(|| (Ear::open(&server, &admin, "", "").head.status == 200).then_some(()));
}

#[test]
fn one_token_has_at_most_half_of_the_listeners() {
    let server = Server::start();
    let admin = server.admin();
    let listen = || Ear::open(&server, &admin, "", "");
    let ears: Vec<Ear> = (0..9).map(|_| listen()).collect();
    assert!(ears[..8].iter().all(|ear| ear.head.status == 200));
    assert_eq!(ears[8].head.status, 503);
    Ear::listens(&server, "");
}

#[test]
fn a_stream_ends_with_its_token_although_its_client_does_not_read() {
    let server = Server::with(OFTEN);
    let admin = server.admin();
    let user = server.user("ana@example.org").session();
    let mut ear = Ear::open(&server, &admin, "", "");
    let noise = noise();
    let event = json!({"name": "noise", "details": {"text": noise[..15_000]}});
    let body = Value::from(vec![event; 25]);
    // More than the sockets' buffers hold.
    for _ in 0..60 {
        let path = "/api/events/complex_clientapp";
        user.post(path, body.clone()).gives(201);
    }
    admin.delete("/api/token").gives(200);
    let other = server.admin();
    let ears: Vec<Ear> = (0..8).map(|_| Ear::open(&server, &other, "", "")).collect();
    let second = server.admin();
    // Room for the eighth listener of another token means that the stream has ended.
    poll(|| {
        let more: Vec<Ear> = (0..8)
            .map(|_| Ear::open(&server, &second, "", ""))
            .collect();
        more.iter().all(|ear| ear.head.status == 200).then_some(())
    });
    drop(ears);
    while ear.any().is_some() {}
}

#[test]
fn a_wrong_question_is_refused() {
    let server = Server::start();
    let admin = server.admin();
    admin.send(Request::new("HEAD", LIVE)).gives(200);
    let other = admin.with_header("Last-Event-ID", "x");
    other.get(LIVE).names(400, "Last-Event-ID: must be the id");
    let path = format!("{LIVE}?user_id=7");
    admin.get(&path).names(400, "user_id: must be a UUID");
    let user = server.user("ana@example.org").session();
    user.get(LIVE).gives(403);
}
