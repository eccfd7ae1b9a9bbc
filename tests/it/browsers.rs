//! What scripts in browsers need: the CORS protocol of the Fetch standard, and caching.

use crate::harness::{Actor, Answer, Request, Server};

const APP: &str = "tauri://localhost";
const KEYS: &str = "/.well-known/jwks.json";

fn server() -> Server {
    Server::with("server.allowed_origins = [\"https://app.example.org\", \"tauri://localhost\"]")
}

/// Asks whether a script of this origin may send a request.
#[track_caller]
fn preflight(actor: &Actor, origin: &str, path: &str) -> Answer {
    let request = Request::new("OPTIONS", path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "GET");
    actor.send(request).gives(204)
}

fn listed<'a>(answer: &'a Answer, header: &str) -> Vec<&'a str> {
    let header = answer.header(&format!("access-control-{header}"));
    header.unwrap_or_default().split(", ").collect()
}

#[test]
fn scripts_may_send_and_read_what_the_apis_use() {
    let server = server();
    let asked = preflight(&server.anyone(), APP, "/api/admin/events/live");
    assert_eq!(listed(&asked, "allow-origin"), [APP]);
    let sent = listed(&asked, "allow-headers");
    for header in [
        "Authorization",
        "Cache-Control",
        "Content-Type",
        "Last-Event-ID",
        "X-Token",
    ] {
        assert!(sent.contains(&header), "{header}");
    }
    let answer = server
        .admin()
        .with_header("Origin", APP)
        .get("/api/admin/events/export")
        .gives(200);
    assert!(answer.header("content-disposition").is_some());
    let exposed = ["Content-Disposition", "ETag", "Retry-After", "X-Request-Id"];
    assert_eq!(listed(&answer, "expose-headers"), exposed);
}

#[test]
fn a_preflight_of_an_unknown_path_is_answered_so_that_its_404_can_be_read() {
    let server = server();
    for path in ["/nothing", "/v1/nothing", "/api/admin/nothing", "//"] {
        let asked = preflight(&server.anyone(), APP, path);
        assert_eq!(listed(&asked, "allow-origin"), [APP]);
        assert!(listed(&asked, "allow-methods").contains(&"DELETE"));
        let refused = preflight(&server.anyone(), "https://evil.example", path);
        assert_eq!(refused.header("access-control-allow-origin"), None);
        let request = Request::new("GET", path).header("Origin", APP);
        let answer = server.anyone().send(request).gives(404);
        assert_eq!(listed(&answer, "allow-origin"), [APP]);
    }
}

#[test]
fn the_key_set_is_for_every_origin_and_no_other_path_is() {
    for settings in ["", "server.allowed_origins = [\"https://app.example.org\"]"] {
        let server = Server::with(settings);
        for origin in ["https://other.example", "https://app.example.org", "null"] {
            let asked = preflight(&server.anyone(), origin, KEYS);
            assert_eq!(
                asked.header("access-control-allow-methods"),
                asked.header("allow")
            );
            let anyone = server.anyone().with_header("Origin", origin);
            let wrong = anyone.send(Request::new("DELETE", KEYS)).gives(405);
            for answer in [asked, anyone.get(KEYS).gives(200), wrong] {
                assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
                assert_eq!(answer.header("vary"), None);
            }
        }
        // Without `Origin` too: a cache may give the answer to a script.
        let plain = server.anyone().get(KEYS).gives(200);
        assert_eq!(plain.header("access-control-allow-origin"), Some("*"));
        let other = server
            .anyone()
            .with_header("Origin", "https://other.example");
        let other = other.get("/healthz").gives(200);
        assert_eq!(other.header("access-control-allow-origin"), None);
    }
}

#[test]
fn the_key_set_may_be_kept_for_an_hour_and_asked_for_again_by_its_tag() {
    let server = Server::start();
    let first = server.anyone().get(KEYS).gives(200);
    let kept = first.header("cache-control").unwrap();
    assert_eq!(kept, "public, max-age=3600");
    let tag = first.header("etag").unwrap().to_owned();
    let again = |known: &str| {
        let anyone = server.anyone().with_header("If-None-Match", known);
        anyone.get(KEYS)
    };
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".into(),
    ] {
        let answer = again(&known).gives(304).empty();
        assert_eq!(answer.header("etag"), Some(tag.as_str()));
        assert_eq!(answer.header("cache-control"), Some(kept));
    }
    for other in ["\"x\"", tag.trim_matches('"'), ""] {
        again(other).gives(200);
    }
    let head = server.anyone().send(Request::new("HEAD", KEYS)).gives(200);
    assert_eq!(head.header("etag"), Some(tag.as_str()));
    server.restart();
    let anyone = server.anyone().with_header("If-None-Match", &tag);
    anyone.get(KEYS).gives(304);
}
