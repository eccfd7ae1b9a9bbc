//! The host of a web address, and whether it is this machine.

use std::net::IpAddr;

use hyper::Uri;

/// The host of a web address, an IPv6 address without its brackets; none if there is no valid one.
pub(super) fn host(url: &str) -> Option<String> {
    // The place of the code in a reset link is no character of a URI.
    let uri = Uri::try_from(url.replace("{token}", "token")).ok()?;
    let host = uri.host()?;
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    Some(bare.unwrap_or(host).to_ascii_lowercase())
}

/// Whether the host of a web address is one that only this machine reaches.
pub(super) fn is_local(url: &str) -> bool {
    host(url).is_some_and(|host| is_loopback(&host))
}

/// Whether a host is a name or an address of the machine that asks for it (RFC 6761, section 6.3).
/// Clients take the unspecified address for their own machine too.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.parse::<IpAddr>().map(|it| it.to_canonical());
    host == "localhost"
        || host.ends_with(".localhost")
        || address.is_ok_and(|it| it.is_loopback() || it.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_a_web_address_is_found() {
        for (url, expected) in [
            (
                "https://Door.example.org/reset?code={token}",
                "door.example.org",
            ),
            ("http://[::1]:8080/{token}", "::1"),
            ("http://ana@10.0.0.1:80/#{token}", "10.0.0.1"),
        ] {
            assert_eq!(host(url).as_deref(), Some(expected), "{url}");
        }
    }

    #[test]
    fn this_machine_has_many_names() {
        for url in [
            "http://localhost:8080",
            "http://door.localhost",
            "http://127.3.2.1",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]/x",
            "http://0.0.0.0:1",
        ] {
            assert!(is_local(url), "{url}");
        }
        for url in [
            "http://10.0.0.1",
            "https://localhost.example.org",
            "http://[fe80::1]",
        ] {
            assert!(!is_local(url), "{url}");
        }
    }
}
