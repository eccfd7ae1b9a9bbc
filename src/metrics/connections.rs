//! How many connections there are, and how many there were.

/// The connections of a server at one moment, and what happened to connections since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionCounts {
    /// Open ones that have not sent a byte yet.
    pub silent: u64,
    /// Open ones between two requests.
    pub idle: u64,
    /// Open ones whose client has to send or to read something.
    pub waiting: u64,
    /// Open ones whose request this server works on.
    pub served: u64,
    /// How many were accepted.
    pub accepted: u64,
    /// How many were closed at once, because their network had too many.
    pub refused: u64,
    /// How many were closed to make room for others.
    pub evicted: u64,
}

impl ConnectionCounts {
    /// How many are open.
    pub fn open(&self) -> u64 {
        self.silent + self.idle + self.waiting + self.served
    }

    /// These and those of another server.
    #[must_use]
    pub fn plus(self, other: ConnectionCounts) -> ConnectionCounts {
        ConnectionCounts {
            silent: self.silent + other.silent,
            idle: self.idle + other.idle,
            waiting: self.waiting + other.waiting,
            served: self.served + other.served,
            accepted: self.accepted + other.accepted,
            refused: self.refused + other.refused,
            evicted: self.evicted + other.evicted,
        }
    }
}
