//! Tests the control socket of the real program, and the commands that use it.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use serde_json::Value;

use super::process::Process;

/// Sends a request to a control socket: the status line, and the body.
fn ask(process: &Process, request: &str) -> (String, Value) {
    let socket = process.home().join("data/control.sock");
    let mut stream = UnixStream::connect(socket).unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: control\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).unwrap();
    let (head, body) = said.split_once("\r\n\r\n").unwrap();
    let status = head.lines().next().unwrap().to_owned();
    (status, serde_json::from_str(body).unwrap())
}

#[test]
fn the_control_socket_says_who_serves_where_and_goes_with_the_server() {
    let mut process = Process::start("");
    let socket = process.home().join("data/control.sock");
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let (status, health) = ask(&process, "GET /health");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_eq!(health["status"], "ok");
    assert_eq!(health["pid"], process.id());
    assert_eq!(health["addresses"][0], process.address.to_string());
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(health["uptime_seconds"].as_u64().unwrap() < 60, "{health}");
    let (status, _) = ask(&process, "GET /healthz");
    assert_eq!(status, "HTTP/1.1 404 Not Found");

    process.terminate();
    assert_eq!(process.ends().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_killed_server_leaves_a_socket_that_the_next_start_replaces() {
    let mut process = Process::start("");
    process.kill();
    assert!(process.home().join("data/control.sock").exists());
    let (code, said) = process.run("health");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the server does not run"), "{said}");

    let process = process.again("");
    let (code, said) = process.run("health");
    assert_eq!((code, said.as_str()), (Some(0), "ok\n"));
}

#[test]
fn a_server_without_a_socket_serves_and_says_what_does_not_work() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("data")).unwrap();
    fs::write(home.path().join("data/control.sock"), "a note").unwrap();
    let process = Process::start_in(home, "");
    let said = process.said();
    assert!(
        said.contains("cannot listen on the control socket"),
        "{said}"
    );
    let (code, said) = process.run("health");
    assert_eq!(code, Some(1), "{said}");
}

#[test]
fn what_is_no_doorward_is_no_healthy_server() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("data")).unwrap();
    let socket = UnixListener::bind(home.path().join("data/control.sock")).unwrap();
    let other = std::thread::spawn(move || drop(socket.accept().unwrap()));
    let (code, said) = super::process::run_in(home.path(), "health", "");
    other.join().unwrap();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot ask the server"), "{said}");
}
