//! Builds the indexes that an earlier version did not keep: the words of names, and the public ids
//! of tokens and of invites. Once for each store, at the start.

use crate::store::sled::SledStore;
use crate::store::sled::accounts::made_invites::{InviteIdKey, MadeInviteKey};
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
/// Records of one kind that one step looks at: few enough for a step of ordinary size.
const STEP_RECORDS: usize = 256;

/// The keys from which on accounts, tokens and invites are to be indexed.
type Places = [Vec<u8>; 3];

impl SledStore {
    /// Builds the indexes, if that was not done before. On a full disk it is left to a later start:
    /// until then these lists are not complete.
    pub(crate) async fn build_indexes(&self) -> Result<()> {
        if matches!(self.tree.fetch(&BUILT), Ok(Some(()))) {
            return Ok(());
        }
        let mut places = [
            keys::first::<UserKey>(),
            keys::first::<TokenKey>(),
            keys::first::<MadeInviteKey>(),
        ];
        loop {
            let from = places.clone();
            let step = move |tx: &mut Transaction<'_>| build_some(tx, &from);
            match self.change(WriteClass::Change, step).await {
                Ok(Some(next)) => places = next,
                Ok(None) | Err(Error::Full) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Indexes some records from these keys on. Returns the keys to go on from; none: all are done.
/// Damaged records are left out.
fn build_some(tx: &mut Transaction<'_>, from: &Places) -> Result<Option<Places>> {
    let [users, tokens, invites] = from;
    let next = [
        index(tx, users, |tx, key: UserKey| {
            let user = tx.fetch_readable(&key)?;
            user.map_or(Ok(()), |user| names::add(tx, &user))
        })?,
        index(tx, tokens, |tx, key: TokenKey| {
            let token = tx.fetch_readable(&key)?;
            token.map_or(Ok(()), |it| tx.put(&TokenIdKey { id: it.id }, &key.digest))
        })?,
        index(tx, invites, |tx, key: MadeInviteKey| {
            let invite = tx.fetch_readable(&key)?;
            invite.map_or(Ok(()), |it| tx.put(&InviteIdKey { id: it.id }, &key.digest))
        })?,
    ];
    if next == *from {
        tx.put(&BUILT, &())?;
        return Ok(None);
    }
    Ok(Some(next))
}

/// Calls `add` with some keys of a kind, and returns the key to go on from.
fn index<K: Key>(
    tx: &mut Transaction<'_>,
    from: &[u8],
    mut add: impl FnMut(&mut Transaction<'_>, K) -> Result<()>,
) -> Result<Vec<u8>> {
    let entries = tx.raw_range(from, &keys::end::<K>(), STEP_RECORDS)?;
    for key in entries.iter().filter_map(|(key, _)| K::parse(key)) {
        add(tx, key)?;
    }
    let last = entries.last();
    Ok(last.map_or_else(|| from.to_vec(), |(key, _)| keys::after(key)))
}
