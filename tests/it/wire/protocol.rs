//! Tests of requests that hyper accepts but the server must refuse, and of headers that are not
//! text.

use crate::harness::{Received, Server};

use super::line::{HEALTH, Line, bearer, post};

const EVENTS: &str = "/api/events/simple_clientapp";

/// Sends the request and a second one on a new connection. Asserts one answer with one of these
/// statuses, and that the connection then ends without an answer to the second request.
#[track_caller]
fn is_refused_and_closed(server: &Server, request: impl AsRef<[u8]>, statuses: &[u16]) {
    let request = [request.as_ref(), HEALTH.as_bytes()].concat();
    let mut line = Line::to(server);
    let answer = line.say(&request).hear();
    let question = request.escape_ascii();
    assert!(
        statuses.contains(&answer.status),
        "{} to {question}",
        answer.status
    );
    let rest = line.hear_out();
    assert!(rest.is_empty(), "{} after {question}", rest.escape_ascii());
}

/// Sends the request on a new connection and reads the answer.
#[track_caller]
fn ask(server: &Server, request: impl AsRef<[u8]>) -> Received {
    Line::to(server).say(request).hear()
}

#[test]
fn a_request_must_name_one_good_host() {
    let server = Server::start();
    let refused: &[&[u8]] = &[
        b"",
        b"Host: a\r\nHost: a\r\n",
        b"Host: a\r\nHost: b\r\n",
        b"Host:\r\n",
        b"Host: a b\r\n",
        b"Host: a/b\r\n",
        b"Host: a@b\r\n",
        b"Host: a,b\r\n",
        b"Host: a:b\r\n",
        b"Host: [::1\r\n",
        b"Host: \xc3\xa4\r\n",
        b"Host: \xff\r\n",
    ];
    for hosts in refused {
        let request = [b"GET /healthz HTTP/1.1\r\n", *hosts, b"\r\n"].concat();
        is_refused_and_closed(&server, request, &[400]);
    }
    for host in ["a", "a:80", "[::1]:80", "a.example.org"] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(ask(&server, request).status, 200);
    }
}

#[test]
fn a_length_beside_a_coding_smuggles_no_second_request_in() {
    let server = Server::start();
    let head = "POST /v1/auth HTTP/1.1\r\nHost: a\r\n";
    for both in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
    ] {
        let request = format!("{head}{both}\r\n2\r\n{{}}\r\n0\r\n\r\n");
        is_refused_and_closed(&server, request, &[400]);
    }
    let twice = format!("{head}Content-Length: 2\r\nContent-Length: 40\r\n\r\n{{}}");
    is_refused_and_closed(&server, twice, &[400]);
    for length in ["-1", "+2", "2, 3", "0x2", "two", "99999999999999999999"] {
        let request = format!("{head}Content-Length: {length}\r\n\r\n{{}}");
        is_refused_and_closed(&server, request, &[400]);
    }
}

#[test]
fn a_coding_that_is_not_chunked_is_refused() {
    let server = Server::start();
    for coding in [
        "gzip",
        "identity",
        "gzip, chunked",
        "chunked, chunked",
        "chunked, gzip",
        "xchunked",
        "\u{b}chunked",
        "chunked\r\nTransfer-Encoding: chunked",
        "chunked\r\nTransfer-Encoding: identity",
    ] {
        let head = "POST /v1/auth HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:";
        let request = format!("{head} {coding}\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
        is_refused_and_closed(&server, request, &[400, 501]);
    }
    let bad_chunks = [
        "x\r\n{}\r\n",
        "-2\r\n{}\r\n",
        "2\r\n{}x\r\n",
        "fffffffffffffffff\r\n{}",
    ];
    for chunks in bad_chunks {
        let head = "POST /v1/auth HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        is_refused_and_closed(&server, format!("{head}{chunks}"), &[400]);
    }
}

#[test]
fn a_method_that_nothing_serves_is_405() {
    let server = Server::start();
    for start in [
        "TRACE /healthz",
        "TRACE /",
        "CONNECT example.org:443",
        "OPTIONS *",
        "get /healthz",
        "Get /healthz",
        "BREW /healthz",
    ] {
        let mut line = Line::to(&server);
        line.say(format!("{start} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let answer = line.hears(405);
        assert!(answer.header("allow").is_some(), "{start}");
    }
}

#[test]
fn a_target_is_a_path_as_it_stands_and_nothing_else() {
    let server = Server::start();
    let targets: &[&[u8]] = &[
        b"/healthz%00",
        b"/%00",
        b"/health%zz",
        b"/%zz",
        b"/%68ealthz",
        b"/healthz%2f",
        b"/./healthz",
        b"/healthz/.",
        b"/x/../healthz",
        b"/../healthz",
        b"/..%2fhealthz",
        b"//healthz",
        b"/healthz//",
        b"///",
        b"/healthz;x=1",
        b"/healthz\\",
        b"/\\healthz",
        b"/healthz\xc3\xa9",
        b"/h\xc3\xa9althz",
        b"/healthz\xff",
        b"http://a/healthz",
        b"http://a",
        b"https://b/healthz",
        b"a:80",
        b"a",
        b"*",
        b"healthz",
        b"?x=1",
    ];
    for target in targets {
        let answer = ask(
            &server,
            [b"GET ", *target, b" HTTP/1.1\r\nHost: a\r\n\r\n"].concat(),
        );
        let said = answer.status;
        assert!(
            matches!(said, 400 | 404),
            "{said} to {}",
            target.escape_ascii()
        );
    }
}

/// Every header that the server reads, and one that it does not.
const HEADERS: [&str; 15] = [
    "Authorization",
    "Token",
    "X-Token",
    "User-Agent",
    "Idempotency-Key",
    "Content-Type",
    "X-Forwarded-For",
    "Origin",
    "Access-Control-Request-Method",
    "Access-Control-Request-Headers",
    "Expect",
    "Connection",
    "Cookie",
    "X-Request-Id",
    "X-Anything",
];

#[test]
fn a_header_that_is_not_ascii_is_answered_on_every_route() {
    let server =
        Server::with("server.trusted_proxies = [\"127.0.0.1\"]\nserver.allowed_origins = [\"*\"]");
    let token = server.user("ana@example.org").session().token;
    let token = bearer(&token);
    let values: [&[u8]; 4] = [
        b"\xff\xfe",
        b"\xc3\xa4",
        b"Bearer \x80",
        b"application/json\xe9",
    ];
    for served in &server.served().routes {
        let (verb, path) = (
            served.route.method.as_str(),
            served.path.replace("{id}", "x"),
        );
        for name in HEADERS {
            // A request with a good token gets further. A DELETE would delete the account.
            let is_shown =
                verb != "DELETE" && !["Authorization", "Token", "X-Token"].contains(&name);
            let shown = if is_shown { &token } else { "X-Token:" };
            for value in values {
                let start = format!("{verb} {path} HTTP/1.1\r\nHost: a\r\n{shown}\r\n{name}: ");
                let end = b"\r\nContent-Length: 2\r\n\r\n[]";
                let request = [start.as_bytes(), value, end].concat();
                let status = ask(&server, &request).status;
                let question = request.escape_ascii();
                // GraphQL is not implemented yet: its route answers 501.
                let is_unbuilt = served.route.name == "graphql" && status == 501;
                assert!(
                    (200..500).contains(&status) || is_unbuilt,
                    "{status} to {question}"
                );
            }
        }
    }
    ask(&server, HEALTH);
}

#[test]
fn a_user_agent_that_is_no_text_is_kept_as_far_as_it_is() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let login = format!(
        r#"{{"email":"{}","password":"{}"}}"#,
        ana.email, ana.password
    );
    let length = login.len();
    let head = format!("POST /v1/auth HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n");
    let agent: &[u8] = b"User-Agent: caf\xe9 \xc3\xa9\r\n\r\n";
    let mut line = Line::to(&server);
    let session = line
        .say([head.as_bytes(), agent, login.as_bytes()].concat())
        .hears(201);
    let session = String::from_utf8(session.body).unwrap();
    assert!(session.contains("caf\u{fffd} \u{e9}"), "{session}");
}

#[test]
fn a_bad_token_is_refused_before_the_body_is_asked_for() {
    let server = Server::start();
    let expects = |token: &str| {
        let token = bearer(token);
        format!(
            "POST {EVENTS} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n{token}\r\nExpect: 100-continue\r\n\r\n"
        )
    };
    let mut line = Line::to(&server);
    line.say(expects("made up")).hears(401);
    line.is_over();
    // With a good token, the client receives 100 Continue.
    let token = server.user("ana@example.org").session().token;
    let mut line = Line::to(&server);
    line.say(expects(&token)).hears(100);
    let body = r#"{"events":[{"name":"a"}]}"#;
    line.say(format!("{body:100}")).hears(201);
    line.say(HEALTH).hears(200);
    assert_eq!(server.counts().get("a"), Some(&1));
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_is_asked_for() {
    let server = Server::start();
    let token = bearer(&server.user("ana@example.org").session().token);
    for (path, length) in [("/v1/auth", (64 << 10) + 1), (EVENTS, (8 << 20) + 1)] {
        let mut line = Line::to(&server);
        line.say(format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\n{token}\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
        ));
        line.hears(413);
        line.is_over();
    }
}

#[test]
fn a_wrong_type_or_path_is_refused_before_the_body_is_asked_for() {
    let server = Server::start();
    let expects = "Expect: 100-continue";
    for (path, header, status) in [
        ("/v1/auth", "Content-Type: text/plain", 415),
        ("/v1/nothing", "Content-Type: application/json", 404),
        ("/healthz", "Content-Type: application/json", 405),
    ] {
        let request = post(path, &[header, expects], "{}");
        let mut line = Line::to(&server);
        line.say(request.strip_suffix("{}").unwrap()).hears(status);
        line.is_over();
    }
}
