//! What a scrape of the metrics reads of the service and of the store.

use super::{HashQueueCounts, Services};
use crate::metrics::LoginOutcome;
use crate::model::TokenKind;
use crate::store::{self, CacheStats, RecordCounts, StoreSize, WriterStats};

impl Services {
    /// What the store's writer did since the start.
    pub fn writer_stats(&self) -> WriterStats {
        self.store.writer_stats()
    }

    /// The cached tokens and accounts.
    pub fn cache_stats(&self) -> [(&'static str, CacheStats); 2] {
        [
            ("tokens", self.store.token_cache_stats()),
            ("users", self.store.user_cache_stats()),
        ]
    }

    /// How logins ended since the start, by the kind of token that they were to bring.
    pub fn login_counts(&self) -> impl Iterator<Item = (TokenKind, LoginOutcome, u64)> {
        let kinds = TokenKind::ALL.into_iter().zip(&self.counts.logins);
        kinds.flat_map(|(kind, logins)| {
            logins
                .read()
                .map(move |(outcome, count)| (kind, outcome, count))
        })
    }

    /// How checks of tokens ended since the start.
    pub fn token_check_counts(&self) -> [(&'static str, u64); 5] {
        let bad = &self.counts.bad_tokens;
        let failures = [
            ("expired", bad.expired.get()),
            ("unknown", bad.unknown.get()),
            ("refused", bad.refused.get()),
            ("failed", bad.failed.get()),
        ];
        // Read after the failures, so that the difference is never negative. Checks under way count
        // as live until they fail.
        let all = self.token_checks.count();
        let failed: u64 = failures.iter().map(|(_, count)| count).sum();
        let [expired, unknown, refused, fault] = failures;
        [
            ("live", all.saturating_sub(failed)),
            expired,
            unknown,
            refused,
            fault,
        ]
    }

    /// The exports that run, and the listeners to live events and to the audit log.
    pub fn stream_counts(&self) -> [(&'static str, usize); 2] {
        [
            ("exports", self.exports.running()),
            ("listeners", self.listeners.running()),
        ]
    }

    /// What became of mails since the start.
    pub fn mail_counts(&self) -> [(&'static str, u64); 4] {
        let mails = &self.counts.mails;
        [
            ("sent", mails.sent.get()),
            ("postponed", mails.postponed.get()),
            ("given_up", mails.given_up.get()),
            ("dropped", mails.dropped.get()),
        ]
    }

    /// The queue in front of the hashing threads.
    pub fn hash_queue_counts(&self) -> HashQueueCounts {
        self.passwords.queue.counts()
    }

    /// How many accounts and tokens are stored; none while a large store is being counted.
    pub fn record_counts(&self) -> Option<RecordCounts> {
        self.store.record_counts()
    }

    /// How large the store and the outbox are. It may wait for the disk.
    pub async fn store_size(&self) -> store::Result<StoreSize> {
        self.store.size().await
    }
}
