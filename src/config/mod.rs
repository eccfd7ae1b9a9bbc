//! The configuration: one TOML file, read once, checked whole. `SETTINGS` (in `settings`) names
//! every key with its kind, default and meaning; the parser, the example file and the README's
//! table come from it. Nothing outside this module sees TOML.
//!
//! The sections' `Default` is a blank to be filled in; `parse("", …)` is what gives the default
//! configuration.

mod complaint;
mod file;
mod invite;
mod kind;
mod reader;
mod render;
mod secret;
mod setting;
mod settings;
mod value;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::model::{InviteTerms, Secret};

pub use complaint::{Complaint, Complaints};
pub use file::{Loaded, default_path, load, parse};
pub use render::{example_file, markdown_table};
pub use setting::{Preset, Setting};
pub use settings::SETTINGS;

/// Everything an owner can decide, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who we are and where we listen.
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
    /// How mail leaves.
    pub mail: Mail,
    /// Telemetry.
    pub events: Events,
    /// Bounds against too much.
    pub limits: Limits,
    /// What is logged.
    pub log: Log,
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
    /// Origins whose scripts may call us (CORS); `*` for any.
    pub allowed_origins: Vec<String>,
    /// `[server.tls]`: the certificate chain and its key, as PEM files; none: plain HTTP.
    pub tls: Option<Tls>,
}

/// `[server.tls]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain, leaf first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// `[storage]`
#[derive(Debug, Clone, Default)]
pub struct Storage {
    /// The directory of the database.
    pub path: PathBuf,
    /// How much memory the store may use, in bytes.
    pub memory_budget: u64,
    /// How long a change waits for others to be written with it.
    pub commit_delay: Duration,
}

/// A password as an owner configured it.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// In clear, from the file or from a file of its own.
    Plain(Secret),
    /// As an Argon2 PHC string.
    Hash(String),
}

impl std::fmt::Debug for Credential {
    /// Neither form is shown: a hash can be guessed at.
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
    /// The password; none: a random one is made at the first start.
    pub password: Option<Credential>,
}

/// `[hub]`
#[derive(Debug, Clone, Default)]
pub struct Hub {
    /// Any of these opens the hub; none closes it.
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
    /// Live tokens a user may have; the one least recently used makes room.
    pub per_user: usize,
}

/// `[accounts]`
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    /// Whether strangers may sign up.
    pub signup: bool,
    /// Whether they need an invite.
    pub invite_required: bool,
    /// The invites, by code.
    pub invites: Vec<(String, InviteTerms)>,
    /// The shortest password, in characters.
    pub password_min_length: usize,
    /// Memory of one password hash, in bytes.
    pub hash_memory: u64,
    /// Passes over that memory.
    pub hash_passes: u32,
}

/// `[reset]`
#[derive(Debug, Clone, Default)]
pub struct Reset {
    /// How long a code is good.
    pub lifetime: Duration,
    /// The link of the mail; `{token}` becomes the code.
    pub reset_link: String,
}

/// How mail leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Transport {
    /// A line in the log that a mail was due; its text is dropped.
    #[default]
    Log,
    /// One `.eml` file a message in this directory.
    File(PathBuf),
}

/// `[mail]`
#[derive(Debug, Clone, Default)]
pub struct Mail {
    /// The way out.
    pub transport: Transport,
    /// The sender, as `name@example.org` or `Name <name@example.org>`.
    pub from: String,
}

/// `[events]`
#[derive(Debug, Clone, Default)]
pub struct Events {
    /// How long events are kept.
    pub retention: Duration,
    /// How long what was counted of them is kept: at least as long.
    pub keep_counts: Duration,
    /// What events may take in the database, in bytes.
    pub max_bytes: u64,
    /// Names of events that are counted by themselves.
    pub max_names: usize,
    /// How often a live stream of events shows that it is alive, and looks whether its token still
    /// is.
    pub heartbeat: Duration,
}

/// So many at once, then one more each `period`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// How long until one more is allowed.
    pub period: Duration,
}

/// `[limits]`
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// False switches every rate limit off.
    pub rates: bool,
    /// Wrong passwords from one address.
    pub wrong_passwords: Rate,
    /// Reset mails asked for from one address.
    pub reset_requests: Rate,
    /// Reset mails to one account.
    pub reset_mails: Rate,
    /// Reset mails to all accounts together.
    pub all_reset_mails: Rate,
    /// Reset codes tried from one address.
    pub reset_attempts: Rate,
    /// Signups from one address.
    pub signups: Rate,
    /// Events that a holder may report in a minute; 0: any number.
    pub events_per_minute: u32,
    /// Bytes of requests with events that a holder may send in a day; 0: any number.
    pub event_bytes_per_day: u64,
    /// The longest body of an ordinary request, in bytes.
    pub body: usize,
    /// The longest body of an event request, in bytes.
    pub event_body: usize,
    /// Connections with a request under way or kept alive.
    pub connections: usize,
    /// Connections from one address (IPv4) or network (IPv6 /64).
    pub connections_per_address: usize,
    /// How long a request's head, and a connection without one, may take.
    pub header_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// How long an answer may take.
    pub request_timeout: Duration,
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
    /// A line for every request.
    pub requests: bool,
}
