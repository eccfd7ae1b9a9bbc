//! Sockets that the service manager has opened and passed on, as `sd_listen_fds(3)` says. They are
//! served instead of `server.listen`.

use std::env;
use std::fs;
use std::io;
use std::os::fd::AsFd;

use listenfd::ListenFd;
use rustix::net::sockopt::socket_acceptconn;
use tokio::net::{TcpListener, UnixListener};

use super::ServerError;
use super::listeners::Listeners;
use super::socket::Socket;
use super::tls::Certificate;
use crate::config::Config;

/// The first descriptor that is passed on.
const FIRST: usize = 3;

/// Takes the sockets that were passed on to this process, and reads the certificate, if one is
/// configured. None: there are no such sockets. A second call finds none. Needs the runtime of
/// tokio around it.
pub fn handed_over(config: &Config) -> Result<Option<Listeners>, ServerError> {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = ListenFd::from_env();
    let mut sockets = Vec::new();
    for index in 0..passed.len() {
        let name = names.next().filter(|name| !name.is_empty());
        let descriptor = FIRST + index;
        let refused = |why| ServerError::HandedOver {
            descriptor,
            name: name.unwrap_or("without a name").to_owned(),
            why,
        };
        sockets.push(take(&mut passed, index).map_err(refused)?);
    }
    if sockets.is_empty() {
        return Ok(None);
    }
    let tls = Certificate::read(config.server.tls.as_ref())?;
    Ok(Some(Listeners {
        sockets,
        tls,
        file: None,
    }))
}

/// The listening socket at this place, or what it is instead.
fn take(passed: &mut ListenFd, index: usize) -> Result<Socket, String> {
    if let Ok(Some(socket)) = passed.take_tcp_listener(index) {
        check(&socket)?;
        let taken = socket
            .set_nonblocking(true)
            .and_then(|()| TcpListener::from_std(socket));
        return taken.map(Socket::Tcp).map_err(|it| unusable(&it));
    }
    if let Ok(Some(socket)) = passed.take_unix_listener(index) {
        check(&socket)?;
        let taken = socket
            .set_nonblocking(true)
            .and_then(|()| UnixListener::from_std(socket));
        return taken.map(Socket::Unix).map_err(|it| unusable(&it));
    }
    if let Ok(Some(_)) = passed.take_udp_socket(index) {
        return Err("is a UDP socket (ListenDatagram=)".to_owned());
    }
    if let Ok(Some(_)) = passed.take_unix_datagram(index) {
        return Err("is a datagram socket (ListenDatagram=)".to_owned());
    }
    let link = format!("/proc/self/fd/{}", FIRST + index);
    Err(match fs::read_link(link) {
        Ok(target) => format!("is {}", target.display()),
        Err(_) => "is not open".to_owned(),
    })
}

/// Refuses a socket that is a connection: systemd passes one with `Accept=yes`.
fn check(socket: &impl AsFd) -> Result<(), String> {
    match socket_acceptconn(socket) {
        Ok(true) => Ok(()),
        Ok(false) => Err("does not listen (Accept=yes)".to_owned()),
        Err(error) => Err(unusable(&error.into())),
    }
}

fn unusable(error: &io::Error) -> String {
    format!("cannot be used ({error})")
}
