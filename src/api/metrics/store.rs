//! The metrics of the store: its writer, its caches and its sizes.

use std::fmt;

use prometheus_client::registry::Unit;

use super::collector::Scrape;
use super::families::{Families, Family, NONE, label};
use crate::store::CacheStats;

impl Scrape {
    /// Writes all of them.
    pub(super) fn store(&self, to: &mut Families<'_>) -> fmt::Result {
        self.writer(to)?;
        self.caches(to)?;
        self.records(to)?;
        self.sizes(to)
    }

    fn writer(&self, to: &mut Families<'_>) -> fmt::Result {
        let writer = self.services.writer_stats();
        let family = Family(
            "doorward_store_changes",
            None,
            "Changes that the writer of the store has run",
        );
        to.counter(&family, [(NONE, writer.steps)])?;
        let family = Family(
            "doorward_store_changes_waiting",
            None,
            "Changes that wait for the writer",
        );
        to.gauge(&family, [(NONE, writer.waiting as u64)])?;
        let family = Family(
            "doorward_store_group_duration",
            Some(Unit::Seconds),
            "Time that a group of changes took until it was on the disk",
        );
        to.histogram(&family, [(NONE, writer.groups)])?;
        let family = Family(
            "doorward_store_flush_duration",
            Some(Unit::Seconds),
            "Time that forcing a group of changes to the disk took",
        );
        to.histogram(&family, [(NONE, writer.flushes)])
    }

    fn caches(&self, to: &mut Families<'_>) -> fmt::Result {
        let caches = self.services.cache_stats();
        let family = Family(
            "doorward_cache_lookups",
            None,
            "Lookups of cached tokens and accounts",
        );
        let lookups = caches.iter().flat_map(|(cache, stats)| {
            let CacheStats { hits, misses, .. } = *stats;
            [("hit", hits), ("miss", misses)].map(|(outcome, count)| {
                let mut labels = label("cache", cache);
                labels.extend(label("outcome", outcome));
                (labels, count)
            })
        });
        to.counter(&family, lookups)?;
        let family = Family(
            "doorward_cache_entries",
            None,
            "Tokens and accounts that are cached",
        );
        let entries = caches
            .iter()
            .map(|(cache, stats)| (label("cache", cache), stats.entries as u64));
        to.gauge(&family, entries)
    }

    fn records(&self, to: &mut Families<'_>) -> fmt::Result {
        let Some(records) = self.services.record_counts() else {
            return Ok(());
        };
        let family = Family(
            "doorward_records",
            None,
            "Stored accounts and tokens; missing while a large store is being counted",
        );
        let counts = [("users", records.users), ("tokens", records.tokens)];
        to.gauge(
            &family,
            counts.map(|(kind, count)| (label("kind", kind), count)),
        )
    }

    fn sizes(&self, to: &mut Families<'_>) -> fmt::Result {
        let Some(size) = self.size else {
            return Ok(());
        };
        let bytes = || Some(Unit::Bytes);
        let family = Family(
            "doorward_store_size",
            bytes(),
            "Size of all files of the store",
        );
        to.gauge(&family, [(NONE, size.disk_bytes)])?;
        let family = Family(
            "doorward_store_dead",
            bytes(),
            "Space in the files of the store that holds no record: not reclaimed yet, or overhead",
        );
        let dead = |live| size.disk_bytes.saturating_sub(live);
        to.gauge(&family, size.live_bytes.map(|live| (NONE, dead(live))))?;
        let family = Family(
            "doorward_store_free",
            bytes(),
            "Free space on the file system of the store",
        );
        to.gauge(&family, [(NONE, size.free_bytes)])?;
        let family = Family(
            "doorward_events_stored",
            None,
            "Events that were ever stored, removed ones included",
        );
        to.counter(&family, [(NONE, size.events)])?;
        let family = Family(
            "doorward_events_size",
            bytes(),
            "Space that the stored events take in the store",
        );
        to.gauge(&family, [(NONE, size.event_bytes)])?;
        let family = Family("doorward_outbox_mails", None, "Mails that wait to be sent");
        to.gauge(&family, [(NONE, size.mails)])?;
        let family = Family(
            "doorward_outbox_oldest_age",
            Some(Unit::Seconds),
            "How long the oldest mail has waited; 0 without one",
        );
        let age = size.oldest_mail.map(|asked_at| self.now.since(asked_at));
        to.gauge(&family, [(NONE, age.unwrap_or_default().as_secs_f64())])
    }
}
