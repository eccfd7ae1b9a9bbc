//! Implements [`KeyStore`], the part of the store's contract for the keys that sign access tokens.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    AuditAction, AuditContext, KeyChange, KeyFault, SigningKey, SigningKeys, Timestamp,
};
use crate::store::sled::SledStore;
use crate::store::sled::audit::log;
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::keys::{Key, MetaKey, meta};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::{KeyStore, Result};

postcard_records!(SigningKeys);

const KEYS: MetaKey<SigningKeys> = meta(MetaSlot::SigningKeys);
/// The seed of the only key of an earlier version.
const SEED: MetaKey<Vec<u8>> = meta(MetaSlot::SigningSeed);

fn keys(tx: &mut Transaction<'_>, seed: [u8; 32], now: Timestamp) -> Result<SigningKeys> {
    if let Some(keys) = tx.fetch_readable(&KEYS)? {
        return Ok(keys);
    }
    // Behind damaged keys no key of an earlier version comes back: it may have been given up.
    let is_first = tx.raw(&KEYS.bytes())?.is_none();
    let earlier = if is_first {
        tx.fetch_readable(&SEED)?
    } else {
        None
    };
    let keys = match earlier.and_then(|seed| seed.try_into().ok()) {
        Some(seed) => SigningKeys::of(SigningKey {
            seed,
            made_at: None,
            used_from: None,
            lifetime: Duration::ZERO,
            until: None,
        }),
        None => SigningKeys::first(seed, now),
    };
    tx.remove(&SEED);
    tx.put(&KEYS, &keys)?;
    Ok(keys)
}

fn signing_for(
    tx: &mut Transaction<'_>,
    seed: [u8; 32],
    lifetime: Duration,
    now: Timestamp,
) -> Result<SigningKeys> {
    let before = keys(tx, seed, now)?;
    let after = before.clone().signing_for(lifetime);
    if after != before {
        tx.put(&KEYS, &after)?;
    }
    Ok(after)
}

fn change(
    tx: &mut Transaction<'_>,
    change: KeyChange,
    seed: [u8; 32],
    is_suspect: bool,
    by: &AuditContext,
) -> Result<std::result::Result<SigningKeys, KeyFault>> {
    let before = keys(tx, seed, by.at)?;
    let changed = before.clone().changed(change, seed, by.at, is_suspect);
    if let Ok(after) = &changed
        && *after != before
    {
        tx.put(&KEYS, after)?;
        let action = match change {
            KeyChange::Prepare => AuditAction::PrepareKey,
            KeyChange::Rotate { .. } => AuditAction::RotateKey,
            KeyChange::Remove { .. } => AuditAction::RemoveKey,
        };
        log::append(tx, &by.done(action))?;
    }
    Ok(changed)
}

#[async_trait]
impl KeyStore for SledStore {
    async fn signing_keys(
        &self,
        seed: [u8; 32],
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<SigningKeys> {
        let step = move |tx: &mut Transaction<'_>| signing_for(tx, seed, lifetime, now);
        self.change(WriteClass::Reclaim, step).await
    }

    async fn change_signing_keys(
        &self,
        change_of: KeyChange,
        seed: [u8; 32],
        is_suspect: bool,
        by: AuditContext,
    ) -> Result<std::result::Result<SigningKeys, KeyFault>> {
        let step = move |tx: &mut Transaction<'_>| change(tx, change_of, seed, is_suspect, &by);
        self.change(WriteClass::Change, step).await
    }
}
