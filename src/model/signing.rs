//! The keys that sign access tokens: the one in use, the next one, which others can fetch before it
//! is used, and those whose tokens have not ended yet.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Timestamp, limits};

/// A key, as the seed from which it is derived (RFC 8032, 5.1.5).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// Its seed. Whoever knows it can sign.
    pub seed: [u8; 32],
    /// When it was made; none: before that was written down.
    pub made_at: Option<Timestamp>,
    /// From when on it signs or signed; none: not yet, or as for `made_at`.
    pub used_from: Option<Timestamp>,
    /// The longest lifetime of the tokens that it signed.
    pub lifetime: Duration,
    /// When the last of them has expired; none: it still signs, or does not yet.
    pub until: Option<Timestamp>,
}

/// All keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKeys {
    /// The key that signs.
    pub current: SigningKey,
    /// The key that will.
    pub next: Option<SigningKey>,
    /// Keys that do not sign any more, the latest first.
    pub old: Vec<SigningKey>,
}

/// A change of the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChange {
    /// Makes a next key, if there is none.
    Prepare,
    /// Lets the next key sign, or a new one.
    Rotate {
        /// How long a token may take from its signature until it is stored.
        delay: Duration,
    },
    /// Removes a key that does not sign.
    Remove {
        /// Its seed.
        seed: [u8; 32],
    },
}

/// Why the keys are not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFault {
    /// There are as many old keys as there may be.
    TooManyOld,
    /// The key signs.
    InUse,
    /// There is no such key.
    Unknown,
}

impl fmt::Debug for SigningKey {
    /// Omits the seed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("made_at", &self.made_at)
            .field("used_from", &self.used_from)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A key that was made at this moment and signs nothing yet.
    pub fn new(seed: [u8; 32], now: Timestamp) -> SigningKey {
        SigningKey {
            seed,
            made_at: Some(now),
            used_from: None,
            lifetime: Duration::ZERO,
            until: None,
        }
    }
}

impl SigningKeys {
    /// The first key of a store.
    pub fn first(seed: [u8; 32], now: Timestamp) -> SigningKeys {
        SigningKeys::of(SigningKey {
            used_from: Some(now),
            ..SigningKey::new(seed, now)
        })
    }

    /// This key alone.
    pub fn of(current: SigningKey) -> SigningKeys {
        SigningKeys {
            current,
            next: None,
            old: Vec::new(),
        }
    }

    /// All of them: the one that signs, the next, the old ones.
    pub fn all(&self) -> impl Iterator<Item = &SigningKey> {
        let current = std::iter::once(&self.current);
        current.chain(&self.next).chain(&self.old)
    }

    /// The keys, of which the one that signs gives tokens this lifetime from now on.
    #[must_use]
    pub fn signing_for(mut self, lifetime: Duration) -> SigningKeys {
        self.current.lifetime = self.current.lifetime.max(lifetime);
        self
    }

    /// The keys after a change at `now`, for which `seed` makes a new key if it needs one. Old keys
    /// whose tokens have all expired go, unless the clock is suspect.
    pub fn changed(
        mut self,
        change: KeyChange,
        seed: [u8; 32],
        now: Timestamp,
        is_suspect: bool,
    ) -> Result<SigningKeys, KeyFault> {
        let stays = |key: &SigningKey| is_suspect || key.until.is_none_or(|end| now < end);
        self.old.retain(stays);
        match change {
            KeyChange::Prepare => {
                self.next.get_or_insert(SigningKey::new(seed, now));
            }
            KeyChange::Rotate { delay } => {
                if self.old.len() >= limits::OLD_SIGNING_KEYS {
                    return Err(KeyFault::TooManyOld);
                }
                let next = self.next.take();
                let mut former = next.unwrap_or_else(|| SigningKey::new(seed, now));
                former.used_from = Some(now);
                std::mem::swap(&mut self.current, &mut former);
                // Whoever signs with the next key gives its tokens the same lifetime at first.
                self.current.lifetime = former.lifetime;
                former.until = Some(now.after(former.lifetime + delay));
                self.old.insert(0, former);
            }
            KeyChange::Remove { seed } if self.current.seed == seed => {
                return Err(KeyFault::InUse);
            }
            KeyChange::Remove { seed } => {
                let count = self.all().count();
                self.next = self.next.filter(|key| key.seed != seed);
                self.old.retain(|key| key.seed != seed);
                if self.all().count() == count {
                    return Err(KeyFault::Unknown);
                }
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn seeds(keys: &SigningKeys) -> Vec<u8> {
        keys.all().map(|key| key.seed[0]).collect()
    }

    const MS: Duration = Duration::from_millis(1);

    fn changed(keys: SigningKeys, change: KeyChange, byte: u8, now: i64) -> SigningKeys {
        keys.changed(change, [byte; 32], at(now), false).unwrap()
    }

    #[test]
    fn the_next_key_signs_after_a_rotation_and_the_former_stays_until_its_tokens_end() {
        let rotate = KeyChange::Rotate { delay: 2 * MS };
        let keys = SigningKeys::first([1; 32], at(0)).signing_for(5 * MS);
        let keys = changed(keys, KeyChange::Prepare, 2, 1);
        let keys = changed(keys, KeyChange::Prepare, 3, 2);
        assert_eq!(seeds(&keys), [1, 2]);
        // A shorter lifetime later does not shorten that of tokens that are out there.
        let keys = changed(keys.signing_for(MS), rotate, 4, 3);
        assert_eq!(seeds(&keys), [2, 1]);
        assert_eq!(
            (keys.current.used_from, keys.old[0].until),
            (Some(at(3)), Some(at(10)))
        );
        // Without a next key a new one takes over.
        let keys = changed(keys, rotate, 5, 5);
        assert_eq!(seeds(&keys), [5, 2, 1]);
        // A clock that is suspect removes nothing.
        let ahead = keys
            .clone()
            .changed(KeyChange::Prepare, [6; 32], at(10), true);
        assert_eq!(seeds(&ahead.unwrap()), [5, 6, 2, 1]);
        let keys = changed(keys, KeyChange::Prepare, 6, 10);
        assert_eq!(seeds(&keys), [5, 6, 2]);
    }

    #[test]
    fn a_key_that_signs_is_not_removed() {
        let keys = SigningKeys::first([1; 32], at(0));
        let keys = changed(keys, KeyChange::Prepare, 2, 1);
        let remove = |byte| KeyChange::Remove { seed: [byte; 32] };
        let change = |byte| keys.clone().changed(remove(byte), [9; 32], at(1), false);
        assert_eq!(change(1), Err(KeyFault::InUse));
        assert_eq!(change(3), Err(KeyFault::Unknown));
        assert_eq!(seeds(&change(2).unwrap()), [1]);
    }

    #[test]
    fn there_are_not_more_old_keys_than_a_verifier_wants_to_fetch() {
        let mut keys = SigningKeys::first([0; 32], at(0)).signing_for(9 * MS);
        let rotate = KeyChange::Rotate {
            delay: Duration::ZERO,
        };
        for byte in 1..=16 {
            keys = changed(keys, rotate, byte, 1);
        }
        let refused = keys.clone().changed(rotate, [17; 32], at(9), false);
        assert_eq!(refused, Err(KeyFault::TooManyOld));
        assert!(keys.changed(rotate, [17; 32], at(10), false).is_ok());
    }

    #[test]
    fn a_key_is_printed_without_its_seed() {
        let printed = format!("{:?}", SigningKeys::first([77; 32], at(0)));
        assert!(!printed.contains("77"), "{printed}");
    }
}
