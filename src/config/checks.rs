//! Mistakes that several settings make together: each of them is well formed by itself.

use std::net::SocketAddr;

use toml::de::DeTable;

use super::complaint::position;
use super::host::{host, is_local};
use super::reader::{Reader, Value, find, texts};
use super::settings::{ALTERNATIVES, NOT_SHORTER, TOGETHER};
use super::{Config, Security, Transport, certificate, value};

/// Complains about settings that do not fit together.
pub(super) fn check(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    check_companions(reader, document);
    check_lengths(reader, document, config);
    check_listen(reader, document, config);
    check_certificate(reader, document, config);
    check_reset_link(reader, document, config);
    check_mail_server(reader, document, config);
}

/// Complains about keys that exclude each other, and about keys that need another key beside them.
fn check_companions(reader: &mut Reader<'_>, document: &DeTable<'_>) {
    // An empty list counts as absent, so the example file's `passwords = []` may stay beside a
    // `passwords_file`.
    let is_empty = |value: &Value<'_>| value.get_ref().as_array().is_some_and(|it| it.is_empty());
    let given = |key: &str| find(document, key).filter(|value| !is_empty(value));
    let place = |key: &&'static str| given(key).map(|value| (value.span(), *key));
    for group in ALTERNATIVES {
        let mut given: Vec<_> = group.iter().filter_map(place).collect();
        given.sort_by_key(|(span, _)| span.start);
        let Some(((first, kept), others)) = given.split_first() else {
            continue;
        };
        let (line, _) = position(reader.text, first.start);
        for (span, key) in others {
            let sentence =
                format!("`{key}` says the same as `{kept}` in line {line}; keep one of them");
            reader.complain(span, sentence);
        }
    }
    for [left, right] in TOGETHER {
        let (given, missing) = match (place(left), place(right)) {
            (Some(given), None) => (given, right),
            (None, Some(given)) => (given, left),
            _ => continue,
        };
        reader.complain(
            &given.0,
            format!("`{}` needs `{missing}` beside it", given.1),
        );
    }
}

/// Complains about each pair of `NOT_SHORTER` whose first duration is shorter than its second.
fn check_lengths(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    for (longer, shorter, lengths) in NOT_SHORTER {
        let [long, short] = lengths(config);
        // Zero means that the value could not be read, which is a complaint already.
        if !long.is_zero() && long < short {
            let sentence = format!("`{longer}` must not be shorter than `{shorter}`");
            reader.complain_of(document, &[longer, shorter], sentence);
        }
    }
}

/// Complains about addresses of `server.listen` and `metrics.listen` of which the system would open
/// only the first.
fn check_listen(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    let key = "server.listen";
    let mut earlier: Vec<SocketAddr> = Vec::new();
    for (item, text) in texts(document, key) {
        let Ok(address) = value::address(text) else {
            continue;
        };
        let in_conflict =
            |other: &&SocketAddr| contains(**other, address) || contains(address, **other);
        if let Some(&other) = earlier.iter().find(in_conflict) {
            let sentence = if other == address {
                format!("`{key}` names {address} twice")
            } else {
                let wide = if contains(other, address) {
                    other
                } else {
                    address
                };
                let what = if wide.is_ipv6() {
                    "address"
                } else {
                    "IPv4 address"
                };
                format!("`{key}` names {other} and {address}, but {wide} is every {what} already")
            };
            reader.complain(&item.span(), sentence);
        }
        earlier.push(address);
    }
    let metrics = config.metrics.listen;
    let taken = |metrics: &SocketAddr| {
        let mut others = earlier.iter();
        others.any(|other| contains(*other, *metrics) || contains(*metrics, *other))
    };
    if let Some(address) = metrics.filter(taken) {
        let key = "metrics.listen";
        let sentence = format!(
            "`{key}` is {address}, which `server.listen` takes; there the metrics need a token"
        );
        reader.complain_of(document, &[key], sentence);
    }
}

/// Whether the system refuses to listen on `other` while it listens on `wide`, which contains it. A
/// socket on `[::]` listens on IPv4 too. Port 0 stands for any free port.
fn contains(wide: SocketAddr, other: SocketAddr) -> bool {
    let is_every_address = wide.ip().is_unspecified() && (wide.is_ipv6() || other.is_ipv4());
    wide.port() == other.port() && wide.port() != 0 && (wide == other || is_every_address)
}

/// Complains about a private key of another certificate.
fn check_certificate(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    // A file that cannot be read is a complaint already.
    let Some(files) = config.server.tls.as_ref().filter(|it| it.is_whole()) else {
        return;
    };
    if let Err(why) = certificate::certified_key(files) {
        let key = "server.tls.key";
        reader.complain_of(document, &[key], format!("`{key}` {why}"));
    }
}

/// Complains about what can be known of the mail server without the network.
fn check_mail_server(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    let smtp = &config.mail.smtp;
    let is_given = |key: &str| find(document, key).is_some();
    if config.mail.transport == Transport::Smtp && !is_given("mail.host") {
        let sentence = r#"`mail.transport` is "smtp", which needs `mail.host` beside it"#;
        reader.complain_of(document, &["mail.transport"], sentence.to_owned());
    }
    let passwords = ["mail.password", "mail.password_file"];
    let has_password = passwords.into_iter().any(is_given);
    if is_given("mail.username") && !has_password {
        let sentence = "`mail.username` needs `mail.password` or `mail.password_file` beside it";
        reader.complain_of(document, &["mail.username"], sentence.to_owned());
    }
    if has_password && !is_given("mail.username") {
        let sentence = "a password for the mail server needs `mail.username` beside it";
        reader.complain_of(document, &passwords, sentence.to_owned());
    }
    let leaves_in_clear =
        smtp.security == Security::None && !smtp.host.is_empty() && !smtp.is_local();
    if leaves_in_clear && !smtp.allow_plain {
        let sentence = format!(
            r#"`mail.security` is "none", but {} is another machine: use "tls" or "starttls", or set `mail.allow_plain = true`"#,
            smtp.host
        );
        reader.complain_of(document, &["mail.security"], sentence);
    }
}

/// Complains about a reset link that only this machine can open, if clients elsewhere use the
/// server.
fn check_reset_link(reader: &mut Reader<'_>, document: &DeTable<'_>, config: &Config) {
    let (link, url) = (&config.reset.reset_link, &config.server.public_url);
    if is_local(link) && host(url).is_some() && !is_local(url) {
        let host = host(link).unwrap_or_default();
        let sentence = format!(
            "`reset.reset_link` leads to {host}, which only this machine reaches, but \
             `server.public_url` is {url}; name the page where people choose a new password"
        );
        reader.complain_of(
            document,
            &["reset.reset_link", "server.public_url"],
            sentence,
        );
    }
}
