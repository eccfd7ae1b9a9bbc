//! Reads the origins of `server.allowed_origins`.

use std::net::Ipv6Addr;

use super::value::{Wrong, must_be};

/// An origin as browsers send it (RFC 6454, section 7) or `*`, in lower case and without the usual
/// port of its scheme. Apps and extensions have schemes of their own: `tauri://localhost`.
pub(super) fn parse(text: &str) -> Result<String, Wrong> {
    let origin = text.to_ascii_lowercase();
    if origin == "*" {
        return Ok(origin);
    }
    let Some((scheme, host)) = origin.split_once("://").filter(is_origin) else {
        return must_be(
            r#""*" or an origin without a path or a slash at its end, such as "https://app.example.org" or "tauri://localhost""#,
        );
    };
    let usual_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let host = host.strip_suffix(usual_port).unwrap_or(host);
    Ok(format!("{scheme}://{host}"))
}

/// Whether these are a scheme (RFC 3986, 3.1) and a host, with or without a port.
fn is_origin((scheme, host): &(&str, &str)) -> bool {
    let of_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let starts_well = scheme.starts_with(|first: char| first.is_ascii_alphabetic());
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => {
            if port.parse::<u16>().is_err() || port.starts_with('+') {
                return false;
            }
            name
        }
        _ => host,
    };
    let name_fits = match name.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
    };
    starts_well && scheme.bytes().all(of_scheme) && !name.is_empty() && name_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host_as_browsers_send_them() {
        for (text, sent) in [
            (
                "https://App.example.org:8443",
                "https://app.example.org:8443",
            ),
            ("https://app.example.org:443", "https://app.example.org"),
            ("http://localhost:80", "http://localhost"),
            ("http://localhost:443", "http://localhost:443"),
            ("http://[::1]:5173", "http://[::1]:5173"),
            ("http://[::1]", "http://[::1]"),
            ("tauri://localhost", "tauri://localhost"),
            ("capacitor://localhost:8080", "capacitor://localhost:8080"),
            ("app://.", "app://."),
            ("moz-extension://4b6c-a1", "moz-extension://4b6c-a1"),
            ("*", "*"),
        ] {
            assert_eq!(parse(text), Ok(sent.into()));
        }
        for text in [
            "https://app.example.org/",
            "app.example.org",
            "app.example.org:443",
            "https://",
            "://localhost",
            "1app://localhost",
            "null",
            "https://a@b",
            "https://a?b",
            "https://a#b",
            "https://a:",
            "https://a:+1",
            "https://a:65536",
            "https://:443",
            "https://[::1",
            "https://[app]",
            "https://*.example.org",
            "https://m\u{fc}nchen.de",
            "tauri://local host",
            "",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
