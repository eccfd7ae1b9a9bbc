//! Machines and their tokens: the record under the name, and the name of a number, by which events
//! name their reporter. A name and its number stay when the token ends, because events stay.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::model::{
    AuditAction, AuditContext, AuditEntry, Digest, Grant, MachineName, MachineNumber, MachinePage,
    MachineQuery, NewToken, Principal, Timestamp, Token, TokenId, TokenKind, TokenStatus, limits,
};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::token_list;
use crate::store::sled::accounts::tokens::{
    self, HeldKey, TokenKey, end_with_family, epoch_of, insert,
};
use crate::store::sled::audit::log;
use crate::store::sled::engine::disk_space::WriteClass;
use crate::store::sled::engine::keys::{self, Field, Key, key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::store::reading;
use crate::store::{MachineIssued, MachineTokenStore, Result};

key! {
    /// A machine by its name.
    MachineKey { name: MachineName } Machine => Machine
}
key! {
    /// The machine of a number.
    MachineNumberKey { number: MachineNumber } MachineNumber => MachineName
}

/// A machine, and whose and of which family its last tokens are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Machine {
    number: MachineNumber,
    holder: Principal,
    family: TokenId,
}

postcard_records!(Machine, MachineName);

/// Machines that a list reads at once.
const READ_AT_ONCE: usize = 200;

impl SledStore {
    /// The number of a machine; none if no machine ever had the name.
    pub(crate) fn machine(&self, name: MachineName) -> Result<Option<MachineNumber>> {
        number_of(&self.tree, name)
    }
}

/// The number of a machine; none if no machine ever had the name.
pub(crate) fn number_of(from: &impl Read, name: MachineName) -> Result<Option<MachineNumber>> {
    let machine = from.fetch(&MachineKey { name })?;
    Ok(machine.map(|machine| machine.number))
}

/// The machine of a number; none if the record is damaged.
pub(crate) fn name_of(from: &impl Read, number: MachineNumber) -> Result<Option<MachineName>> {
    from.fetch_readable(&MachineNumberKey { number })
}

/// Issues a machine token. `most`: of the administrator's in all, or of one user's own.
pub(crate) fn issue(
    tx: &mut Transaction<'_>,
    new: &NewToken,
    most: usize,
    by: &AuditContext,
) -> Result<MachineIssued> {
    let token = &new.token;
    let Some(grant) = &token.grant else {
        return Ok(MachineIssued::UnknownHolder);
    };
    let Some(epoch) = epoch_of(tx, token.holder)? else {
        return Ok(MachineIssued::UnknownHolder);
    };
    let issued = if grant.is_users_own() {
        let live = tokens::live(tx, token.holder, by.at)?;
        let own = |it: &&Token| it.grant.as_ref().is_some_and(Grant::is_users_own);
        (live.iter().filter(own).count() < most).then_some(())
    } else {
        let machine = tx.fetch(&MachineKey { name: grant.name })?;
        if let Some(machine) = &machine
            && has_live(tx, machine, by.at)?
        {
            return Ok(MachineIssued::NameTaken);
        }
        let has_room = count_live(tx, by.at)? < most;
        let number = match machine {
            Some(machine) => Some(machine.number),
            None => next_number(tx)?,
        };
        number
            .filter(|_| has_room)
            .map(|number| note(tx, grant.name, number, token))
            .transpose()?
    };
    if issued.is_none() {
        return Ok(MachineIssued::TooMany);
    }
    let token = Token {
        epoch,
        ..token.clone()
    };
    insert(tx, new.digest, &token)?;
    log::append(tx, &entry(by, AuditAction::MakeMachineToken, &token))?;
    Ok(MachineIssued::Done(Box::new(token)))
}

/// Writes that these are the tokens of a machine.
fn note(
    tx: &mut Transaction<'_>,
    name: MachineName,
    number: MachineNumber,
    token: &Token,
) -> Result<()> {
    let machine = Machine {
        number,
        holder: token.holder,
        family: token.family,
    };
    tx.put(&MachineKey { name }, &machine)?;
    tx.put(&MachineNumberKey { number }, &name)
}

/// The number of the next machine; none if there were too many.
fn next_number(from: &impl Read) -> Result<Option<MachineNumber>> {
    let all = keys::first::<MachineNumberKey>();
    let numbers = from.keys_under::<MachineNumberKey>(&all, limits::MACHINE_NAMES)?;
    let next = numbers.last().map_or(0, |last| last.number.0 + 1);
    Ok((numbers.len() < limits::MACHINE_NAMES).then_some(MachineNumber(next)))
}

/// The tokens of a machine that are stored, with their digests.
fn tokens_of(from: &impl Read, machine: &Machine) -> Result<Vec<(Digest, Token)>> {
    let family = keys::prefix::<HeldKey>(|to| {
        machine.holder.write(to);
        machine.family.write(to);
    });
    let mut found = Vec::new();
    for (_, digest) in from.under::<HeldKey>(&family)? {
        let token = from.fetch_readable(&TokenKey { digest })?;
        found.extend(token.map(|token| (digest, token)));
    }
    Ok(found)
}

fn has_live(from: &impl Read, machine: &Machine, now: Timestamp) -> Result<bool> {
    let epoch = epoch_of(from, machine.holder)?;
    let tokens = tokens_of(from, machine)?;
    let mut tokens = tokens.iter();
    Ok(tokens.any(|(_, token)| token.status(epoch, now, false) == TokenStatus::Live))
}

/// How many machines have a live token.
fn count_live(from: &impl Read, now: Timestamp) -> Result<usize> {
    let mut count = 0;
    for (_, machine) in from.under::<MachineKey>(&keys::first::<MachineKey>())? {
        count += usize::from(has_live(from, &machine, now)?);
    }
    Ok(count)
}

/// Issues `new` in the place of the live machine token with this public id, which lives on until
/// `old_ends_at` or its own end. Those that it was issued in the place of end at once. None: there
/// is no such token.
pub(crate) fn rotate(
    tx: &mut Transaction<'_>,
    id: TokenId,
    mut new: NewToken,
    old_ends_at: Timestamp,
    by: &AuditContext,
) -> Result<Option<Token>> {
    let Some((digest, old)) = token_list::by_id(tx, id)? else {
        return Ok(None);
    };
    let epoch = epoch_of(tx, old.holder)?;
    if old.kind != TokenKind::Machine || old.status(epoch, by.at, false) != TokenStatus::Live {
        return Ok(None);
    }
    new.token = Token {
        family: old.family,
        epoch: old.epoch,
        holder: old.holder,
        grant: old.grant.clone(),
        ..new.token
    };
    end_with_family(tx, digest, &old, by)?;
    let expires_at = old.expires_at.min(old_ends_at);
    if expires_at > by.at {
        let overlapping = Token {
            expires_at,
            refreshable_until: expires_at,
            ..old.clone()
        };
        insert(tx, digest, &overlapping)?;
    }
    insert(tx, new.digest, &new.token)?;
    let entry = entry(by, AuditAction::RotateMachineToken, &new.token);
    log::append(tx, &entry)?;
    Ok(Some(new.token))
}

/// The entry of the audit log for what is done to a machine token.
fn entry(by: &AuditContext, action: AuditAction, token: &Token) -> AuditEntry {
    let name = token.grant.as_ref().map_or("", |grant| grant.name.as_str());
    let entry = by.done(action).on_holder(token.holder);
    entry.about(format!("{name} {}", token.id))
}

/// A page of the administrator's machine tokens.
pub(crate) fn list(tree: &Tree, query: &MachineQuery) -> Result<MachinePage> {
    let mut from = match query.after {
        Some((name, _)) => MachineKey { name }.bytes(),
        None => keys::first::<MachineKey>(),
    };
    let end = keys::end::<MachineKey>();
    let mut page = MachinePage::default();
    loop {
        let machines = tree.entries::<MachineKey>(&from, &end, READ_AT_ONCE)?;
        let is_last = machines.len() < READ_AT_ONCE;
        for (key, machine) in machines {
            from = keys::after(&key.bytes());
            let epoch = epoch_of(tree, machine.holder)?;
            for (_, token) in tokens_of(tree, &machine)? {
                let place = (key.name, token.id);
                if query.after.is_some_and(|after| place <= after) {
                    continue;
                }
                if page.tokens.len() == query.limit {
                    return Ok(page);
                }
                page.next = Some(place);
                page.tokens.push((token, epoch));
            }
        }
        if is_last {
            page.next = None;
            return Ok(page);
        }
    }
}

#[async_trait]
impl MachineTokenStore for SledStore {
    async fn issue_machine_token(
        &self,
        new: NewToken,
        most: usize,
        by: AuditContext,
    ) -> Result<MachineIssued> {
        let step = move |tx: &mut Transaction<'_>| issue(tx, &new, most, &by);
        self.change(WriteClass::Change, step).await
    }

    async fn rotate_machine_token(
        &self,
        id: TokenId,
        new: NewToken,
        old_ends_at: Timestamp,
        by: AuditContext,
    ) -> Result<Option<Token>> {
        let step = move |tx: &mut Transaction<'_>| rotate(tx, id, new, old_ends_at, &by);
        self.change(WriteClass::Change, step).await
    }

    async fn list_machine_tokens(&self, query: MachineQuery) -> Result<MachinePage> {
        let tree = self.tree.clone();
        reading(move || list(&tree, &query)).await
    }
}
