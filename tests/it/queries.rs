//! Query strings: they are read as strictly as bodies, wherever one is read.

use serde_json::Value;

use doorward::http::{Handler, Method};

use crate::harness::{Actor, Answer, Request, Served, Server};

const EVENTS: &str = "/api/admin/events";

/// Sends a query to a route, with the token of the administrator or of a user where the route needs
/// one.
#[track_caller]
fn ask(server: &Server, (admin, user): (&Actor, &Actor), at: &Served, query: &str) -> Answer {
    let path = format!("{}?{query}", at.path);
    let sender = match at.route.run {
        Handler::Open(_) => server.anyone(),
        Handler::User(_) => user.clone(),
        _ => admin.clone(),
    };
    sender.send(Request::new(at.route.method.as_str(), &path))
}

#[test]
fn a_known_parameter_comes_once_with_a_value_that_is_text() {
    let server = Server::start();
    let (admin, user) = (server.admin(), server.user("ana@example.org").session());
    let mut known = 0;
    for served in &server.served().routes {
        for name in served.route.query.names() {
            known += 1;
            for (query, why) in [
                (format!("{name}=1&{name}=1"), "is there twice"),
                (format!("{name}="), "must not be empty"),
                (name.to_string(), "must not be empty"),
                (format!("{name}=%zz"), "has a % without two"),
                (format!("{name}=100%"), "has a % without two"),
                (format!("{name}=%ff"), "is not UTF-8"),
            ] {
                let answer = ask(&server, (&admin, &user), served, &query).gives(400);
                let said = answer.reason();
                assert!(said.starts_with(&format!("{name}: {why}")), "{said}");
            }
        }
    }
    assert!(known > 20, "parameters are found");
}

#[test]
fn an_unknown_parameter_is_refused_by_name_for_the_administrator_and_else_ignored() {
    let server = Server::start();
    let (admin, user) = (server.admin(), server.user("ana@example.org").session());
    for served in &server.served().routes {
        let is_admin = served.path.starts_with("/api/admin/");
        assert_eq!(!served.route.query.ignores_others(), is_admin);
        if is_admin {
            for name in ["nmae", "Name", "nam%65s", "%zz"] {
                let answer = ask(&server, (&admin, &user), served, &format!("{name}=x")).gives(400);
                let said = answer.reason();
                assert!(said.starts_with(&format!("{name}: is unknown")), "{said}");
            }
        } else if served.route.method == Method::Get {
            let plain = ask(&server, (&admin, &user), served, "").status();
            let other = ask(
                &server,
                (&admin, &user),
                served,
                "nmae=%zz&nmae=&=&nmae=%ff",
            );
            other.gives(plain);
        }
    }
}

#[test]
fn a_query_that_says_two_things_removes_nothing_and_exports_nothing() {
    let server = Server::start();
    let user = server.user("ana@example.org").session();
    user.report(&["a", "b"]).gives(201);
    let admin = server.admin();
    let twice = "before=2026-11-27&before=2020-01-01";
    admin
        .delete(&format!("{EVENTS}?{twice}"))
        .names(400, "before: is there twice");
    let count = |query: &str| {
        let listed = admin.get(&format!("{EVENTS}?{query}")).gives(200).json();
        listed["events"].as_array().unwrap().len()
    };
    assert_eq!(count(""), 2);
    admin
        .get(&format!("{EVENTS}/export?nmae=a"))
        .names(400, "nmae: is unknown");
    // A name with any characters is found by its proper encoding.
    user.report(&["50 % + ä&b=c"]).gives(201);
    assert_eq!(count("name=50+%25+%2B+%C3%A4%26b%3Dc"), 1);
}

#[test]
fn years_have_four_digits_up_to_9999() {
    let server = Server::start();
    server
        .user("ana@example.org")
        .session()
        .report(&["a"])
        .gives(201);
    let admin = server.admin();
    for last in ["9999-12-31", "9999-12-31T23:59:59Z"] {
        let listed = admin.get(&format!("{EVENTS}?from=0001-01-01&to={last}"));
        assert_eq!(listed.gives(200).json()["events"][0]["name"], "a");
        let summary = format!("{EVENTS}/summary?by=month&from=9999-11-01&to={last}&tz=%2B02:00");
        let summary = admin.get(&summary).gives(200).json();
        let moments = [&summary["from"], &summary["to"]];
        for moment in moments.into_iter().filter_map(Value::as_str) {
            assert!(moment.starts_with("9999-1"), "{moment}");
        }
    }
    for late in ["10000-01-01", "%2B10000-01-01", "9999-12-31T23:59:59-01:00"] {
        admin.get(&format!("{EVENTS}?to={late}")).names(400, "to");
    }
    let erased = admin.delete(&format!("{EVENTS}?before=9999-12-31"));
    assert_eq!(erased.gives(200).json()["deleted"], 1);
}

#[test]
fn headers_that_say_which_come_once_too() {
    let server = Server::start();
    let admin = server.admin();
    let live = || Request::new("GET", "/api/admin/events/live");
    let two = live()
        .header("Last-Event-ID", "a")
        .header("Last-Event-ID", "b");
    admin.send(two).names(400, "Last-Event-ID: is there twice");
    let odd = live().header("Last-Event-ID", "ä");
    admin.send(odd).names(400, "Last-Event-ID: must be the id");
    let report = Request::new("POST", "/api/events/simple_clientapp")
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b")
        .body(r#"[{"name":"a"}]"#);
    let ana = server.user("ana@example.org").session();
    ana.send(report)
        .names(400, "Idempotency-Key: is there twice");
    assert_eq!(server.counts(), [].into());
}
