//! Rejects requests that hyper accepts but that a proxy and this server could interpret differently
//! (request smuggling). hyper itself rejects heads that are too long, transfer codings that do not
//! end in chunked, and Content-Lengths that disagree. If a request has both Content-Length and
//! Transfer-Encoding, hyper ignores the length and closes the connection after the answer, as RFC
//! 9112, 6.1 allows.

use hyper::header::{HOST, HeaderMap, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Method, Version};

/// All supported methods, for the `Allow` header on an unknown path.
pub(super) const EVERY_METHOD: &str = "GET, HEAD, POST, PATCH, PUT, DELETE, OPTIONS";

/// Why a request is rejected before its path is routed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejection {
    /// Answered with 400 and a closed connection: its further bytes cannot be trusted.
    Malformed(&'static str),
    /// Answered with 405: no path supports this method.
    UnknownMethod,
}

/// Checks the method, target, `Host` and `Transfer-Encoding` of a request.
pub(super) fn judge(parts: &Parts) -> Result<(), Rejection> {
    judge_host(parts.version, &parts.headers).map_err(Rejection::Malformed)?;
    judge_coding(&parts.headers).map_err(Rejection::Malformed)?;
    let methods = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PATCH,
        Method::PUT,
        Method::DELETE,
    ];
    let everything = parts.uri.path() == "*";
    if !methods.contains(&parts.method) && (everything || parts.method != Method::OPTIONS) {
        return Err(Rejection::UnknownMethod);
    }
    let origin_form = parts.uri.authority().is_none() && parts.uri.path().starts_with('/');
    if origin_form {
        Ok(())
    } else {
        Err(Rejection::Malformed("The request target must be a path"))
    }
}

/// RFC 9112, 3.2: HTTP/1.1 needs exactly one valid Host; in older versions it may be missing.
fn judge_host(version: Version, headers: &HeaderMap) -> Result<(), &'static str> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), None) => Err("The Host header is malformed"),
        (Some(_), Some(_)) => Err("There is more than one Host header"),
        (None, _) if version >= Version::HTTP_11 => Err("The Host header is missing"),
        (None, _) => Ok(()),
    }
}

/// Accepts a name, an IPv4 address or a bracketed IPv6 address, with or without a port.
fn is_host(host: &[u8]) -> bool {
    let port_at = host.iter().rposition(|&byte| byte == b':');
    let bracket_at = host.iter().rposition(|&byte| byte == b']');
    let (name, port) = match port_at.filter(|&at| bracket_at.is_none_or(|end| at > end)) {
        Some(at) => (
            host.get(..at).unwrap_or_default(),
            host.get(at + 1..).unwrap_or_default(),
        ),
        None => (host, &[][..]),
    };
    let name_fits = match name {
        [b'[', inside @ .., b']'] => {
            inside
                .iter()
                .all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
                && inside.contains(&b':')
        }
        _ => name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)),
    };
    !name.is_empty() && name_fits && port.iter().all(u8::is_ascii_digit)
}

/// Accepts only `chunked`, at most once.
fn judge_coding(headers: &HeaderMap) -> Result<(), &'static str> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(it), None) if it.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err("The only Transfer-Encoding is chunked"),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn verdict(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<(), Rejection> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        judge(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_request_names_one_host() {
        let refused = |hosts: &[&str]| {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            verdict("GET", "/", &headers).is_err()
        };
        for host in [
            "a",
            "a.example:80",
            "127.0.0.1:8080",
            "[::1]:8080",
            "[::1]",
            "a_b.example:",
        ] {
            assert!(!refused(&[host]), "{host}");
        }
        for host in [
            "", ":80", "a b", "a/b", "a@b", "a:b", "[::1", "::1", "[]", "a,b", "a:80:80",
        ] {
            assert!(refused(&[host]), "{host}");
        }
        assert!(refused(&[]) && refused(&["a", "a"]));
    }

    #[test]
    fn chunked_is_the_only_coding() {
        let coded = |value| verdict("POST", "/", &[("host", "a"), ("transfer-encoding", value)]);
        assert_eq!((coded("chunked"), coded("Chunked")), (Ok(()), Ok(())));
        for value in [
            "gzip, chunked",
            "chunked, chunked",
            "identity",
            "xchunked",
            "",
        ] {
            assert!(
                matches!(coded(value), Err(Rejection::Malformed(_))),
                "{value}"
            );
        }
    }

    #[test]
    fn only_known_methods_and_plain_paths_go_on() {
        let host = &[("host", "a")];
        assert_eq!(verdict("OPTIONS", "/v1/user", host), Ok(()));
        for (method, target) in [
            ("TRACE", "/"),
            ("CONNECT", "a:80"),
            ("get", "/"),
            ("BREW", "/"),
            ("OPTIONS", "*"),
        ] {
            assert_eq!(
                verdict(method, target, host),
                Err(Rejection::UnknownMethod),
                "{method}"
            );
        }
        for target in ["http://a/", "*", "a:80"] {
            assert!(
                matches!(verdict("GET", target, host), Err(Rejection::Malformed(_))),
                "{target}"
            );
        }
    }
}
