//! The configuration: one TOML file, read once and checked as a whole. The table in `settings`
//! names every key with its kind, default and meaning; the parser, the example file and the table
//! in `docs/configuration.md` use it. Nothing outside this module sees TOML.
//!
//! The `Default` of a section is a placeholder to fill in; `parse("", …)` gives the default
//! configuration.

mod admin_place;
mod certificate;
mod checks;
mod complaint;
mod current;
mod file;
mod fixed;
mod host;
mod invite;
mod kind;
mod limits;
mod machine;
mod mail;
mod origin;
mod reader;
mod render;
mod secret;
mod setting;
mod settings;
mod shown;
mod templates;
mod value;
mod warnings;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use host::host;

use crate::model::{ClockTerms, InviteTerms, Secret};

pub use admin_place::{AdminPlace, admin_place, hash_line};
pub use certificate::{certified_key, chain as certificates};
pub use complaint::{Complaint, Complaints};
pub use current::CurrentConfig;
pub use file::{Loaded, default_path, load, parse};
pub use fixed::reloaded;
pub use limits::{Limits, Rate};
pub use machine::Machine;
pub use mail::{Mail, Security, Smtp, Transport};
pub use render::{example_file, first_file, markdown_table};
pub use setting::{Preset, Setting};
pub use settings::settings;
pub use shown::ShownSetting;
pub use value::duration as parse_duration;

/// All settings, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The server's name, addresses and TLS files.
    pub server: Server,
    /// The database.
    pub storage: Storage,
    /// The administrator's login.
    pub admin: Admin,
    /// The hub's passwords.
    pub hub: Hub,
    /// Which APIs are served.
    pub apis: Apis,
    /// Lifetimes of tokens.
    pub tokens: Tokens,
    /// Rules for accounts.
    pub accounts: Accounts,
    /// Password resets.
    pub reset: Reset,
    /// How mail is sent.
    pub mail: Mail,
    /// Telemetry.
    pub events: Events,
    /// The audit log.
    pub audit: Audit,
    /// When the machine's clock is believed.
    pub clock: ClockTerms,
    /// Limits on rates, sizes, connections and times.
    pub limits: Limits,
    /// What is logged.
    pub log: Log,
    /// Where the metrics are served without a token.
    pub metrics: Metrics,
    /// Every setting, as the administrator sees it.
    pub shown: Vec<ShownSetting>,
}

impl Config {
    /// The name with which to greet the mail server.
    pub fn helo(&self) -> String {
        let configured = self.mail.smtp.helo.clone();
        let host = || host(&self.server.public_url);
        configured
            .or_else(host)
            .unwrap_or_else(|| "localhost".to_owned())
    }
}

/// `[server]`
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// Addresses to listen on.
    pub listen: Vec<SocketAddr>,
    /// The name shown to clients.
    pub name: String,
    /// A sentence shown to hub clients.
    pub description: Option<String>,
    /// The address that clients use, without a slash at its end: the issuer of access tokens.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose scripts may call this server (CORS); `*` for any.
    pub allowed_origins: Vec<String>,
    /// `[server.tls]`: the certificate chain and its key, as PEM files; none: plain HTTP.
    pub tls: Option<Tls>,
}

impl Server {
    /// Whether `address` is one of the trusted proxies.
    pub fn is_trusted_proxy(&self, address: IpAddr) -> bool {
        let mut proxies = self.trusted_proxies.iter();
        proxies.any(|network| network.contains(&address))
    }
}

/// `[server.tls]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain, leaf first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Tls {
    /// Whether both files are known: a file that cannot be used is not set.
    fn is_whole(&self) -> bool {
        !self.cert.as_os_str().is_empty() && !self.key.as_os_str().is_empty()
    }
}

/// `[storage]`
#[derive(Debug, Clone, Default)]
pub struct Storage {
    /// The directory of the database.
    pub path: PathBuf,
    /// How much memory the store and the bodies of requests may use, in bytes.
    pub memory_budget: u64,
    /// How long to delay a commit so that more changes can join it.
    pub commit_delay: Duration,
    /// Whether to go on with what is left of a damaged database.
    pub open_damaged: bool,
}

/// A password as an owner configured it.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// In clear, from the configuration file or from a separate file.
    Plain(Secret),
    /// As an Argon2 PHC string.
    Hash(String),
}

impl std::fmt::Debug for Credential {
    /// Prints neither form: guesses can be tested against a hash.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Credential::Plain(_) => "Plain(***)",
            Credential::Hash(_) => "Hash(***)",
        })
    }
}

/// `[admin]`
#[derive(Debug, Clone, Default)]
pub struct Admin {
    /// The administrator's name.
    pub username: String,
    /// The password; none: a random one is generated at the first start.
    pub password: Option<Credential>,
}

/// `[hub]`
#[derive(Debug, Clone, Default)]
pub struct Hub {
    /// Any of these logs in to the hub; an empty list allows no login.
    pub passwords: Vec<Credential>,
}

/// `[apis]`
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "five switches, one an API")]
pub struct Apis {
    /// Angen.
    pub angen: bool,
    /// Token API.
    pub token: bool,
    /// Hub.
    pub hub: bool,
    /// Ephemeride.
    pub ephemeride: bool,
    /// Core.
    pub core: bool,
}

/// `[tokens]`
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// Lifetime of the administrator's tokens.
    pub admin_lifetime: Duration,
    /// Lifetime of hub tokens.
    pub hub_lifetime: Duration,
    /// Lifetime of Angen tokens.
    pub angen_lifetime: Duration,
    /// How long a session lives without use.
    pub session_idle_lifetime: Duration,
    /// Lifetime of Core's access tokens.
    pub access_lifetime: Duration,
    /// How long after its expiry an access token can be refreshed.
    pub refresh_window: Duration,
    /// The most live tokens of a user; one more ends the one least recently used.
    pub per_user: usize,
    /// How many live tokens the administrator may have.
    pub admin_tokens: usize,
    /// How many live tokens the hub may have.
    pub hub_tokens: usize,
    /// How many live machine tokens the administrator may have made.
    pub machine_tokens: usize,
    /// Whether users may make machine tokens that report events.
    pub user_machine_tokens: bool,
    /// How long it is remembered how a token or a reset code ended.
    pub remember_ended: Duration,
}

/// `[accounts]`
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    /// Whether strangers may sign up.
    pub signup: bool,
    /// Whether a signup needs an invite.
    pub invite_required: bool,
    /// The invites, by code.
    pub invites: Vec<(String, InviteTerms)>,
    /// The link in the mail of an invite; `{code}` is replaced by the code, `{public_url}` by
    /// `server.public_url`.
    pub invite_link: String,
    /// The shortest password, in characters.
    pub password_min_length: usize,
    /// Whether the most common passwords are refused.
    pub refuse_common_passwords: bool,
    /// Memory of one password hash, in bytes.
    pub hash_memory: u64,
    /// Passes over that memory.
    pub hash_passes: u32,
}

/// `[reset]`
#[derive(Debug, Clone, Default)]
pub struct Reset {
    /// How long a reset code is valid.
    pub lifetime: Duration,
    /// The link in the mail; `{token}` is replaced by the code.
    pub reset_link: String,
}

/// `[events]`
#[derive(Debug, Clone, Default)]
pub struct Events {
    /// How long events are kept.
    pub retention: Duration,
    /// How long the counts of events are kept: at least as long as the events.
    pub keep_counts: Duration,
    /// The most space that events may take in the database, in bytes.
    pub max_bytes: u64,
    /// How many names of events have counters of their own; further names share one.
    pub max_names: usize,
    /// How many of them one reporter may bring.
    pub names_per_reporter: usize,
    /// How often a live stream of events sends a heartbeat, and how often it and an export check
    /// that their token is still live.
    pub heartbeat: Duration,
}

/// `[audit]`
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// How long the entries of the audit log are kept.
    pub retention: Duration,
    /// The most space that they may take in the database, in bytes.
    pub max_bytes: u64,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// The least important level that is written.
    pub level: log::LevelFilter,
    /// How lines look.
    pub format: LogFormat,
    /// Whether every request is logged.
    pub requests: bool,
}

/// `[metrics]`
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// The address of a listener that serves the metrics, and nothing else, without a token.
    pub listen: Option<SocketAddr>,
}
