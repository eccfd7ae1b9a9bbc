//! A bounded cache that never returns an outdated value after a change was acknowledged.
//!
//! A reader that misses takes a ticket, reads the database and offers the value that it found; the
//! cache accepts the offer only if no key of the shard was forgotten meanwhile. The writer forgets
//! a key after its change is durable and before it answers the step, so a client that knows of a
//! change never gets the value from before it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::store::{CacheStats, Result};
use crate::sync::lock;

const SHARDS: usize = 16;

/// Up to a fixed number of values by their keys; the second chance algorithm (Corbató, 1968)
/// chooses the value to evict.
pub(crate) struct Cache<K, V> {
    shards: Vec<Mutex<Shard<K, V>>>,
    shard_entries: usize,
}

struct Shard<K, V> {
    values: HashMap<K, Slot<V>, Folding>,
    /// Keys in the order in which they are considered for eviction; forgotten keys may remain in
    /// it.
    ring: std::collections::VecDeque<K>,
    /// How often a key was forgotten.
    forgotten: u64,
    /// How often a key that was looked up was cached, and was not.
    hits: u64,
    misses: u64,
}

struct Slot<V> {
    value: V,
    used: bool,
}

/// Folds a key into a word. Only stored records are cached, and their keys are drawn by this
/// service or are digests of secrets that it drew: they are random already, and no client can
/// choose keys that collide.
#[derive(Default)]
struct Fold(u64);

type Folding = BuildHasherDefault<Fold>;

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        // An odd number without pattern: the fraction of the golden ratio.
        const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut()
                .zip(chunk)
                .for_each(|(to, from)| *to = *from);
            self.0 = (self.0 ^ u64::from_le_bytes(word))
                .wrapping_mul(ODD)
                .rotate_left(32);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The state of a shard at the time of a miss.
pub(crate) struct Ticket(u64);

/// The result of a lookup.
pub(crate) enum Lookup<V> {
    /// The cached value.
    Hit(V),
    /// Not cached: read the database, then `offer` the value with the ticket.
    Miss(Ticket),
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// A cache of at most `entries` values.
    pub(crate) fn new(entries: usize) -> Cache<K, V> {
        let shard = || Shard {
            values: HashMap::default(),
            ring: std::collections::VecDeque::new(),
            forgotten: 0,
            hits: 0,
            misses: 0,
        };
        Cache {
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
            shard_entries: (entries / SHARDS).max(1),
        }
    }

    /// Looks a key up.
    pub(crate) fn look_up(&self, key: &K) -> Lookup<V> {
        let Some(mut shard) = self.shard(key) else {
            return Lookup::Miss(Ticket(0));
        };
        let ticket = Ticket(shard.forgotten);
        let found = shard.values.get_mut(key).map(|slot| {
            slot.used = true;
            slot.value.clone()
        });
        if let Some(value) = found {
            shard.hits += 1;
            Lookup::Hit(value)
        } else {
            shard.misses += 1;
            Lookup::Miss(ticket)
        }
    }

    /// How many values it has, and how many lookups found theirs.
    pub(crate) fn stats(&self) -> CacheStats {
        let mut stats = CacheStats::default();
        for shard in &self.shards {
            let shard = lock(shard);
            stats.entries += shard.values.len();
            stats.hits += shard.hits;
            stats.misses += shard.misses;
        }
        stats
    }

    /// Accepts a value that was read after a miss, unless a key of its shard was forgotten since.
    pub(crate) fn offer(&self, key: &K, value: V, ticket: &Ticket) {
        let Some(mut shard) = self.shard(key) else {
            return;
        };
        if shard.forgotten == ticket.0 {
            shard.insert(key.clone(), value, self.shard_entries);
        }
    }

    /// Forgets a key.
    pub(crate) fn forget(&self, key: &K) {
        let Some(mut shard) = self.shard(key) else {
            return;
        };
        shard.forgotten += 1;
        shard.values.remove(key);
    }

    fn shard(&self, key: &K) -> Option<MutexGuard<'_, Shard<K, V>>> {
        // From the upper half: the shard's map chooses its bucket by the low bits of the same hash.
        let index =
            usize::try_from((Folding::default().hash_one(key) >> 32) % SHARDS as u64).ok()?;
        let shard = self.shards.get(index)?;
        Some(lock(shard))
    }
}

impl<K: Hash + Eq + Clone, V> Cache<K, Arc<V>> {
    /// The value of a key: from the cache or, after a miss, from `read`, whose result is offered to
    /// the cache.
    pub(crate) fn read_through(
        &self,
        key: &K,
        read: impl FnOnce() -> Result<Option<V>>,
    ) -> Result<Option<Arc<V>>> {
        let ticket = match self.look_up(key) {
            Lookup::Hit(value) => return Ok(Some(value)),
            Lookup::Miss(ticket) => ticket,
        };
        let value = read()?.map(Arc::new);
        if let Some(value) = &value {
            self.offer(key, Arc::clone(value), &ticket);
        }
        Ok(value)
    }
}

impl<K: Hash + Eq + Clone, V> Shard<K, V> {
    fn insert(&mut self, key: K, value: V, entries: usize) {
        let slot = Slot { value, used: false };
        match self.values.entry(key) {
            Entry::Occupied(mut held) => drop(held.insert(slot)),
            Entry::Vacant(free) => {
                self.ring.push_back(free.key().clone());
                free.insert(slot);
            }
        }
        while self.ring.len() > entries {
            let Some(oldest) = self.ring.pop_front() else {
                break;
            };
            match self.values.get_mut(&oldest) {
                Some(slot) if slot.used => {
                    slot.used = false;
                    self.ring.push_back(oldest);
                }
                _ => drop(self.values.remove(&oldest)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn miss<V: Clone>(cache: &Cache<u32, V>, key: u32) -> Ticket {
        match cache.look_up(&key) {
            Lookup::Miss(ticket) => ticket,
            Lookup::Hit(_) => panic!("{key} is cached"),
        }
    }

    #[test]
    fn an_offer_that_something_overtook_is_refused() {
        let cache = Cache::new(SHARDS * 4);
        let ticket = miss(&cache, 1);
        cache.forget(&1);
        cache.offer(&1, "stale", &ticket);
        let ticket = miss(&cache, 1);
        cache.offer(&1, "fresh", &ticket);
        assert!(matches!(cache.look_up(&1), Lookup::Hit("fresh")));
        cache.forget(&1);
        miss(&cache, 1);
    }

    #[test]
    fn it_stays_bounded_and_keeps_what_is_used() {
        let cache = Cache::new(SHARDS * 4);
        let ticket = miss(&cache, 0);
        cache.offer(&0, 0, &ticket);
        for key in 1..10_000 {
            let ticket = miss(&cache, key);
            cache.offer(&key, key, &ticket);
            assert!(matches!(cache.look_up(&0), Lookup::Hit(0)), "after {key}");
        }
        let stats = cache.stats();
        assert!(stats.entries <= SHARDS * 4, "{stats:?}");
        assert_eq!((stats.hits, stats.misses), (9_999, 10_000));
    }

    #[test]
    fn a_key_that_comes_and_goes_does_not_pile_up() {
        let cache = Cache::new(SHARDS * 4);
        for _ in 0..1_000 {
            let ticket = miss(&cache, 5);
            cache.offer(&5, 5, &ticket);
            cache.forget(&5);
        }
        let waiting: usize = cache
            .shards
            .iter()
            .map(|shard| shard.lock().unwrap().ring.len())
            .sum();
        assert!(waiting <= 4, "{waiting}");
    }
}
