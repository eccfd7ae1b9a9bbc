//! Finds the client's IP address: the TCP peer, or the address that trusted proxies report.

use std::net::{IpAddr, SocketAddr};

use hyper::header::HeaderMap;

use crate::config::Server;

/// Each proxy appends the address of its own peer to this header, on the right.
pub(super) const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client behind `peer`: from the right, the first address in `X-Forwarded-For` that is not a
/// trusted proxy. An entry that does not parse ends the search, because nothing to the left of it
/// can be trusted; the result is then the last address before it, or `peer`, which is a proxy's.
pub(super) fn client(peer: IpAddr, server: &Server, headers: &HeaderMap) -> IpAddr {
    let mut client = peer;
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut hops = lines.flat_map(|line| line.as_bytes().rsplit(|&byte| byte == b','));
    while server.is_trusted_proxy(client) {
        match hops.next().and_then(read) {
            Some(hop) => client = hop,
            None => break,
        }
    }
    client
}

/// Parses an address with or without a port, and an IPv6 address with or without brackets.
fn read(hop: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(hop).ok()?.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|it| it.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|it| it.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, lines: &[&'static str]) -> String {
        let server = Server {
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
            ..Server::default()
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        client(peer.parse().unwrap(), &server, &headers).to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(seen("8.8.8.8", &["1.2.3.4"]), "8.8.8.8");
        assert_eq!(seen("10.0.0.1", &["1.2.3.4"]), "1.2.3.4");
        assert_eq!(
            seen("10.0.0.1", &["6.6.6.6, 1.2.3.4 , 10.9.9.9"]),
            "1.2.3.4"
        );
        assert_eq!(
            seen("10.0.0.1", &["6.6.6.6", "1.2.3.4", "10.9.9.9"]),
            "1.2.3.4"
        );
        assert_eq!(seen("fd00::1", &["[2001:db8::7]:443"]), "2001:db8::7");
        assert_eq!(seen("fd00::1", &["[2001:db8::7]"]), "2001:db8::7");
        assert_eq!(seen("10.0.0.1", &["::ffff:1.2.3.4"]), "1.2.3.4");
    }

    #[test]
    fn hearsay_ends_the_search() {
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["1.2.3.4, unknown"]), "10.0.0.1");
        assert_eq!(
            seen("10.0.0.1", &["1.2.3.4, _hidden, 10.0.0.7"]),
            "10.0.0.7"
        );
        assert_eq!(seen("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }
}
