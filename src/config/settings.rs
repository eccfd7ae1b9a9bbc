//! The table of settings: every key with its kind, its default, its meaning and the field it sets.
//! To add a setting, add an entry here and a field in `Config`; the parser, the example file and
//! the table in `docs/configuration.md` follow.

use std::time::Duration;

use Kind::{
    Count, Directory, File, Flag, Invites, List, OneOrMore, Password, Rate, Size, Span, Text,
};
use Preset::{Default, Example};

use super::kind::{Form, Kind};
use super::setting::{Preset, Setting};
use super::{Config, Transport, value};

/// Keys that exclude each other: the keys of a group all set the same value.
pub(super) const ALTERNATIVES: &[&[&str]] = &[
    &[
        "admin.password",
        "admin.password_hash",
        "admin.password_file",
    ],
    &["hub.passwords", "hub.passwords_file"],
];

/// Keys that must be set together.
pub(super) const TOGETHER: &[[&str; 2]] = &[["server.tls.cert", "server.tls.key"]];

/// A duration that must not be shorter than another: its key, the key of the other, and a function
/// that returns both durations in this order.
pub(super) type NotShorter = (&'static str, &'static str, fn(&Config) -> [Duration; 2]);

/// Every such pair.
pub(super) const NOT_SHORTER: &[NotShorter] = &[("events.keep_counts", "events.retention", |of| {
    [of.events.keep_counts, of.events.retention]
})];

/// Every setting, section by section, in the order of the example file. A section's sub-sections
/// come after its own keys.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "server.listen",
        kind: OneOrMore(|to, it| value::address(it).map(|it| to.server.listen.push(it))),
        preset: Default(r#""127.0.0.1:8080""#),
        about: "The address and port to listen on, or a list of them.",
    },
    Setting {
        key: "server.name",
        kind: Text(|to, it| value::line(it).map(|it| to.server.name = it)),
        preset: Default(r#""doorward""#),
        about: "The name that clients are shown.",
    },
    Setting {
        key: "server.description",
        kind: Text(|to, it| value::line(it).map(|it| to.server.description = Some(it))),
        preset: Example(r#""The door of the observatory""#),
        about: "A sentence that hub clients are shown.",
    },
    Setting {
        key: "server.public_url",
        kind: Text(|to, it| value::public_url(it).map(|it| to.server.public_url = it)),
        preset: Default(r#""http://127.0.0.1:8080""#),
        about: "The address under which clients reach this server; access tokens name it as their issuer.",
    },
    Setting {
        key: "server.trusted_proxies",
        kind: List(|to, it| value::network(it).map(|it| to.server.trusted_proxies.push(it))),
        preset: Default("[]"),
        about: "Proxies, as addresses or networks, whose `X-Forwarded-For` says who the client is.",
    },
    Setting {
        key: "server.allowed_origins",
        kind: List(|to, it| value::origin(it).map(|it| to.server.allowed_origins.push(it))),
        preset: Default("[]"),
        about: r#"Web origins whose scripts may call this server (CORS); "*" allows any."#,
    },
    Setting {
        key: "server.tls.cert",
        kind: File(|to, it| to.server.tls.get_or_insert_default().cert = it),
        preset: Example(r#""cert.pem""#),
        about: "The certificate chain as a PEM file; with it and its key the server speaks HTTPS.",
    },
    Setting {
        key: "server.tls.key",
        kind: File(|to, it| to.server.tls.get_or_insert_default().key = it),
        preset: Example(r#""key.pem""#),
        about: "The certificate's private key as a PEM file.",
    },
    Setting {
        key: "storage.path",
        kind: Directory(|to, it| to.storage.path = it),
        preset: Default(r#""data""#),
        about: "The directory of the database.",
    },
    Setting {
        key: "storage.memory_budget",
        kind: Size("16MiB", "1024GiB", |to, it| to.storage.memory_budget = it),
        preset: Default(r#""64MiB""#),
        about: "How much memory the store may take.",
    },
    Setting {
        key: "storage.commit_delay",
        kind: Span("0s", "1s", |to| &mut to.storage.commit_delay),
        preset: Default(r#""0s""#),
        about: "How long to delay a commit so that more changes can join it: \"50ms\" spares an SD card, at the price of slower answers.",
    },
    Setting {
        key: "admin.username",
        kind: Text(|to, it| value::line(it).map(|it| to.admin.username = it)),
        preset: Default(r#""admin""#),
        about: "The administrator's name.",
    },
    Setting {
        key: "admin.password",
        kind: Password(Form::Clear, |to, it| to.admin.password = Some(it)),
        preset: Example(r#""correct horse battery staple""#),
        about: "The administrator's password; without any, the first start makes one and prints it once.",
    },
    Setting {
        key: "admin.password_hash",
        kind: Password(Form::Hash, |to, it| to.admin.password = Some(it)),
        preset: Example(r#""$argon2id$v=19$m=19456,t=2,p=1$…""#),
        about: "The same as a hash, which `doorward hash-password` makes.",
    },
    Setting {
        key: "admin.password_file",
        kind: Password(Form::File, |to, it| to.admin.password = Some(it)),
        preset: Example(r#""admin-password""#),
        about: "The same, in clear or as a hash, in a file that only its owner may read.",
    },
    Setting {
        key: "hub.passwords",
        kind: Password(Form::List, |to, it| to.hub.passwords.push(it)),
        preset: Default("[]"),
        about: "Passwords in clear or as hashes, any of which opens the hub; with none it stays closed.",
    },
    Setting {
        key: "hub.passwords_file",
        kind: Password(Form::Lines, |to, it| to.hub.passwords.push(it)),
        preset: Example(r#""hub-passwords""#),
        about: "The same, one a line, in a file that only its owner may read.",
    },
    Setting {
        key: "apis.angen",
        kind: Flag(|to| &mut to.apis.angen),
        preset: Default("true"),
        about: "Whether the Angen API (tokens with renewal codes, events) is served.",
    },
    Setting {
        key: "apis.token",
        kind: Flag(|to| &mut to.apis.token),
        preset: Default("true"),
        about: "Whether the Token API (administration) is served.",
    },
    Setting {
        key: "apis.hub",
        kind: Flag(|to| &mut to.apis.hub),
        preset: Default("true"),
        about: "Whether the Hub API is served.",
    },
    Setting {
        key: "apis.ephemeride",
        kind: Flag(|to| &mut to.apis.ephemeride),
        preset: Default("true"),
        about: "Whether the Ephemeride API (sign-up, sessions) is served.",
    },
    Setting {
        key: "apis.core",
        kind: Flag(|to| &mut to.apis.core),
        preset: Default("true"),
        about: "Whether the Core API (access tokens, password resets) is served.",
    },
    Setting {
        key: "tokens.admin_lifetime",
        kind: Span("1s", "3650d", |to| &mut to.tokens.admin_lifetime),
        preset: Default(r#""24h""#),
        about: "How long the administrator's tokens live.",
    },
    Setting {
        key: "tokens.hub_lifetime",
        kind: Span("1s", "3650d", |to| &mut to.tokens.hub_lifetime),
        preset: Default(r#""30d""#),
        about: "How long hub tokens live.",
    },
    Setting {
        key: "tokens.angen_lifetime",
        kind: Span("1s", "3650d", |to| &mut to.tokens.angen_lifetime),
        preset: Default(r#""31d""#),
        about: "How long Angen tokens live.",
    },
    Setting {
        key: "tokens.session_idle_lifetime",
        kind: Span("1s", "3650d", |to| &mut to.tokens.session_idle_lifetime),
        preset: Default(r#""30d""#),
        about: "How long a session lives without being used.",
    },
    Setting {
        key: "tokens.access_lifetime",
        kind: Span("1s", "3650d", |to| &mut to.tokens.access_lifetime),
        preset: Default(r#""1h""#),
        about: "How long access tokens live.",
    },
    Setting {
        key: "tokens.refresh_window",
        kind: Span("0s", "3650d", |to| &mut to.tokens.refresh_window),
        preset: Default(r#""7d""#),
        about: "How long after its end an access token can still be exchanged for a new one.",
    },
    Setting {
        key: "tokens.per_user",
        kind: Count(1..=100_000, |to, it| to.tokens.per_user = it as usize),
        preset: Default("100"),
        about: "How many live tokens a user may have; the one least recently used makes room.",
    },
    Setting {
        key: "accounts.signup",
        kind: Flag(|to| &mut to.accounts.signup),
        preset: Default("true"),
        about: "Whether anyone may create an account.",
    },
    Setting {
        key: "accounts.invite_required",
        kind: Flag(|to| &mut to.accounts.invite_required),
        preset: Default("false"),
        about: "Whether they need an invite for it.",
    },
    Setting {
        key: "accounts.invites",
        kind: Invites,
        preset: Default("[]"),
        about: r#"A code opens one account; { code = "…", uses = 10, expires = 2027-01-01T00:00:00Z } opens ten."#,
    },
    Setting {
        key: "accounts.password_min_length",
        kind: Count(1..=64, |to, it| {
            to.accounts.password_min_length = it as usize;
        }),
        preset: Default("8"),
        about: "The fewest characters of a new password.",
    },
    Setting {
        key: "accounts.hash_memory",
        kind: Text(|to, it| value::hash_memory(it).map(|it| to.accounts.hash_memory = it)),
        preset: Default(r#""19MiB""#),
        about: "The memory that hashing a password takes (Argon2id), in whole KiB.",
    },
    Setting {
        key: "accounts.hash_passes",
        kind: Count(1..=100, |to, it| to.accounts.hash_passes = it),
        preset: Default("2"),
        about: "How often hashing a password goes over that memory.",
    },
    Setting {
        key: "reset.lifetime",
        kind: Span("1s", "7d", |to| &mut to.reset.lifetime),
        preset: Default(r#""30m""#),
        about: "How long a password reset code is good.",
    },
    Setting {
        key: "reset.reset_link",
        kind: Text(|to, it| value::reset_link(it).map(|it| to.reset.reset_link = it)),
        preset: Default(r#""http://127.0.0.1:8080/reset?token={token}""#),
        about: "The link in the mail, to a page of yours; {token} becomes the code.",
    },
    Setting {
        key: "mail.transport",
        kind: Text(|to, it| value::transport(it).map(|it| to.mail.transport = it)),
        preset: Default(r#""log""#),
        about: r#"How mail leaves: "log" only logs that one was due, "file" writes each as an .eml file."#,
    },
    Setting {
        key: "mail.from",
        kind: Text(|to, it| value::sender(it).map(|it| to.mail.from = it)),
        preset: Default(r#""doorward <doorward@localhost>""#),
        about: "The sender of mail.",
    },
    Setting {
        key: "mail.path",
        kind: Directory(|to, it| {
            if let Transport::File(path) = &mut to.mail.transport {
                *path = it;
            }
        }),
        preset: Default(r#""mail""#),
        about: r#"The directory that the transport "file" writes into."#,
    },
    Setting {
        key: "events.retention",
        kind: Span("1h", "36500d", |to| &mut to.events.retention),
        preset: Default(r#""90d""#),
        about: "How long events are kept.",
    },
    Setting {
        key: "events.keep_counts",
        kind: Span("1h", "36500d", |to| &mut to.events.keep_counts),
        preset: Default(r#""1825d""#),
        about: "How long the counts of events are kept, hour by hour and name by name; at least as long as the events.",
    },
    Setting {
        key: "events.max_bytes",
        kind: Size("1MiB", "1048576GiB", |to, it| to.events.max_bytes = it),
        preset: Default(r#""1GiB""#),
        about: "What events may take in the database; beyond it the oldest go. The files are up to twice as large.",
    },
    Setting {
        key: "events.max_names",
        kind: Count(1..=1_000_000, |to, it| to.events.max_names = it as usize),
        preset: Default("10000"),
        about: "Names of events that are counted by themselves; events of further names are kept, and counted as (other).",
    },
    Setting {
        key: "events.heartbeat",
        kind: Span("10ms", "1h", |to| &mut to.events.heartbeat),
        preset: Default(r#""15s""#),
        about: "How often a live stream sends a heartbeat and checks that its token is still live.",
    },
    Setting {
        key: "limits.rates",
        kind: Flag(|to| &mut to.limits.rates),
        preset: Default("true"),
        about: "Whether the rates below hold; false is for tests and trusted networks.",
    },
    Setting {
        key: "limits.wrong_passwords",
        kind: Rate(|to| &mut to.limits.wrong_passwords),
        preset: Default(r#""10, then 1 per 6s""#),
        about: "How many wrong passwords an address may try.",
    },
    Setting {
        key: "limits.reset_requests",
        kind: Rate(|to| &mut to.limits.reset_requests),
        preset: Default(r#""10, then 1 per 6m""#),
        about: "How many password resets an address may ask for.",
    },
    Setting {
        key: "limits.reset_mails",
        kind: Rate(|to| &mut to.limits.reset_mails),
        preset: Default(r#""3, then 1 per 20m""#),
        about: "How many reset mails an account is sent.",
    },
    Setting {
        key: "limits.all_reset_mails",
        kind: Rate(|to| &mut to.limits.all_reset_mails),
        preset: Default(r#""60, then 1 per 1m""#),
        about: "How many reset mails are sent in all; further ones wait.",
    },
    Setting {
        key: "limits.reset_attempts",
        kind: Rate(|to| &mut to.limits.reset_attempts),
        preset: Default(r#""10, then 1 per 6s""#),
        about: "How many reset codes an address may try.",
    },
    Setting {
        key: "limits.signups",
        kind: Rate(|to| &mut to.limits.signups),
        preset: Default(r#""5, then 1 per 12m""#),
        about: "How many accounts an address may make.",
    },
    Setting {
        key: "limits.events_per_minute",
        kind: Count(0..=1_000_000_000, |to, it| to.limits.events_per_minute = it),
        preset: Default("0"),
        about: "How many events a user, the administrator or the hub may report in a minute; 0 is any number.",
    },
    Setting {
        key: "limits.event_bytes_per_day",
        kind: Size("0B", "1024GiB", |to, it| to.limits.event_bytes_per_day = it),
        preset: Default(r#""0B""#),
        about: r#"How much a user, the administrator or the hub may send in a day in requests that bring events; "0B" is any amount."#,
    },
    Setting {
        key: "limits.body",
        kind: Size("1KiB", "64MiB", |to, it| to.limits.body = value::length(it)),
        preset: Default(r#""64KiB""#),
        about: "The longest body of an ordinary request.",
    },
    Setting {
        key: "limits.event_body",
        kind: Size("1KiB", "64MiB", |to, it| {
            to.limits.event_body = value::length(it);
        }),
        preset: Default(r#""8MiB""#),
        about: "The longest body of a request that brings events.",
    },
    Setting {
        key: "limits.connections",
        kind: Count(1..=1_000_000, |to, it| to.limits.connections = it as usize),
        preset: Default("4000"),
        about: "How many connections that have sent data may be open at once; four times as many may be silent.",
    },
    Setting {
        key: "limits.connections_per_address",
        kind: Count(1..=1_000_000, |to, it| {
            to.limits.connections_per_address = it as usize;
        }),
        preset: Default("256"),
        about: "How many of them one address (IPv6: one /64 network) may have.",
    },
    Setting {
        key: "limits.header_timeout",
        kind: Span("10ms", "1h", |to| &mut to.limits.header_timeout),
        preset: Default(r#""10s""#),
        about: "How long a request's head may take to arrive.",
    },
    Setting {
        key: "limits.body_timeout",
        kind: Span("10ms", "1h", |to| &mut to.limits.body_timeout),
        preset: Default(r#""30s""#),
        about: "How long a request's body may take to arrive.",
    },
    Setting {
        key: "limits.request_timeout",
        kind: Span("10ms", "1h", |to| &mut to.limits.request_timeout),
        preset: Default(r#""60s""#),
        about: "How long an answer may take.",
    },
    Setting {
        key: "log.level",
        kind: Text(|to, it| value::level(it).map(|it| to.log.level = it)),
        preset: Default(r#""info""#),
        about: r#"The least important level that is logged: "off", "error", "warn", "info", "debug" or "trace"."#,
    },
    Setting {
        key: "log.format",
        kind: Text(|to, it| value::format(it).map(|it| to.log.format = it)),
        preset: Default(r#""text""#),
        about: r#"How log lines look: "text" or "json"."#,
    },
    Setting {
        key: "log.requests",
        kind: Flag(|to| &mut to.log.requests),
        preset: Default("false"),
        about: "Whether every request is logged.",
    },
];
