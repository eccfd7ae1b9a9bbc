//! Rules for every route of every API: the requests are computed from the tables of routes.
//!
//! The harness checks every answer: its status is a declared one, its headers and the shape of its
//! error are right.

use doorward::http::{Field, Handler, JsonKind, Method, RequestBody};
use serde_json::{Map, Value, json};

use crate::harness::{Actor, Answer, Request, Served, Server};

const VERBS: [&str; 7] = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"];

/// A server, all routes that it serves, and a user and the administrator, each with a live token.
struct Fixture {
    server: Server,
    routes: Vec<Served>,
    user: Actor,
    admin: Actor,
}

impl Fixture {
    fn new() -> Fixture {
        let server = Server::start();
        let routes = server.served().routes.clone();
        assert!(routes.len() > 30, "all APIs are there");
        let user = server.user("ana@example.org").session();
        let admin = server.admin();
        Fixture {
            server,
            routes,
            user,
            admin,
        }
    }

    /// The routes that read a JSON object or events.
    fn readers(&self) -> impl Iterator<Item = (&Served, &'static [Field])> {
        self.routes
            .iter()
            .filter_map(|served| match served.route.body {
                RequestBody::Json(fields) | RequestBody::Events(fields) => Some((served, fields)),
                RequestBody::Nothing | RequestBody::Form(_) | RequestBody::Anything => None,
            })
    }

    /// Sends a body to a route, with the token that the route needs.
    #[track_caller]
    fn send(&self, served: &Served, body: impl Into<Vec<u8>>) -> Answer {
        let sender = match served.route.run {
            Handler::Admin(_) | Handler::AdminOr(..) => self.admin.clone(),
            _ => self.sender(served),
        };
        sender.send(request(served).body(body.into()))
    }

    fn sender(&self, served: &Served) -> Actor {
        match served.route.run {
            Handler::Open(_) if served.route.name != "renew_token" => self.server.anyone(),
            _ => self.user.clone(),
        }
    }
}

fn request(served: &Served) -> Request {
    Request::new(served.route.method.as_str(), &path_of(served))
}

/// The path with a value for each parameter.
pub(crate) fn path_of(served: &Served) -> String {
    served
        .path
        .replace("{id}", "2c4f0e0a-8b0e-4d4f-9a0b-0d0c0b0a0908")
}

/// A body with a value of the right type in each field but `user_id`.
pub(crate) fn good_body(served: &Served, fields: &[Field]) -> Value {
    let mut object = Map::new();
    for field in fields {
        let value = match (field.name, field.kind) {
            ("user_id", _) => continue,
            ("email", _) => json!("new@example.org"),
            (_, JsonKind::Text) => json!("something"),
            (_, JsonKind::Number) => json!(1),
            (_, JsonKind::Flag) => json!(true),
            (_, JsonKind::List) => json!([]),
            (_, JsonKind::Object) => json!({}),
        };
        object.insert(field.name.to_owned(), value);
    }
    match served.route.body {
        RequestBody::Events(_) => json!({"events": [object]}),
        _ => Value::Object(object),
    }
}

/// The object that holds the fields of a body.
fn fields_of<'a>(served: &Served, body: &'a mut Value) -> &'a mut Map<String, Value> {
    let object = match served.route.body {
        RequestBody::Events(_) => &mut body["events"][0],
        _ => body,
    };
    object.as_object_mut().unwrap()
}

fn is_refused(answer: &Answer) -> bool {
    (400..500).contains(&answer.status())
}

#[test]
fn a_wrong_method_is_405_and_options_says_which_are_right() {
    let fixture = Fixture::new();
    for served in &fixture.routes {
        let path = path_of(served);
        let allowed = fixture
            .server
            .anyone()
            .send(Request::new("OPTIONS", &path))
            .gives(204);
        let allow = allowed.header("allow").unwrap().to_owned();
        for verb in VERBS
            .into_iter()
            .filter(|verb| !allow.split(", ").any(|it| it == *verb))
        {
            let answer = fixture.user.send(Request::new(verb, &path)).gives(405);
            assert_eq!(answer.header("allow"), Some(allow.as_str()));
        }
        for verb in ["TRACE", "BREW", "get"] {
            fixture.user.send(Request::new(verb, &path)).gives(405);
        }
    }
}

#[test]
fn head_answers_like_get_without_a_body() {
    let fixture = Fixture::new();
    for served in fixture
        .routes
        .iter()
        .filter(|served| served.route.method == Method::Get)
    {
        let sender = fixture.sender(served);
        for actor in [sender, fixture.server.anyone()] {
            let get = actor.get(&path_of(served));
            let head = actor.send(Request::new("HEAD", &path_of(served)));
            let view = |answer: &Answer| {
                let mut headers = answer.received.headers.clone();
                headers.retain(|(name, _)| name != "x-request-id" && name != "date");
                (answer.status(), headers)
            };
            assert_eq!((view(&get), head.text()), (view(&head), String::new()));
        }
    }
}

#[test]
fn without_a_token_nothing_that_needs_one_is_done() {
    let fixture = Fixture::new();
    let needs_token = ["renew_token", "refresh_access_token", "revoke_access_token"];
    for served in &fixture.routes {
        let is_open = matches!(served.route.run, Handler::Open(_));
        if is_open && !needs_token.contains(&served.route.name) {
            continue;
        }
        for name in ["X-Nothing", "Authorization", "Token", "X-Token"] {
            fixture
                .server
                .anyone()
                .with_header(name, "")
                .send(request(served))
                .gives(401);
        }
        let made_up = fixture
            .server
            .anyone()
            .with_token("made up")
            .send(request(served).body("{}"));
        let expected = if served.api.name == "ephemeride" {
            404
        } else {
            401
        };
        // `renew_token` also needs a renewal code, and reports that it is missing.
        assert!(made_up.status() == expected || served.route.name == "renew_token");
        let two = fixture
            .user
            .with_header("X-Token", "another")
            .send(request(served));
        two.gives(400);
    }
}

#[test]
fn a_body_that_is_too_large_is_413() {
    let fixture = Fixture::new();
    for (served, _) in fixture.readers() {
        let limit = match served.route.body {
            RequestBody::Events(_) => 8 << 20,
            _ => 64 << 10,
        };
        fixture.send(served, vec![b' '; limit + 1]).gives(413);
        assert_ne!(fixture.send(served, vec![b' '; limit]).status(), 413);
    }
}

#[test]
fn a_body_of_another_type_is_415() {
    let fixture = Fixture::new();
    let send = |served: &Served, content_type: &str| {
        let request = request(served)
            .header("Content-Type", content_type)
            .body("{}");
        fixture.sender(served).send(request)
    };
    for (served, _) in fixture.readers() {
        for wrong in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "json",
            "application/jsonx",
        ] {
            send(served, wrong).gives(415);
        }
        for right in [
            "application/json; charset=utf-8",
            "Application/JSON",
            "application/vnd.x+json",
            "",
        ] {
            assert_ne!(send(served, right).status(), 415, "{right}");
        }
    }
}

#[test]
fn a_compressed_body_is_415_where_none_is_read() {
    let fixture = Fixture::new();
    for served in &fixture.routes {
        if served.route.body.may_be_coded() {
            continue;
        }
        let coded = request(served)
            .body("{}")
            .header("Content-Encoding", "gzip");
        let answer = fixture.sender(served).send(coded).gives(415);
        assert_eq!(answer.header("accept-encoding"), Some("identity"));
        let empty = request(served).header("Content-Encoding", "gzip");
        assert_ne!(fixture.sender(served).send(empty).status(), 415);
    }
}

#[test]
fn garbage_is_refused() {
    let fixture = Fixture::new();
    let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
    let deep_object = r#"{"a":"#.repeat(10_000).into_bytes();
    let garbage: &[&[u8]] = &[
        b"",
        b"{",
        b"}",
        b"nul",
        b"null",
        b"7",
        b"\"text\"",
        b"[7]",
        b"[[]]",
        b"{\"a\"}",
        b"{,}",
        b"{} {}",
        b"\xff\xfe",
        b"{\"\xff\":1}",
        b"\0",
        b"{}\0",
        b"\xef\xbb\xbf{",
        b"{\"a\":1,\"a\":1}",
        b"name=ana&email=ana",
        b"<xml/>",
        &deep,
        &deep_object,
    ];
    for (served, _) in fixture.readers() {
        for body in garbage {
            let answer = fixture.send(served, *body);
            assert!(
                is_refused(&answer),
                "{} takes {:.40}",
                answer.question,
                body.escape_ascii()
            );
        }
    }
}

#[test]
fn a_field_that_is_missing_or_of_another_type_is_named() {
    let fixture = Fixture::new();
    for (served, fields) in fixture.readers() {
        for field in fields {
            let others = match field.kind {
                JsonKind::Text => vec![json!(7), json!(true), json!(["x"]), json!({"x": 1})],
                JsonKind::Number => vec![json!(true), json!("x"), json!(["x"])],
                _ => vec![json!(7), json!("x"), json!(["x"])],
            };
            for other in others {
                let mut body = good_body(served, fields);
                fields_of(served, &mut body).insert(field.name.to_owned(), other);
                fixture
                    .send(served, body.to_string())
                    .names(400, field.name);
            }
            if field.required {
                let mut body = good_body(served, fields);
                fields_of(served, &mut body).remove(field.name);
                fixture
                    .send(served, body.to_string())
                    .names(400, field.name);
                fields_of(served, &mut body).insert(field.name.to_owned(), Value::Null);
                fixture
                    .send(served, body.to_string())
                    .names(400, field.name);
            }
        }
    }
}

#[test]
fn a_key_that_comes_twice_is_refused_and_an_unknown_one_ignored() {
    let fixture = Fixture::new();
    for (served, fields) in fixture.readers() {
        let mut body = good_body(served, fields);
        fields_of(served, &mut body).remove("password");
        let usual = fixture.send(served, good_body(served, fields).to_string());
        let text = body.to_string();
        for field in fields {
            let twice = text.replacen(
                '{',
                &format!("{{\"{0}\":\"x\",\"{0}\":\"x\",", field.name),
                1,
            );
            fixture.send(served, twice).names(400, field.name);
        }
        let mut more = good_body(served, fields);
        more["unknown"] = json!({"a": [1, 2]});
        let answer = fixture.send(served, more.to_string());
        // The server refuses a second signup with the same address.
        let expected = if usual.status() == 201 && served.route.name == "sign_up" {
            409
        } else {
            usual.status()
        };
        assert_eq!(answer.status(), expected, "{}", answer.question);
    }
}

#[test]
fn a_nul_in_a_text_breaks_nothing() {
    let fixture = Fixture::new();
    for (served, fields) in fixture.readers() {
        for field in fields.iter().filter(|field| field.kind == JsonKind::Text) {
            let mut body = good_body(served, fields);
            fields_of(served, &mut body).insert(field.name.to_owned(), json!("a\0b"));
            // The name of an event may hold any character. Other fields refuse a NUL; the harness
            // checks that the status is a declared one.
            let answer = fixture.send(served, body.to_string());
            assert!(
                is_refused(&answer) || field.name == "name",
                "{}",
                answer.question
            );
        }
    }
}

#[test]
fn a_route_that_takes_no_body_ignores_one() {
    let fixture = Fixture::new();
    for served in &fixture.routes {
        if !matches!(served.route.body, RequestBody::Nothing)
            || served.route.method.as_str() != "GET"
        {
            continue;
        }
        let sender = fixture.sender(served);
        let plain = sender.send(request(served)).status();
        for body in ["garbage", "{}", &"x".repeat(1 << 20)] {
            let with_body = request(served)
                .header("Content-Type", "text/plain")
                .body(body);
            assert_eq!(sender.send(with_body).status(), plain);
        }
    }
}

#[test]
fn routes_that_always_succeed_do() {
    let fixture = Fixture::new();
    for (name, status) in [("ask_reset", 201), ("delete_token", 200)] {
        let served = fixture
            .routes
            .iter()
            .find(|served| served.route.name == name)
            .unwrap();
        for body in [
            "",
            "{",
            "null",
            "\0",
            &"x".repeat(1 << 20),
            &"[".repeat(10_000),
        ] {
            let request = request(served)
                .header("Content-Type", "image/png")
                .body(body);
            fixture.server.anyone().send(request).gives(status).empty();
        }
    }
}
