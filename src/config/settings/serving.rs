//! How the server is reached and where it keeps its data.

use Kind::{Directory, File, Flag, List, OneOrMore, Size, Span, Text};
use Preset::{Default, Example};

use crate::config::kind::Kind;
use crate::config::setting::{Preset, Setting};
use crate::config::{certificate, origin, value};

/// The sections `server`, `storage`.
pub(super) const SETTINGS: &[Setting] = &[
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
        kind: List(|to, it| origin::parse(it).map(|it| to.server.allowed_origins.push(it))),
        preset: Default("[]"),
        about: r#"Origins whose scripts may call this server (CORS), also those of apps such as "tauri://localhost"; "*" allows any."#,
    },
    Setting {
        key: "server.tls.cert",
        kind: File(
            |path| certificate::chain(path).map(drop),
            |to, it| to.server.tls.get_or_insert_default().cert = it,
        ),
        preset: Example(r#""cert.pem""#),
        about: "The certificate chain as a PEM file; with it and its key the server speaks HTTPS.",
    },
    Setting {
        key: "server.tls.key",
        kind: File(
            |path| certificate::private_key(path).map(drop),
            |to, it| to.server.tls.get_or_insert_default().key = it,
        ),
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
        about: "How much memory the store may take, and the bodies of requests: a quarter is theirs.",
    },
    Setting {
        key: "storage.commit_delay",
        kind: Span("0s", "1s", |to| &mut to.storage.commit_delay),
        preset: Default(r#""0s""#),
        about: "How long to delay a commit so that more changes can join it: \"50ms\" spares an SD card, at the price of slower answers.",
    },
    Setting {
        key: "storage.open_damaged",
        kind: Flag(|to| &mut to.storage.open_damaged),
        preset: Default("false"),
        about: "Start with what is left of a damaged database. Setting it back to false accepts the loss.",
    },
];
