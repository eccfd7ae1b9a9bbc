//! `[limits]`: rates, sizes, connections and times.

use std::time::Duration;

/// A rate limit: `burst` at once, then one more each `period`.
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
    /// Mails of one kind to one address, except invites.
    pub reset_mails: Rate,
    /// Mails of one kind to all addresses together, except invites.
    pub all_reset_mails: Rate,
    /// Reset codes tried from one address.
    pub reset_attempts: Rate,
    /// Signups from one address.
    pub signups: Rate,
    /// Events that a holder (a user, the administrator or the hub) may report in a minute; 0: any
    /// number.
    pub events_per_minute: u32,
    /// Bytes of requests with events that a holder may send in a day; 0: any number.
    pub event_bytes_per_day: u64,
    /// The longest body of an ordinary request, in bytes.
    pub body: usize,
    /// The longest body of an event request, in bytes.
    pub event_body: usize,
    /// Connections that have sent their first byte. Up to four times as many silent ones may be
    /// open in addition.
    pub connections: usize,
    /// Connections from one address (IPv4) or network (IPv6 /64); trusted proxies have no such
    /// limit.
    pub connections_per_address: usize,
    /// How long a connection's first byte, its TLS handshake and a request's head may each take;
    /// also how long a connection may stay idle between requests.
    pub header_timeout: Duration,
    /// How long a request's body may take; on Linux also how long sent data may stay
    /// unacknowledged.
    pub body_timeout: Duration,
    /// The slowest that a request's body may arrive, in bytes a second, averaged over
    /// [`Limits::rate_window`].
    pub least_rate: u64,
    /// How long an answer may take.
    pub request_timeout: Duration,
}

impl Limits {
    /// The time over which the rate of a body is averaged.
    pub fn rate_window(&self) -> Duration {
        self.body_timeout / 3
    }
}
