//! What is kept of events, what clients may do, and what is logged.

use Kind::{Count, Flag, Rate, Size, Span, Text};
use Preset::{Default, Example};

use crate::config::kind::Kind;
use crate::config::setting::{Preset, Setting};
use crate::config::value;

/// The sections `events`, `audit`, `clock`, `limits`, `log`, `metrics`.
pub(super) const SETTINGS: &[Setting] = &[
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
        key: "events.names_per_reporter",
        kind: Count(1..=1_000_000, |to, it| {
            to.events.names_per_reporter = it as usize;
        }),
        preset: Default("1000"),
        about: "How many of them one user, or the hub, may bring; events of that reporter's further names are counted as (other). The administrator may bring any number.",
    },
    Setting {
        key: "events.heartbeat",
        kind: Span("10ms", "1h", |to| &mut to.events.heartbeat),
        preset: Default(r#""15s""#),
        about: "How often a live stream sends a heartbeat, and how often it and an export check that their token is still live.",
    },
    Setting {
        key: "audit.retention",
        kind: Span("1h", "36500d", |to| &mut to.audit.retention),
        preset: Default(r#""180d""#),
        about: "How long the audit log keeps who logged in, failed, and changed what.",
    },
    Setting {
        key: "audit.max_bytes",
        kind: Size("64KiB", "1048576GiB", |to, it| to.audit.max_bytes = it),
        preset: Default(r#""64MiB""#),
        about: "The most space that the audit log may take; the oldest entries are removed first.",
    },
    Setting {
        key: "clock.tolerance",
        kind: Span("1s", "1h", |to| &mut to.clock.tolerance),
        preset: Default(r#""2m""#),
        about: "The largest jump of the machine's clock that is believed; after a larger one it is suspect, and nothing is removed because of its age.",
    },
    Setting {
        key: "clock.longest_off",
        kind: Span("1h", "36500d", |to| &mut to.clock.longest_off),
        preset: Default(r#""30d""#),
        about: "How long the server may have been off at a start before its clock is suspect.",
    },
    Setting {
        key: "clock.trusted_after",
        kind: Span("1m", "30d", |to| &mut to.clock.trusted_after),
        preset: Default(r#""1h""#),
        about: "How long a suspect clock must run without another jump until it is believed again.",
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
        about: "How many mails of one kind an address is sent; invites are not limited.",
    },
    Setting {
        key: "limits.all_reset_mails",
        kind: Rate(|to| &mut to.limits.all_reset_mails),
        preset: Default(r#""60, then 1 per 1m""#),
        about: "How many mails of one kind are sent in all; further ones wait. Invites are not limited.",
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
        key: "limits.least_rate",
        kind: Size("1B", "1GiB", |to, it| to.limits.least_rate = it),
        preset: Default(r#""1KiB""#),
        about: "How much of a request's body must arrive each second, averaged over a third of body_timeout; slower clients also make room first when there are too many.",
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
    Setting {
        key: "metrics.listen",
        kind: Text(|to, it| value::address(it).map(|it| to.metrics.listen = Some(it))),
        preset: Example(r#""127.0.0.1:9464""#),
        about: "An address and port that serve /metrics, and nothing else, without a token; in clear, also with `server.tls`.",
    },
];
