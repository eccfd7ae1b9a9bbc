//! Builds the indexes that an earlier version did not keep: the words of names, and the public ids
//! of tokens. Once for each store, at the start.

use crate::store::sled::SledStore;
use crate::store::sled::accounts::names;
use crate::store::sled::accounts::tokens::{TokenIdKey, TokenKey};
use crate::store::sled::accounts::users::UserKey;
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::keys::{self, Key, MetaKey, meta};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::{Error, Result};

/// Present when the indexes are complete.
const BUILT: MetaKey<()> = meta(MetaSlot::IndexesBuilt);
/// Records that one step looks at: few enough for a step of ordinary size.
const STEP_RECORDS: usize = 256;

impl SledStore {
    /// Builds the indexes, if that was not done before. On a full disk it is left to a later start:
    /// until then these lists are not complete.
    pub(crate) async fn build_indexes(&self) -> Result<()> {
        if matches!(self.tree.fetch(&BUILT), Ok(Some(()))) {
            return Ok(());
        }
        let (mut users, mut tokens) = (keys::first::<UserKey>(), keys::first::<TokenKey>());
        loop {
            let (from_user, from_token) = (users.clone(), tokens.clone());
            let step = move |tx: &mut Transaction<'_>| build_some(tx, &from_user, &from_token);
            match self.change(WriteClass::Change, step).await {
                Ok(Some(next)) => (users, tokens) = next,
                Ok(None) | Err(Error::Full) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Indexes some accounts and tokens from these keys on. Returns the keys to go on from; none: all
/// are done. Damaged records are left out.
fn build_some(
    tx: &mut Transaction<'_>,
    from_user: &[u8],
    from_token: &[u8],
) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let users = tx.raw_range(from_user, &keys::end::<UserKey>(), STEP_RECORDS)?;
    for key in users.iter().filter_map(|(key, _)| UserKey::parse(key)) {
        if let Some(user) = tx.fetch_readable(&key)? {
            names::add(tx, &user)?;
        }
    }
    let tokens = tx.raw_range(from_token, &keys::end::<TokenKey>(), STEP_RECORDS)?;
    for key in tokens.iter().filter_map(|(key, _)| TokenKey::parse(key)) {
        if let Some(token) = tx.fetch_readable(&key)? {
            tx.put(&TokenIdKey { id: token.id }, &key.digest)?;
        }
    }
    if users.is_empty() && tokens.is_empty() {
        tx.put(&BUILT, &())?;
        return Ok(None);
    }
    let next = |entries: &[(Vec<u8>, _)], from: &[u8]| {
        entries
            .last()
            .map_or_else(|| from.to_vec(), |(key, _)| keys::after(key))
    };
    Ok(Some((next(&users, from_user), next(&tokens, from_token))))
}
