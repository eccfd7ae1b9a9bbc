//! What a scrape of the metrics reads of the service and of the store.

use std::time::Duration;

use tokio::time::timeout;

use super::{HashQueueCounts, Services};
use crate::metrics::LoginOutcome;
use crate::model::TokenKind;
use crate::store::{CacheStats, RecordCounts, StoreSize, WriterStats};

/// How long the size of the store may take. A disk that hangs must not keep everything else from
/// those who want to know of it.
const SIZE_TIMEOUT: Duration = Duration::from_secs(2);

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
        let checked = &self.counts.checked_tokens;
        [
            ("live", checked.live.get()),
            ("expired", checked.expired.get()),
            ("unknown", checked.unknown.get()),
            ("refused", checked.refused.get()),
            ("failed", checked.failed.get()),
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

    /// How large the store and the outbox are; none if that cannot be read in time.
    pub async fn store_size(&self) -> Option<StoreSize> {
        match timeout(SIZE_TIMEOUT, self.store.size()).await {
            Ok(Ok(size)) => Some(size),
            Ok(Err(error)) => {
                log::debug!("the size of the store cannot be read: {error}");
                None
            }
            Err(_) => None,
        }
    }
}
