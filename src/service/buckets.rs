//! Rates, by the generic cell rate algorithm (ITU-T I.371): a bucket is one moment, the time at
//! which it will be empty again. Also bounds the maps of counters, so that requests from many
//! addresses cannot fill the memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::config::Rate;

/// How long the next action must wait for room in a bucket.
pub(super) fn bucket_wait(empty_at: Duration, rate: Rate, now: Duration) -> Duration {
    let tolerance = rate.period * rate.burst.saturating_sub(1);
    empty_at.saturating_sub(now).saturating_sub(tolerance)
}

/// Most buckets that a map keeps.
pub(super) const BUCKETS: usize = 65_536;

/// Keeps a map within its bound: removes the buckets that have ended and, if it is still full, the
/// half that ends soonest.
pub(super) fn make_room<K: Hash + Eq + Copy, V>(
    map: &mut HashMap<K, V>,
    ends: impl Fn(&V) -> Duration,
    now: Duration,
) {
    if map.len() < BUCKETS {
        return;
    }
    map.retain(|_, value| ends(value) > now);
    if map.len() >= BUCKETS {
        let mut moments: Vec<Duration> = map.values().map(&ends).collect();
        let middle = moments.len() / 2;
        let (_, median, _) = moments.select_nth_unstable(middle);
        let median = *median;
        map.retain(|_, value| ends(value) > median);
    }
}
