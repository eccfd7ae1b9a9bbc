//! Parses the texts in the configuration file: durations, sizes, rates, addresses and others.
//! Errors complete a sentence that starts with the key.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use lettre::message::Mailbox;
use log::LevelFilter;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{LogFormat, Rate, Security, Transport};
use crate::model::{Email, limits};

/// Why a value is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// What the value must be; the sentence ends with the value that was found.
    MustBe(Cow<'static, str>),
    /// The whole reason, for values that must not be repeated.
    Because(Cow<'static, str>),
}

/// An error whose sentence continues with `text` after "must be".
pub(super) fn must_be<T>(text: impl Into<Cow<'static, str>>) -> Result<T, Wrong> {
    Err(Wrong::MustBe(text.into()))
}

/// An error whose sentence continues with `text` after the key.
pub(super) fn because<T>(text: impl Into<Cow<'static, str>>) -> Result<T, Wrong> {
    Err(Wrong::Because(text.into()))
}

/// `"500ms"`, `"2s"`, `"30m"`, `"24h"`, `"30d"`.
pub fn duration(text: &str) -> Option<Duration> {
    const UNITS: &[(&str, u64)] = &[
        ("ms", 1),
        ("s", 1000),
        ("m", 60_000),
        ("h", 3_600_000),
        ("d", 86_400_000),
    ];
    amount(text, UNITS).map(Duration::from_millis)
}

/// `"100B"`, `"64KiB"`, `"8MiB"`, `"1GiB"`, in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    amount(
        text,
        &[
            ("B", 1),
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
        ],
    )
}

/// The memory of a password hash, in bytes: Argon2 counts in KiB, and more than 1 GiB is probably a
/// mistake.
pub(super) fn hash_memory(text: &str) -> Result<u64, Wrong> {
    let most = u64::from(*limits::HASH_MEMORY_KIB.end()) * 1024;
    let fits = |bytes: &u64| (1 << 20..=most).contains(bytes) && bytes.is_multiple_of(1024);
    let help = r#"whole KiB from "1MiB" to "1GiB""#;
    size(text).filter(fits).map_or_else(|| must_be(help), Ok)
}

/// A number of bytes as a length in memory.
pub(super) fn length(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// `"10, then 1 per 6s"`.
pub(super) fn rate(text: &str) -> Option<Rate> {
    let (burst, period) = text.split_once(", then 1 per ")?;
    let rate = Rate {
        burst: whole(burst)?.try_into().ok()?,
        period: duration(period)?,
    };
    let longest = Duration::from_hours(24 * 365);
    (rate.burst > 0 && !rate.period.is_zero() && rate.period <= longest).then_some(rate)
}

fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    whole(number)?.checked_mul(*factor)
}

/// A number of digits only: `str::parse` alone would also accept a `+`.
fn whole(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

/// One line of text that is shown to people or typed by them.
pub(super) fn line(text: &str) -> Result<String, Wrong> {
    let fits = (1..=limits::NAME_CHARS).contains(&text.trim().chars().count());
    if !fits || text.chars().any(char::is_control) {
        return must_be("one line of 1 to 255 characters");
    }
    Ok(text.trim().to_owned())
}

/// An address and a port to listen on. An IPv4 address that is mapped into IPv6 is itself.
pub(super) fn address(text: &str) -> Result<SocketAddr, Wrong> {
    let help = r#"an IP address and a port, such as "127.0.0.1:8080" or "[::]:8080""#;
    let address = text.parse::<SocketAddr>().or_else(|_| must_be(help))?;
    Ok(match address.ip().to_canonical() {
        IpAddr::V4(ip) => SocketAddr::from((ip, address.port())),
        IpAddr::V6(_) => address,
    })
}

/// An address, or a network in CIDR notation. An IPv4 network that is mapped into IPv6 is itself.
pub(super) fn network(text: &str) -> Result<IpNet, Wrong> {
    let lone = || text.parse::<IpAddr>().map(IpNet::from);
    let help = r#"an IP address or a network, such as "10.0.0.1" or "10.0.0.0/8""#;
    let network = text.parse::<IpNet>().or_else(|_| lone());
    network.map_or_else(|_| must_be(help), |network| Ok(unmapped(network)))
}

/// The IPv4 network that an IPv6 network maps (RFC 4291, section 2.5.5.2), or else the network
/// itself.
fn unmapped(network: IpNet) -> IpNet {
    let length = network.prefix_len().checked_sub(96);
    match (network.addr().to_canonical(), length) {
        (ip @ IpAddr::V4(_), Some(length)) if network.addr().is_ipv6() => {
            IpNet::new(ip, length).unwrap_or(network)
        }
        _ => network,
    }
}

/// The address that clients use, without slashes at its end.
pub(super) fn public_url(text: &str) -> Result<String, Wrong> {
    let url = text.trim_end_matches('/');
    if is_web_address(url) && !url.contains(['?', '#']) {
        return Ok(url.to_owned());
    }
    must_be(r#"an address such as "https://door.example.org""#)
}

/// A link that contains `{token}`, the place for the code.
pub(super) fn reset_link(text: &str) -> Result<String, Wrong> {
    if !is_web_address(text) {
        return must_be("a link that begins with http:// or https://");
    }
    if !text.contains("{token}") {
        return must_be("a link that holds {token}, where the code is put in");
    }
    Ok(text.to_owned())
}

/// A link that contains `{code}`, the place for the code of an invite. It may begin with
/// `{public_url}`.
pub(super) fn invite_link(text: &str) -> Result<String, Wrong> {
    if !is_web_address(&text.replacen("{public_url}", "http://x", 1)) {
        return must_be("a link that begins with http://, https:// or {public_url}");
    }
    if !text.contains("{code}") {
        return must_be("a link that holds {code}, where the code is put in");
    }
    Ok(text.to_owned())
}

fn is_web_address(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    let starts_well =
        |rest: &str| rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[');
    rest.is_some_and(starts_well) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// A sender, as the mailer reads it: `name@example.org` or `Name <name@example.org>`.
pub(super) fn sender(text: &str) -> Result<String, Wrong> {
    let bare = text
        .trim()
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'));
    let address = bare.map_or(text, |(_, address)| address);
    let mailbox = text.parse::<Mailbox>().map(|it| it.email.to_string());
    if Email::parse(address).is_err() || mailbox.as_deref() != Ok(address) {
        return must_be(r#"a sender such as "doorward <doorward@example.org>""#);
    }
    Ok(text.trim().to_owned())
}

/// How mail is sent.
pub(super) fn transport(text: &str) -> Result<Transport, Wrong> {
    match text {
        "log" => Ok(Transport::Log),
        "file" => Ok(Transport::File),
        "smtp" => Ok(Transport::Smtp),
        _ => must_be(r#""smtp", "file" or "log""#),
    }
}

/// How the connection to the mail server is encrypted.
pub(super) fn mail_security(text: &str) -> Result<Security, Wrong> {
    match text {
        "tls" => Ok(Security::Tls),
        "starttls" => Ok(Security::StartTls),
        "none" => Ok(Security::None),
        _ => must_be(r#""tls", "starttls" or "none""#),
    }
}

/// The name or the address of a host, without a port.
pub(super) fn mail_host(text: &str) -> Result<String, Wrong> {
    if ServerName::try_from(text).is_ok() {
        return Ok(text.to_owned());
    }
    must_be(r#"the name or the address of a host, such as "smtp.example.org""#)
}

/// The least important level that is written.
pub(super) fn level(text: &str) -> Result<LevelFilter, Wrong> {
    let lower_case = text.bytes().all(|byte| byte.is_ascii_lowercase());
    let level = lower_case.then(|| text.parse().ok()).flatten();
    level.map_or_else(
        || must_be(r#""off", "error", "warn", "info", "debug" or "trace""#),
        Ok,
    )
}

/// How log lines look.
pub(super) fn format(text: &str) -> Result<LogFormat, Wrong> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => must_be(r#""text" or "json""#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("30d"), Some(Duration::from_hours(720)));
        for text in [
            "",
            "5",
            "s",
            "1.5h",
            "-1s",
            "+1s",
            "1 h",
            "1H",
            "99999999999999999d",
            "1s ",
        ] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(
            (size("100B"), size("64KiB"), size("1GiB")),
            (Some(100), Some(65_536), Some(1 << 30))
        );
        for text in ["64", "64KB", "64kib", "1TiB", "18446744073709551615KiB"] {
            assert_eq!(size(text), None, "{text:?}");
        }
    }

    #[test]
    fn rates_are_written_in_one_way() {
        let expected = Rate {
            burst: 10,
            period: Duration::from_secs(6),
        };
        assert_eq!(rate("10, then 1 per 6s"), Some(expected));
        for text in [
            "10",
            "0, then 1 per 6s",
            "10, then 1 per 0s",
            "10, then 2 per 6s",
            "+1, then 1 per 6s",
        ] {
            assert_eq!(rate(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_lone_address_is_a_network_of_one() {
        assert_eq!(network("10.0.0.1"), Ok("10.0.0.1/32".parse().unwrap()));
        assert_eq!(network("fd00::/8"), Ok("fd00::/8".parse().unwrap()));
        assert!(network("10.0.0.0/33").is_err() && network("localhost").is_err());
    }

    #[test]
    fn senders_hold_an_address() {
        for text in ["a@example.org", "A B <a@example.org>"] {
            assert_eq!(sender(text), Ok(text.into()));
        }
        for text in ["", "doorward", "A <a>", "A <a@x.org", "A\n <a@x.org>"] {
            assert!(sender(text).is_err(), "{text:?}");
        }
    }
}
