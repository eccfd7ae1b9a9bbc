//! The keys that sign access tokens, with what is derived from them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Mutex;

use crate::crypto::Signer;
use crate::model::{SigningKey, SigningKeys, Timestamp};
use crate::store;

/// The keys in force.
pub(super) struct KeyRing {
    keys: ArcSwap<Ring>,
    /// Held over a change in the store and the change here, so that both have one order.
    pub(super) changing: Mutex<()>,
}

/// The keys of one moment.
pub(super) struct Ring {
    /// The one that signs.
    pub(super) current: RingKey,
    /// The next key, and the old ones.
    others: Vec<RingKey>,
}

/// A key with what is derived from its seed.
pub(super) struct RingKey {
    pub(super) signer: Signer,
    state: KeyState,
    pub(super) key: SigningKey,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It signs.
    Current,
    /// It will sign.
    Next,
    /// It signed tokens that have not all expired.
    Old,
}

/// A key in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedKey {
    /// Its id in the key set.
    pub id: String,
    /// What it is for.
    pub state: KeyState,
    /// When it was made; none: before that was written down.
    pub made_at: Option<Timestamp>,
    /// From when on it signs or signed.
    pub used_from: Option<Timestamp>,
    /// When the last token that it signed expires.
    pub until: Option<Timestamp>,
}

impl KeyRing {
    pub(super) fn new(keys: &SigningKeys) -> store::Result<KeyRing> {
        Ok(KeyRing {
            keys: ArcSwap::new(Arc::new(Ring::new(keys)?)),
            changing: Mutex::default(),
        })
    }

    /// The keys in force now.
    pub(super) fn get(&self) -> Arc<Ring> {
        self.keys.load_full()
    }

    /// Puts other keys in force.
    pub(super) fn replace(&self, keys: &SigningKeys) -> store::Result<()> {
        self.keys.store(Arc::new(Ring::new(keys)?));
        Ok(())
    }
}

impl Ring {
    fn new(keys: &SigningKeys) -> store::Result<Ring> {
        let next = keys.next.iter().map(|key| (key, KeyState::Next));
        let old = keys.old.iter().map(|key| (key, KeyState::Old));
        let others = next.chain(old);
        Ok(Ring {
            current: RingKey::new(&keys.current, KeyState::Current)?,
            others: others
                .map(|(key, state)| RingKey::new(key, state))
                .collect::<store::Result<_>>()?,
        })
    }

    /// All keys, the one in use first.
    pub(super) fn all(&self) -> impl Iterator<Item = &RingKey> {
        std::iter::once(&self.current).chain(&self.others)
    }

    /// The keys that others need at `now` to verify tokens.
    pub(super) fn of_use(&self, now: Timestamp) -> impl Iterator<Item = &RingKey> {
        self.all()
            .filter(move |it| it.key.until.is_none_or(|end| now < end))
    }
}

impl RingKey {
    fn new(key: &SigningKey, state: KeyState) -> store::Result<RingKey> {
        let signer = Signer::from_seed(&key.seed);
        let invalid = || store::Error::Corrupt("a signing key is invalid".into());
        Ok(RingKey {
            signer: signer.ok_or_else(invalid)?,
            state,
            key: key.clone(),
        })
    }

    /// As the administrator sees it.
    pub(super) fn listed(&self) -> ListedKey {
        ListedKey {
            id: self.signer.key_id().to_owned(),
            state: self.state,
            made_at: self.key.made_at,
            used_from: self.key.used_from,
            until: self.key.until,
        }
    }
}
