//! Tests the sockets that a service manager passes on, with the test in its place.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};

use super::activated::Activated;
use super::line::{HEALTH, Line};
use super::moment::{PATIENCE, poll};

fn copy(socket: &TcpListener) -> OwnedFd {
    socket.try_clone().unwrap().into()
}

#[test]
fn a_socket_that_is_passed_on_is_served_instead_of_the_configured_address() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = format!("server.listen = \"{}\"\n", taken.local_addr().unwrap());
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut process = Activated::start(copy(&socket), &[], &settings);
    process.says(&format!("serving on http://{address}"));
    assert!(
        process.said().contains("`server.listen` is not used"),
        "{}",
        process.said()
    );
    Line::to_address(address).say(HEALTH).hears(200);
}

#[test]
fn a_client_of_a_unix_socket_is_this_machine_and_speaks_for_others_if_it_is_trusted() {
    for (settings, client) in [
        ("", "127.0.0.1"),
        ("server.trusted_proxies = [\"127.0.0.1\"]\n", "203.0.113.9"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("door.sock");
        let socket = UnixListener::bind(&path).unwrap();
        let settings = format!("log.requests = true\n{settings}");
        let mut process = Activated::start(socket, &[], &settings);
        process.says(&format!("serving on unix:{}", path.display()));
        let mut stream = UnixStream::connect(&path).unwrap();
        let head = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
        let proxied = format!("{head}X-Forwarded-For: 203.0.113.9\r\n\r\n");
        stream.write_all(proxied.as_bytes()).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
        let logged = format!(" {client} ");
        poll(|| {
            let log = process.said();
            let line = log.lines().find(|line| line.contains("GET /healthz"))?;
            assert!(line.contains(&logged), "{line}");
            Some(())
        });
    }
}

#[test]
fn what_cannot_be_served_is_named_and_is_a_mistake_of_the_unit() {
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(listening.local_addr().unwrap()).unwrap();
    let datagrams = UnixDatagram::unbound().unwrap();
    let (_, pipe) = std::io::pipe().unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    for (descriptor, what) in [
        (OwnedFd::from(udp), "is a UDP socket"),
        (datagrams.into(), "is a datagram socket"),
        (connection.into(), "does not listen (Accept=yes)"),
        (pipe.into(), "is pipe:["),
    ] {
        let mut process = Activated::start(descriptor, &[], "");
        assert_eq!(process.ends().code(), Some(2), "{}", process.said());
        let said = process.said();
        assert!(
            said.contains(&format!(
                "descriptor 3 (door), which the service manager passed on, {what}"
            )),
            "{said}"
        );
        assert!(said.contains("change the socket unit"), "{said}");
    }
}

/// Connects, asks, and reads the whole answer. Errors: those of the connecting alone, and others.
fn visit(address: std::net::SocketAddr) -> Result<(), (bool, std::io::Error)> {
    let mut stream = TcpStream::connect(address).map_err(|it| (true, it))?;
    let mut ask = || {
        // A server that does not serve this socket leaves the connection in its queue.
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut said = String::new();
        stream.read_to_string(&mut said)?;
        if said.starts_with("HTTP/1.1 200") {
            Ok(())
        } else {
            Err(std::io::Error::new(ErrorKind::UnexpectedEof, said))
        }
    };
    ask().map_err(|it| (false, it))
}

#[test]
fn a_restart_refuses_no_connection_that_arrives_meanwhile() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let over = AtomicBool::new(false);
    let visits = || {
        let mut answered = 0;
        while !over.load(Ordering::Relaxed) {
            if let Err((refused, error)) = visit(address) {
                panic!("refused: {refused}, after {answered} answers: {error}");
            }
            answered += 1;
        }
        answered
    };
    std::thread::scope(|scope| {
        let visitors: Vec<_> = (0..4).map(|_| scope.spawn(visits)).collect();
        let mut process = Activated::start(copy(&socket), &[], "");
        for _ in 0..5 {
            process.says("serving on");
            process.stop();
            process = process.again(copy(&socket), &[], "");
        }
        process.says("serving on");
        over.store(true, Ordering::Relaxed);
        for visitor in visitors {
            assert!(visitor.join().unwrap() > 0);
        }
    });
}
