//! Implements [`MachineTokenStore`], the part of the store's contract for machine tokens.

use async_trait::async_trait;

use crate::model::{AuditContext, MachinePage, MachineQuery, NewToken, TokenId};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::{machines, rotation};
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::store::reading;
use crate::store::{MachineIssued, MachineTokenStore, Result, Rotation};

#[async_trait]
impl MachineTokenStore for SledStore {
    async fn issue_machine_token(
        &self,
        new: NewToken,
        most: usize,
        maker: Option<TokenId>,
        by: AuditContext,
    ) -> Result<MachineIssued> {
        let step = move |tx: &mut Transaction<'_>| machines::issue(tx, &new, most, maker, &by);
        self.change(WriteClass::Change, step).await
    }

    async fn rotate_machine_token(
        &self,
        id: TokenId,
        new: NewToken,
        how: Rotation,
        maker: Option<TokenId>,
        by: AuditContext,
    ) -> Result<MachineIssued> {
        let step = move |tx: &mut Transaction<'_>| rotation::rotate(tx, id, new, how, maker, &by);
        self.change(WriteClass::Change, step).await
    }

    async fn list_machine_tokens(&self, query: MachineQuery) -> Result<MachinePage> {
        let tree = self.tree.clone();
        reading(move || machines::list(&tree, &query)).await
    }
}
