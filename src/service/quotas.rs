//! Limits how much a holder may report. A quota is a bucket that holds the amount of a minute or a
//! day and drains evenly (the generic cell rate algorithm, with more than one cell at once). It is
//! kept in memory: a restart empties it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::Error;
use super::buckets::make_room;
use crate::config::{CurrentConfig, Limits};
use crate::metrics::Limit;
use crate::model::{Invalid, Principal};
use crate::sync::lock;

/// The size of a report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Volume {
    /// The number of its events.
    pub(super) events: u64,
    /// The bytes of its request.
    pub(super) bytes: u64,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Events,
    Bytes,
}

/// One quota: at most `most` in a `window`.
#[derive(Debug, Clone, Copy)]
struct Quota {
    kind: Kind,
    most: u64,
    window: Duration,
}

impl Quota {
    fn amount(&self, report: Volume) -> u64 {
        match self.kind {
            Kind::Events => report.events,
            Kind::Bytes => report.bytes,
        }
    }

    /// How long the bucket takes to drain what a report adds.
    fn share(&self, report: Volume) -> Duration {
        let nanos = self.window.as_nanos() * u128::from(self.amount(report));
        let nanos = nanos / u128::from(self.most.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The error for a report that is larger than the whole quota.
    fn never(&self) -> Invalid {
        let most = self.most;
        Invalid::new(
            "events",
            match self.kind {
                Kind::Events => format!(
                    "are more than the {most} a minute that are taken of one reporter: send fewer in a request"
                ),
                Kind::Bytes => format!(
                    "are more than the {most} bytes a day that are taken of one reporter: send fewer in a request"
                ),
            },
        )
    }
}

/// The quotas that the limits ask for.
fn in_force(limits: &Limits) -> Vec<Quota> {
    let minute = (Kind::Events, u64::from(limits.events_per_minute), 60);
    let day = (Kind::Bytes, limits.event_bytes_per_day, 24 * 60 * 60);
    let quota = |(kind, most, seconds)| Quota {
        kind,
        most,
        window: Duration::from_secs(seconds),
    };
    let quotas = [minute, day].into_iter();
    quotas
        .filter(|(_, most, _)| limits.rates && *most > 0)
        .map(quota)
        .collect()
}

/// The quotas of all holders.
pub(super) struct Quotas {
    config: Arc<CurrentConfig>,
    /// When each bucket will be empty.
    buckets: Mutex<HashMap<(Kind, Principal), Duration>>,
}

impl Quotas {
    pub(super) fn new(config: &Arc<CurrentConfig>) -> Quotas {
        Quotas {
            config: Arc::clone(config),
            buckets: Mutex::default(),
        }
    }

    /// Counts a report, or refuses it.
    pub(super) fn admit(
        &self,
        from: Principal,
        report: Volume,
        now: Duration,
    ) -> Result<(), Error> {
        let quotas = in_force(&self.config.get().limits);
        if quotas.is_empty() {
            return Ok(());
        }
        if let Some(quota) = quotas.iter().find(|it| it.amount(report) > it.most) {
            return Err(quota.never().into());
        }
        let mut buckets = lock(&self.buckets);
        make_room(&mut buckets, |empty_at| *empty_at, now);
        let mut filled = Vec::with_capacity(quotas.len());
        for quota in &quotas {
            let key = (quota.kind, from);
            let begin = buckets.get(&key).map_or(now, |empty_at| now.max(*empty_at));
            let empty_at = begin + quota.share(report);
            let wait = empty_at.saturating_sub(now).saturating_sub(quota.window);
            if !wait.is_zero() {
                return Err(Error::TooManyRequests {
                    retry_after: wait,
                    limit: Limit::EventQuota,
                });
            }
            filled.push((key, empty_at));
        }
        buckets.extend(filled);
        Ok(())
    }

    /// Undoes one `admit`: nothing was stored.
    pub(super) fn refund(&self, from: Principal, report: Volume, now: Duration) {
        let quotas = in_force(&self.config.get().limits);
        let mut buckets = lock(&self.buckets);
        for quota in &quotas {
            if let Some(empty_at) = buckets.get_mut(&(quota.kind, from)) {
                *empty_at = empty_at.saturating_sub(quota.share(report)).max(now);
            }
        }
    }
}
