//! Tests the listener of the metrics of the real program.

use std::net::SocketAddr;

use super::moment::poll;
use super::process::Process;
use crate::harness::Request;

/// Where a program serves its metrics, by its log.
fn listener(process: &Process) -> SocketAddr {
    poll(|| {
        let said = process.said();
        let (_, rest) = said.split_once("serving metrics on http://")?;
        let (address, _) = rest.split_once('/')?;
        Some(address.parse().unwrap())
    })
}

#[test]
fn the_listener_serves_the_metrics_to_whoever_reaches_it_and_nothing_else() {
    let mut process = Process::start("metrics.listen = \"127.0.0.1:0\"\n");
    let at = listener(&process);
    assert_ne!(at, process.address);

    let asked = |path, to| Request::new("GET", path).send(to);
    assert_eq!(asked("/metrics", process.address).status, 401);
    assert_eq!(asked("/healthz", process.address).status, 200);
    let metrics = asked("/metrics", at);
    assert_eq!(metrics.status, 200);
    let text = String::from_utf8(metrics.body).unwrap();
    // What the other listener has served.
    for (route, status) in [("health", 200), ("metrics", 401)] {
        let labels = format!("api=\"ops\",route=\"{route}\",method=\"GET\",status=\"{status}\"");
        let sample = format!("doorward_http_requests_total{{{labels}}} ");
        assert!(text.contains(&sample), "{sample}: {text}");
    }
    for path in ["/healthz", "/", "/api/admin/users", "/v1/user"] {
        assert_eq!(asked(path, at).status, 404, "{path}");
    }

    process.terminate();
    assert_eq!(process.ends().code(), Some(0));
}

#[test]
fn without_the_setting_there_is_no_such_listener() {
    let process = Process::start("");
    assert!(!process.said().contains("serving metrics"));
}
