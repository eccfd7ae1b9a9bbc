//! Counts the requests that were refused with 429 or 503, by the limit that refused them.

use super::Counter;

/// Why a request was refused for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// `limits.wrong_passwords`: wrong passwords of a network.
    WrongPasswords,
    /// Wrong passwords of an account, or of one family of tokens.
    AccountPasswords,
    /// `limits.reset_requests`.
    ResetRequests,
    /// `limits.reset_attempts`.
    ResetAttempts,
    /// `limits.signups`.
    Signups,
    /// `limits.reset_mails` and `limits.all_reset_mails`.
    Mails,
    /// The quotas of those who report events.
    EventQuota,
    /// The queue in front of the hashing threads is full.
    HashQueue,
    /// The memory of a hash could not be allocated.
    HashMemory,
    /// Exports and live listeners.
    Streams,
    /// The queue in front of the store's writer is full.
    WriterQueue,
    /// The ids of events and the idempotency keys that are remembered.
    RememberedKeys,
    /// The memory for the bodies of requests.
    BodyMemory,
    /// `limits.request_timeout`.
    RequestTimeout,
    /// The disk is (nearly) full.
    DiskFull,
    /// The store has stopped, or cannot be used.
    StoreStopped,
    /// Something else.
    Other,
}

impl Limit {
    /// Every limit, in the order of the enum.
    pub const ALL: [Limit; 17] = [
        Limit::WrongPasswords,
        Limit::AccountPasswords,
        Limit::ResetRequests,
        Limit::ResetAttempts,
        Limit::Signups,
        Limit::Mails,
        Limit::EventQuota,
        Limit::HashQueue,
        Limit::HashMemory,
        Limit::Streams,
        Limit::WriterQueue,
        Limit::RememberedKeys,
        Limit::BodyMemory,
        Limit::RequestTimeout,
        Limit::DiskFull,
        Limit::StoreStopped,
        Limit::Other,
    ];

    /// Its name in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Limit::WrongPasswords => "wrong_passwords",
            Limit::AccountPasswords => "account_passwords",
            Limit::ResetRequests => "reset_requests",
            Limit::ResetAttempts => "reset_attempts",
            Limit::Signups => "signups",
            Limit::Mails => "mails",
            Limit::EventQuota => "event_quota",
            Limit::HashQueue => "hash_queue",
            Limit::HashMemory => "hash_memory",
            Limit::Streams => "streams",
            Limit::WriterQueue => "writer_queue",
            Limit::RememberedKeys => "remembered_keys",
            Limit::BodyMemory => "body_memory",
            Limit::RequestTimeout => "request_timeout",
            Limit::DiskFull => "disk_full",
            Limit::StoreStopped => "store_stopped",
            Limit::Other => "other",
        }
    }
}

/// The refusals since the start.
#[derive(Debug, Default)]
pub struct Refusals([Counter; Limit::ALL.len()]);

impl Refusals {
    /// Counts one.
    pub fn count(&self, limit: Limit) {
        if let Some(counter) = self.0.get(limit as usize) {
            counter.increment();
        }
    }

    /// How many each limit has refused.
    pub fn read(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().zip(self.0.iter().map(Counter::get))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_has_a_counter_and_a_name_of_its_own() {
        let refusals = Refusals::default();
        for limit in Limit::ALL {
            (0..=limit as usize).for_each(|_| refusals.count(limit));
        }
        let counts: Vec<u64> = refusals.read().map(|(_, count)| count).collect();
        assert_eq!(counts, (1..=Limit::ALL.len() as u64).collect::<Vec<_>>());
        let mut names = Limit::ALL.map(Limit::as_str).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Limit::ALL.len());
    }
}
