//! Who may log in, and by which API.

use Kind::{Count, Flag, Invites, Password, Span, Text};
use Preset::{Default, Example};

use crate::config::kind::{Form, Kind};
use crate::config::setting::{Preset, Setting};
use crate::config::value;
use crate::model::limits;

/// The sections `admin`, `hub`, `apis`, `tokens`, `accounts`, `reset`.
pub(super) const SETTINGS: &[Setting] = &[
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
        key: "tokens.admin_tokens",
        kind: Count(1..=10_000, |to, it| to.tokens.admin_tokens = it as usize),
        preset: Default("100"),
        about: "How many live tokens the administrator may have; the least recently used one is ended.",
    },
    Setting {
        key: "tokens.hub_tokens",
        kind: Count(1..=10_000, |to, it| to.tokens.hub_tokens = it as usize),
        preset: Default("200"),
        about: "How many live tokens the hub may have; the least recently used one is ended.",
    },
    Setting {
        key: "tokens.machine_tokens",
        kind: Count(1..=10_000, |to, it| to.tokens.machine_tokens = it as usize),
        preset: Default("1000"),
        about: "How many live machine tokens the administrator may have made; a further one is refused.",
    },
    Setting {
        key: "tokens.user_machine_tokens",
        kind: Flag(|to| &mut to.tokens.user_machine_tokens),
        preset: Default("false"),
        about: "Whether users may make machine tokens of their own, which can do nothing but report events.",
    },
    Setting {
        key: "tokens.remember_ended",
        kind: Span("1h", "36500d", |to| &mut to.tokens.remember_ended),
        preset: Default(r#""30d""#),
        about: "How long it is remembered how a token or a reset code ended, so that `explain` can say why it is not accepted.",
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
        key: "accounts.invite_link",
        kind: Text(|to, it| value::invite_link(it).map(|it| to.accounts.invite_link = it)),
        preset: Default(r#""{public_url}/signup?invite={code}""#),
        about: "The link of an invite, to a page of yours; {code} becomes the code, {public_url} the setting `server.public_url`.",
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
        key: "accounts.refuse_common_passwords",
        kind: Flag(|to| &mut to.accounts.refuse_common_passwords),
        preset: Default("true"),
        about: "Whether a new password must not be one of the 20,000 most common ones.",
    },
    Setting {
        key: "accounts.hash_memory",
        kind: Text(|to, it| value::hash_memory(it).map(|it| to.accounts.hash_memory = it)),
        preset: Default(r#""19MiB""#),
        about: "The memory that hashing a password takes (Argon2id), in whole KiB.",
    },
    Setting {
        key: "accounts.hash_passes",
        kind: Count(limits::HASH_PASSES, |to, it| to.accounts.hash_passes = it),
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
];
