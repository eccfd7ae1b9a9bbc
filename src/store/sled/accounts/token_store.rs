//! Implements [`TokenStore`], the part of the store's contract for tokens.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    AuditAction, AuditContext, Digest, NewToken, Principal, Timestamp, Token, TokenId, TokenPage,
    TokenQuery,
};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::renewal;
use crate::store::sled::accounts::token_list;
use crate::store::sled::accounts::tokens::{self, TokenKey};
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::keys::{MetaKey, meta};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::registry::MetaSlot;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::store::reading;
use crate::store::{FoundToken, Refreshed, Result, TokenStore};

/// The hash of the administrator's password that doorward generated.
const ADMIN_HASH: MetaKey<Vec<u8>> = meta(MetaSlot::AdminHash);

impl SledStore {
    /// The token with this digest, through the cache.
    fn token(&self, digest: Digest) -> Result<Option<Arc<Token>>> {
        let read = || self.tree.fetch(&TokenKey { digest });
        self.caches.tokens.read_through(&digest, read)
    }

    /// Keeps the epoch of a holder that is not an account in memory.
    fn note_epoch(&self, holder: Principal, epoch: u32) {
        match holder {
            Principal::Admin => self.admin_epoch.store(epoch, Ordering::Release),
            Principal::Hub => self.hub_epoch.store(epoch, Ordering::Release),
            Principal::User(_) | Principal::Machine(_) => {}
        }
    }
}

#[async_trait]
impl TokenStore for SledStore {
    async fn find_token(&self, digest: &Digest) -> Result<Option<FoundToken>> {
        let Some(token) = self.token(*digest)? else {
            return Ok(None);
        };
        let (epoch, user) = match token.holder {
            Principal::Admin => (Some(self.admin_epoch.load(Ordering::Acquire)), None),
            Principal::Hub => (Some(self.hub_epoch.load(Ordering::Acquire)), None),
            Principal::Machine(_) => (Some(0), None),
            Principal::User(id) => {
                let user = self.user(id)?.filter(|user| !user.disabled);
                (user.as_ref().map(|user| user.epoch), user)
            }
        };
        let exchanged_at = token.retired.map(|_| self.exchanges.find(digest));
        Ok(Some(FoundToken {
            token,
            epoch,
            user,
            exchanged_at,
        }))
    }

    async fn list_tokens(&self, query: TokenQuery) -> Result<TokenPage> {
        let tree = self.tree.clone();
        reading(move || token_list::list(&tree, &query)).await
    }

    async fn find_token_by_id(&self, id: TokenId) -> Result<Option<(Token, Option<u32>)>> {
        let Some((_, token)) = token_list::by_id(&self.tree, id)? else {
            return Ok(None);
        };
        let epoch = tokens::epoch_of(&self.tree, token.holder)?;
        Ok(Some((token, epoch)))
    }

    async fn end_token_by_id(&self, id: TokenId, by: AuditContext) -> Result<Option<Token>> {
        let step = move |tx: &mut Transaction<'_>| token_list::end(tx, id, &by);
        self.change(WriteClass::Reclaim, step).await
    }

    async fn epoch_of(&self, holder: Principal) -> Result<u32> {
        Ok(tokens::epoch_of(&self.tree, holder)?.unwrap_or(0))
    }

    async fn live_tokens(&self, holder: Principal, now: Timestamp) -> Result<Vec<Token>> {
        tokens::live(&self.tree, holder, now)
    }

    async fn issue_token(
        &self,
        new: NewToken,
        most: usize,
        action: AuditAction,
        by: AuditContext,
    ) -> Result<bool> {
        let entry = by.done(action).on_holder(new.token.holder);
        let step = move |tx: &mut Transaction<'_>| tokens::issue(tx, &new, most, &entry);
        self.change(WriteClass::Change, step).await
    }

    async fn renew_token(
        &self,
        old: Digest,
        renewal: Digest,
        new: NewToken,
        now: Timestamp,
    ) -> Result<Option<Token>> {
        let step = move |tx: &mut Transaction<'_>| renewal::renew(tx, old, renewal, new, now);
        self.change(WriteClass::Change, step).await
    }

    async fn refresh_token(
        &self,
        old: Digest,
        new: NewToken,
        monotonic: Duration,
        by: AuditContext,
    ) -> Result<Refreshed> {
        let exchanges = Arc::clone(&self.exchanges);
        let step = move |tx: &mut Transaction<'_>| {
            renewal::refresh(tx, &exchanges, old, new, monotonic, &by)
        };
        self.change(WriteClass::Change, step).await
    }

    async fn touch_token(
        &self,
        digest: Digest,
        idle: Duration,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<()> {
        let step = move |tx: &mut Transaction<'_>| tokens::touch(tx, digest, idle, from, now);
        self.change(WriteClass::Change, step).await
    }

    async fn end_family(
        &self,
        digest: Digest,
        from: Option<IpAddr>,
        by: AuditContext,
    ) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| tokens::end_family(tx, digest, from, &by);
        self.change(WriteClass::Reclaim, step).await
    }

    async fn end_token(&self, holder: Principal, id: TokenId, by: AuditContext) -> Result<bool> {
        let step = move |tx: &mut Transaction<'_>| tokens::end_named(tx, holder, id, &by);
        self.change(WriteClass::Reclaim, step).await
    }

    async fn reconcile(
        &self,
        holder: Principal,
        fingerprint: String,
        by: AuditContext,
    ) -> Result<u32> {
        let step = move |tx: &mut Transaction<'_>| tokens::reconcile(tx, holder, fingerprint, &by);
        let epoch = self.change(WriteClass::Reclaim, step).await?;
        self.note_epoch(holder, epoch);
        Ok(epoch)
    }

    async fn find_fingerprint(&self, holder: Principal) -> Result<Option<String>> {
        tokens::fingerprint(&self.tree, holder)
    }

    async fn replace_admin_hash(&self, hash: String, by: AuditContext) -> Result<u32> {
        let holder = Principal::Admin;
        let step = move |tx: &mut Transaction<'_>| {
            tx.put(&ADMIN_HASH, &hash.clone().into_bytes())?;
            tokens::reconcile(tx, holder, hash, &by)
        };
        let epoch = self.change(WriteClass::Reclaim, step).await?;
        self.note_epoch(holder, epoch);
        Ok(epoch)
    }
}
