//! Tests the messages to the service manager, with the test in its place.

use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;

use super::activated::Activated;
use super::line::{HEALTH, Line, post};
use super::moment::PATIENCE;

const SETTINGS: &str = "accounts = { hash_memory = \"1MiB\", hash_passes = 1 }\n";
const SIGNUP: &str = r#"{"name":"Ana","email":"ana@example.org","password":"a good password"}"#;

/// A socket that receives messages, and its path.
fn receiver(home: &std::path::Path) -> (UnixDatagram, String) {
    let path = home.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    (socket, path.to_str().unwrap().to_owned())
}

/// The next message that contains `words`.
#[track_caller]
fn message_with(words: &str, socket: &UnixDatagram) -> String {
    let mut buffer = [0; 4096];
    loop {
        let length = socket.recv(&mut buffer).expect("the message comes");
        let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
        if message.contains(words) {
            return message;
        }
    }
}

#[test]
fn the_service_manager_learns_of_the_start_the_state_and_the_stop() {
    let home = tempfile::tempdir().unwrap();
    let (socket, path) = receiver(home.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let environment = [
        ("NOTIFY_SOCKET", path.as_str()),
        ("WATCHDOG_USEC", "200000"),
    ];
    let mut process = Activated::start(listener, &environment, SETTINGS);
    message_with("EXTEND_TIMEOUT_USEC=30000000", &socket);
    message_with("READY=1", &socket);
    Line::to_address(address).say(HEALTH).hears(200);
    message_with("WATCHDOG=1", &socket);
    message_with("WATCHDOG=1", &socket);
    process.hang_up();
    let reload = message_with("RELOADING=1", &socket);
    assert!(reload.contains("\nMONOTONIC_USEC="), "{reload}");
    message_with("READY=1", &socket);
    process.stop();
    message_with("STOPPING=1", &socket);
}

#[test]
fn the_status_counts_what_is_stored() {
    let home = tempfile::tempdir().unwrap();
    let (socket, path) = receiver(home.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let environment = [("NOTIFY_SOCKET", path.as_str())];
    let mut process = Activated::start(listener, &environment, SETTINGS);
    let status = message_with("STATUS=", &socket);
    assert!(
        status.contains("0 users, 0 tokens, 0 events today, store 0."),
        "{status}"
    );
    Line::to_address(address)
        .say(post("/v1/user", &[], SIGNUP))
        .hears(201);
    process.stop();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let process = process.again(listener, &environment, SETTINGS);
    let status = message_with("STATUS=", &socket);
    assert!(
        status.contains("1 users, 1 tokens, 0 events today, store "),
        "{status}"
    );
    drop(process);
}

#[test]
fn a_service_manager_that_is_gone_or_reads_nothing_stops_no_start() {
    let home = tempfile::tempdir().unwrap();
    let (socket, path) = receiver(home.path());
    let environment = |path| [("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "2000")];
    let listener = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (first, second) = (listener(), listener());
    for (path, listener) in [("/nowhere/notify", first), (path.as_str(), second)] {
        let address = listener.local_addr().unwrap();
        let environment = environment(path);
        let mut process = Activated::start(listener, &environment, SETTINGS);
        for _ in 0..20 {
            Line::to_address(address).say(HEALTH).hears(200);
        }
        process.stop();
    }
    drop(socket);
}
