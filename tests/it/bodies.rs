//! Bodies: what is stored can be read by every strict reader, and mistakes are named.

use serde_json::json;

use crate::harness::{Request, Server};

const SIMPLE: &str = "/api/events/simple_clientapp";
const COMPLEX: &str = "/api/events/complex_clientapp";

#[test]
fn half_of_a_surrogate_pair_is_refused_wherever_it_stands() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    for (body, place) in [
        (r#"[{"name":"a","details":{"x":"\ud800"}}]"#, "`x`"),
        (r#"[{"name":"a","details":{"y":["\ude00\ud83d"]}}]"#, "`y`"),
        (r#"[{"name":"a","details":{"z":{"\udfff":1}}}]"#, "`z`"),
        (r#"[{"name":"\ud83d","details":{}}]"#, "`name`"),
        (r#"[{"name":"a","details":{},"other":"\ud83d"}]"#, "[0]"),
        (r#"{"other":["\uDC00"],"events":[]}"#, "other"),
    ] {
        let answer = ana.post(COMPLEX, body).names(400, place);
        assert!(answer.reason().contains("half of a surrogate pair"));
    }
    for field in ["name", "email", "password", "other"] {
        let body = format!(r#"{{"name":"A","email":"b@example.org","{field}":"\ud800"}}"#);
        let body = body.replacen(r#""name":"A","#, "", usize::from(field == "name"));
        let body = body.replacen(
            r#""email":"b@example.org","#,
            "",
            usize::from(field == "email"),
        );
        let answer = server.anyone().post("/v1/user", body);
        answer.names(400, &format!("near the key `{field}`"));
    }
    let whole = r#"[{"name":"\ud83d\ude00","details":{"x":"\ud83d\ude00","y":"\\ud800"}}]"#;
    ana.post(COMPLEX, whole).gives(201);
    assert_eq!(server.counts(), [("😀".into(), 1)].into());
    let export = server.admin().get("/api/admin/events/export").gives(200);
    assert!(
        export
            .text()
            .contains(r#"{"x":"\ud83d\ude00","y":"\\ud800"}"#)
    );
}

#[test]
fn events_may_be_written_in_elixir_and_in_no_other_way() {
    let server = Server::start();
    let ana = server.user("ana@example.org").session();
    for body in [
        "[%{\"name\":\"a\"},\n %{\"name\":\"%{\"}]",
        r#"%{"events": [%{"name":"b"}]}"#,
    ] {
        ana.post(SIMPLE, body).gives(201);
    }
    let nested = r#"[%{"name":"c","details":%{"x":[%{}]}}]"#;
    ana.post(COMPLEX, nested).gives(201);
    for body in [
        "[,]",
        "{,}",
        r#"[{"name":"d"},]"#,
        r#"[{"name":"d",}]"#,
        r#"[%{"name":"d",}]"#,
        r#"{"events":[],}"#,
        r#"[% {"name":"d"}]"#,
        r#"[%%{"name":"d"}]"#,
        r#"[{%{"name":"d"}}]"#,
        r#"[%["name"]]"#,
    ] {
        ana.post(SIMPLE, body).gives(400);
    }
    let counts = [("a", 1), ("%{", 1), ("b", 1), ("c", 1)];
    let counts = counts.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(server.counts(), counts.into());
}

#[test]
fn a_comma_before_the_last_brace_is_only_for_the_logout_of_the_token_api() {
    let server = Server::start();
    let log_out = |body: String| {
        let request = Request::new("DELETE", "/api/token").body(body);
        server.anyone().send(request).gives(200);
    };
    let admin = server.admin();
    for broken in [
        "{\"token\":\"TOKEN\",,}",
        "{\"token\":%{},\"token\":\"TOKEN\"}",
    ] {
        log_out(broken.replace("TOKEN", &admin.token));
        assert!(admin.is_let_in(), "{broken}");
    }
    log_out(format!("{{\n    \"token\": \"{}\",\n}}", admin.token));
    assert!(!admin.is_let_in());
    for (path, body) in [
        ("/api/token", r#"{"username":"admin","password":"x",}"#),
        ("/login", r#"{"password":"open sesame",}"#),
        ("/v1/auth", r#"{"email":"ana@example.org","password":"x",}"#),
    ] {
        server
            .anyone()
            .post(path, body)
            .names(400, "trailing comma");
    }
}

#[test]
fn a_byte_order_mark_is_named() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let said = "The body begins with a byte order mark: JSON is UTF-8 without one";
    let login = json!({"email": ana.email, "password": ana.password}).to_string();
    let events = r#"[{"name":"a"}]"#.to_owned();
    let (anyone, session) = (server.anyone(), ana.session());
    for (actor, path, body) in [(anyone, "/v1/auth", login), (session, SIMPLE, events)] {
        actor.post(path, format!("\u{feff}{body}")).names(400, said);
        let units = body.encode_utf16();
        let utf_16: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        actor
            .post(path, [b"\xff\xfe", utf_16.as_slice()].concat())
            .names(400, said);
    }
    assert_eq!(server.counts(), [].into());
}
