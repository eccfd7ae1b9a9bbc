//! The bound of the maps that count: whoever sends from many addresses must not fill the memory.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

/// Buckets that a map keeps.
pub(super) const BUCKETS: usize = 65_536;

/// Keeps a map within its bound: what has run out goes first, then what runs out soonest.
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
