//! Paths: which exist, which do not, and which API's error shape a 404 has.

use serde_json::json;

use crate::harness::{Request, Server};

#[test]
fn an_unknown_path_is_404_in_the_shape_of_its_nearest_api() {
    let server = Server::start();
    for (path, key) in [
        ("/v1/nothing", "code"),
        ("/v1", "code"),
        ("/api/v1/user/x/y", "code"),
        ("/api/events/nothing", "reason"),
        ("/api/auth/nothing", "error"),
        ("/nothing", "message"),
        ("//", "message"),
    ] {
        let answer = server.anyone().get(path).gives(404);
        assert!(answer.json()[key].is_string(), "{path}: {}", answer.text());
    }
    let answer = server.anyone().get("/api/token/nothing").gives(404);
    assert_eq!(answer.text(), "Not found");
    for path in [
        "/v1//user",
        "/V1/user",
        "/v1/user//",
        "/v1/%75ser",
        "/v1/./user",
        "/x/../v1/user",
    ] {
        server.anyone().get(path).gives(404);
    }
}

#[test]
fn an_api_that_is_switched_off_is_not_there() {
    for (key, paths) in [
        (
            "angen",
            ["/api/request_token", "/api/events/simple_clientapp"],
        ),
        ("token", ["/api/token", "/api/token?token=x"]),
        ("hub", ["/", "/login"]),
        ("ephemeride", ["/v1/user", "/api/v1/auth"]),
        ("core", ["/api/auth", "/.well-known/jwks.json"]),
    ] {
        let server = Server::with(&format!("apis.{key} = false"));
        assert!(
            server
                .served()
                .routes
                .iter()
                .all(|served| served.api.name != key)
        );
        for path in paths {
            for verb in ["GET", "POST", "DELETE"] {
                server.anyone().send(Request::new(verb, path)).gives(404);
            }
        }
        server.anyone().get("/healthz").gives(200);
    }
}

#[test]
fn requests_that_two_servers_could_read_differently_are_refused() {
    let server = Server::start();
    let get = |path: &str| Request::new("GET", path);
    let anyone = server.anyone();
    anyone
        .send(get("/").header("Host", "a").header("Host", "b"))
        .gives(400);
    anyone.send(get("/").header("Host", "a b")).gives(400);
    anyone
        .send(get("/").header("Transfer-Encoding", "chunked, chunked"))
        .gives(400);
}

#[test]
fn the_health_check_answers() {
    let server = Server::start();
    let answer = server.anyone().get("/healthz").gives(200);
    assert_eq!(
        answer.json(),
        json!({"status": "ok", "damaged_blocks": 0, "damaged_records": 0, "clock": "trusted"})
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}
