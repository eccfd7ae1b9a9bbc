//! `/metrics`: what is counted, in which formats, and that the dashboard, the alerts and the docs
//! use metrics that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Actor, Answer, PASSWORD, Server, days, hours};
use crate::machines::machine;
use crate::tidy::root;

const METRICS: &str = "/metrics";

/// The samples of a scrape, by their name with its labels.
struct Samples(BTreeMap<String, f64>);

impl Samples {
    fn of(text: &str) -> Samples {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        };
        let all: Vec<(String, f64)> = lines.map(sample).collect();
        let count = all.len();
        let samples = Samples(all.into_iter().collect());
        assert_eq!(samples.0.len(), count, "a sample is there twice");
        samples
    }

    /// Reads the metrics as a machine whose token was made for that.
    #[track_caller]
    fn read(reader: &Actor) -> Samples {
        Samples::of(&reader.get(METRICS).gives(200).text())
    }

    /// A sample, rounded; 0 if it is not there.
    fn get(&self, name: &str) -> u64 {
        let value = self.0.get(name).copied().unwrap_or(0.0);
        format!("{value:.0}").parse().unwrap()
    }

    /// Panics unless each of these samples has grown by this much since.
    #[track_caller]
    fn have_grown(&self, since: &Samples, by: &[(&str, u64)]) {
        for (name, more) in by {
            assert_eq!(self.get(name), since.get(name) + more, "{name}");
        }
    }
}

fn reader(server: &Server) -> Actor {
    machine(server, &server.admin(), "prometheus", &["metrics:read"])
}

#[test]
fn requests_and_logins_are_counted_by_route_and_outcome() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (reader, anyone) = (reader(&server), server.anyone());
    let before = Samples::read(&reader);

    ana.session().get("/v1/user").gives(200);
    ana.access();
    anyone
        .log_in("ana@example.org", "a wrong password")
        .gives(401);
    anyone.log_in("bob@example.org", PASSWORD).gives(401);
    anyone.with_token("unknown").get("/v1/user").gives(404);
    anyone.get("/nowhere").gives(404);
    anyone.delete("/v1/user/").gives(401);

    let after = Samples::read(&reader);
    after.have_grown(
        &before,
        &[
            (r#"doorward_http_requests_total{api="ephemeride",route="log_in",method="POST",status="201"}"#, 1),
            (r#"doorward_http_requests_total{api="ephemeride",route="log_in",method="POST",status="401"}"#, 2),
            (r#"doorward_http_requests_total{api="ephemeride",route="read_user",method="GET",status="200"}"#, 1),
            (r#"doorward_http_requests_total{api="ephemeride",route="read_user",method="GET",status="404"}"#, 1),
            (r#"doorward_http_requests_total{api="none",route="none",method="none",status="404"}"#, 1),
            (r#"doorward_http_requests_total{api="ops",route="metrics",method="GET",status="200"}"#, 1),
            (r#"doorward_http_request_duration_seconds_count{api="ephemeride",route="log_in",method="POST"}"#, 3),
            // Ana's, and the one of this scrape.
            (r#"doorward_token_checks_total{outcome="live"}"#, 2),
            (r#"doorward_token_checks_total{outcome="unknown"}"#, 1),
            (r#"doorward_token_checks_total{outcome="expired"}"#, 0),
            (r#"doorward_logins_total{kind="session",outcome="right"}"#, 1),
            (r#"doorward_logins_total{kind="session",outcome="wrong"}"#, 2),
            (r#"doorward_logins_total{kind="access",outcome="right"}"#, 1),
            (r#"doorward_logins_total{kind="admin",outcome="right"}"#, 0),
            ("doorward_hash_queue_wait_seconds_count", 4),
        ],
    );
}

#[test]
fn the_time_of_an_answer_falls_into_its_bucket() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let reader = reader(&server);
    let before = Samples::read(&reader);
    let clock = std::sync::Arc::clone(&server.clock);
    server
        .random
        .before_next_draw(move || clock.advance(Duration::from_secs(2)));
    ana.session();
    let after = Samples::read(&reader);
    let of = |end: &str, bound: &str| {
        let labels = r#"api="ephemeride",route="log_in",method="POST""#;
        format!("doorward_http_request_duration_seconds_{end}{{{labels}{bound}}}")
    };
    let shorter = of("bucket", r#",le="1""#);
    let longer = of("bucket", r#",le="2.5""#);
    after.have_grown(
        &before,
        &[
            (&shorter, 0),
            (&longer, 1),
            (&of("sum", ""), 2),
            (&of("count", ""), 1),
        ],
    );
}

#[test]
fn checks_of_tokens_are_counted_by_their_outcome() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let admin = server.admin();
    let (reader, session) = (reader(&server), ana.session());
    let sensor = machine(&server, &admin, "sensor", &["events:read"]);
    let before = Samples::read(&reader);
    sensor.get("/api/admin/users").gives(403);
    sensor.get("/api/admin/events").gives(200);
    server.pass(days(400));
    session.get("/v1/user").gives(404);
    session.get("/v1/user").gives(404);
    let after = Samples::read(&reader);
    let of = |outcome: &str| format!("doorward_token_checks_total{{outcome=\"{outcome}\"}}");
    after.have_grown(
        &before,
        &[
            // The sensor's, and the one of this scrape.
            (&of("live"), 2),
            (&of("refused"), 1),
            (&of("expired"), 2),
            (&of("unknown"), 0),
            (&of("failed"), 0),
        ],
    );
}

#[test]
fn a_refusal_is_counted_under_the_limit_that_refused_it() {
    let server = Server::with("limits.rates = true\nlimits.signups = \"1, then 1 per 1h\"\n");
    server.user("ana@example.org");
    let reader = reader(&server);
    let before = Samples::read(&reader);
    server.anyone().sign_up("bob@example.org").gives(429);
    for _ in 0..20 {
        server.anyone().log_in("ana@example.org", "wrong password");
    }
    let after = Samples::read(&reader);
    let signups = r#"doorward_refusals_total{limit="signups"}"#;
    let account = r#"doorward_refusals_total{limit="account_passwords"}"#;
    let refused = r#"doorward_logins_total{kind="session",outcome="refused"}"#;
    after.have_grown(&before, &[(signups, 1)]);
    assert!(after.get(account) > 0);
    assert_eq!(after.get(refused), after.get(account));
}

#[test]
fn changes_events_and_mails_are_counted() {
    let server = Server::start();
    let ana = server.user("ana@example.org");
    let (reader, angen) = (reader(&server), ana.angen());
    let before = Samples::read(&reader);
    angen.report(&["opened", "closed"]).gives(201);
    server.anyone().ask_reset("ana@example.org");
    server.settle();
    let waiting = Samples::read(&reader);
    waiting.have_grown(
        &before,
        &[
            ("doorward_events_stored_total", 2),
            ("doorward_outbox_mails", 1),
        ],
    );
    let groups = "doorward_store_group_duration_seconds_count";
    let flushes = "doorward_store_flush_duration_seconds_count";
    assert!(waiting.get(groups) >= before.get(groups) + 2);
    assert_eq!(waiting.get(groups), waiting.get(flushes));
    server.pass(hours(1));
    let age = "doorward_outbox_oldest_age_seconds";
    assert_eq!(Samples::read(&reader).get(age), 3_600);
    server.deliver_mails();
    let after = Samples::read(&reader);
    after.have_grown(
        &before,
        &[
            ("doorward_outbox_mails", 0),
            (r#"doorward_mails_total{outcome="sent"}"#, 1),
        ],
    );
    assert_eq!(after.get(age), 0);
    assert_eq!(after.get(r#"doorward_records{kind="users"}"#), 1);
    let (size, dead) = (
        after.get("doorward_store_size_bytes"),
        after.get("doorward_store_dead_bytes"),
    );
    assert!(0 < dead && dead < size, "{dead} of {size}");
    assert!(after.get("doorward_store_free_bytes") > 0);
}

#[test]
fn the_state_of_the_server_is_there() {
    let server = Server::start();
    let reader = reader(&server);
    let read = Samples::read(&reader);
    for (name, value) in [
        (r#"doorward_store_health{state="fine"}"#, 1),
        (r#"doorward_store_health{state="full"}"#, 0),
        ("doorward_clock_suspect", 0),
        (r#"doorward_damaged_records{kind="other"}"#, 0),
        (r#"doorward_connections{state="served"}"#, 1),
    ] {
        assert!(read.0.contains_key(name), "{name}");
        assert_eq!(read.get(name), value, "{name}");
    }
    assert!(read.get("process_resident_memory_bytes") > 1 << 20);
    server.clock.set_ahead(hours(3));
    assert_eq!(Samples::read(&reader).get("doorward_clock_suspect"), 1);
}

#[test]
fn the_format_is_the_one_that_is_asked_for() {
    let server = Server::start();
    let reader = reader(&server);
    let plain = reader.get(METRICS).gives(200);
    let accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3";
    let open = reader.with_header("Accept", accept).get(METRICS).gives(200);
    let types = |answer: &Answer| answer.header("content-type").unwrap().to_owned();
    assert!(types(&plain).starts_with("text/plain; version=0.0.4"));
    assert!(types(&open).starts_with("application/openmetrics-text; version=1.0.0"));
    assert_eq!(plain.header("cache-control"), Some("no-store"));
    let (plain, open) = (plain.text(), open.text());
    assert!(open.ends_with("# EOF\n") && !plain.contains("# EOF"));
    assert!(open.contains("# TYPE doorward_logins counter\n"));
    assert!(plain.contains("# TYPE doorward_logins_total counter\n"));
    for text in [&plain, &open] {
        assert!(text.contains(r#"_bucket{le="+Inf"} "#));
    }
    // Both hold the same samples, but for those that have changed meanwhile.
    let names = |text: &str| -> BTreeSet<String> {
        let samples = Samples::of(text).0.into_keys();
        samples
            .filter(|it| !it.contains("http_request") && !it.contains("_bucket"))
            .collect()
    };
    assert_eq!(names(&plain), names(&open));
}

/// The names in a text that are names of metrics.
fn named(text: &str) -> BTreeSet<&str> {
    let is_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let words = text.split(|it: char| !is_name(it));
    words
        .filter(|it| it.starts_with("doorward_") || it.starts_with("process_"))
        .collect()
}

/// The text of a file of the repository.
fn file(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_guide_lists_every_metric_and_no_other() {
    let server = Server::start();
    let scrape = reader(&server).get(METRICS).gives(200).text();
    let types = scrape.lines().filter_map(|it| it.strip_prefix("# TYPE "));
    let there: BTreeSet<&str> = types.filter_map(|it| it.split(' ').next()).collect();
    let guide = file("docs/operations.md");
    let rows = guide.lines().filter_map(|it| it.strip_prefix("| `"));
    let cells = rows.filter_map(|it| it.split('`').next());
    let listed: BTreeSet<&str> = cells.flat_map(named).collect();
    assert_eq!(listed, there);
}

#[test]
fn the_dashboard_and_the_alerts_ask_for_metrics_that_exist() {
    let server = Server::start();
    let reader = reader(&server);
    // A scrape is counted only after it was made.
    reader.get(METRICS).gives(200);
    let scrape = reader.get(METRICS).gives(200).text();
    let there = named(&scrape);
    let dashboard: Value = serde_json::from_str(&file("packaging/grafana/doorward.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|it| it["targets"].as_array().into_iter().flatten());
    let asked: Vec<&str> = targets.map(|it| it["expr"].as_str().unwrap()).collect();
    assert!(asked.len() > 15, "{asked:?}");
    let alerts = file("packaging/prometheus/alerts.yml");
    for (place, text) in [("dashboard", asked.join("\n")), ("alerts", alerts)] {
        let asked = named(&text);
        let unknown: Vec<_> = asked.difference(&there).collect();
        assert!(unknown.is_empty(), "{place}: {unknown:?}");
        assert!(asked.len() > 5, "{place}");
    }
}

#[test]
fn the_guide_and_the_tests_of_the_alerts_have_each_of_them() {
    let rules = file("packaging/prometheus/alerts.yml");
    let alerts = rules.lines();
    let alerts = alerts.filter_map(|it| it.trim().strip_prefix("- alert: "));
    let alerts: BTreeSet<&str> = alerts.collect();
    assert!(alerts.len() > 5);
    let guide = file("docs/operations.md");
    let rows = guide.lines().filter(|it| it.starts_with("| `Doorward"));
    let listed: BTreeSet<&str> = rows.filter_map(|it| it.split('`').nth(1)).collect();
    assert_eq!(listed, alerts);
    let tests = file("packaging/prometheus/alerts.test.yml");
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n")), "{alert}");
    }
}
