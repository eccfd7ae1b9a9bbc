//! Machines and their tokens: the record under the name, and the name of a number, by which events
//! name their reporter. A name and its number stay when the token ends, because events stay.

use serde::{Deserialize, Serialize};

use crate::model::{
    AuditAction, AuditContext, AuditEntry, Digest, End, EndReason, Grant, MachineName,
    MachineNumber, MachinePage, MachineQuery, NewToken, Principal, Timestamp, Token, TokenId,
    TokenKind, TokenStatus, limits,
};
use crate::store::sled::SledStore;
use crate::store::sled::accounts::token_list;
use crate::store::sled::accounts::tokens::{self, HeldKey, TokenKey, epoch_of, held_by, insert};
use crate::store::sled::audit::log;
use crate::store::sled::engine::keys::{self, Field, Key, key};
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::engine::tree::Tree;
use crate::store::{MachineIssued, Result};

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
    maker: Option<TokenId>,
    by: &AuditContext,
) -> Result<MachineIssued> {
    let token = &new.token;
    let Some(grant) = &token.grant else {
        return Ok(MachineIssued::UnknownHolder);
    };
    if !may_make(tx, maker, by.at)? {
        return Ok(MachineIssued::MakerEnded);
    }
    let Some(epoch) = epoch_of(tx, token.holder)? else {
        return Ok(MachineIssued::UnknownHolder);
    };
    let refused = if grant.is_users_own() {
        let live = tokens::live(tx, token.holder, by.at)?;
        let own = |it: &&Token| it.grant.as_ref().is_some_and(Grant::is_users_own);
        let count = live.iter().filter(own).count();
        (count >= most).then_some(MachineIssued::TooMany)
    } else {
        take_name(tx, grant.name, token, most, by)?
    };
    if let Some(refused) = refused {
        return Ok(refused);
    }
    for (digest, old) in tokens_under(tx, &held_by(token.holder))? {
        // It is of no use any more, and may never expire.
        if old.kind == TokenKind::Machine && old.epoch != epoch {
            end(tx, digest, &old, Some(epoch), by)?;
        }
    }
    let token = Token {
        epoch,
        ..token.clone()
    };
    insert(tx, new.digest, &token)?;
    let made = entry(by, AuditAction::MakeMachineToken, &token);
    log::append(tx, &made)?;
    Ok(MachineIssued::Done(Box::new(token)))
}

/// Whether the token that another is made with is live; none: it is made without one.
pub(super) fn may_make(from: &impl Read, maker: Option<TokenId>, now: Timestamp) -> Result<bool> {
    let Some(maker) = maker else {
        return Ok(true);
    };
    let Some((_, maker)) = token_list::by_id(from, maker)? else {
        return Ok(false);
    };
    let epoch = epoch_of(from, maker.holder)?;
    // The check of the request has judged the exchange of an access token.
    Ok(maker.status(epoch, now, true) == TokenStatus::Live)
}

/// Gives a name to the machine of a token, and ends what is left of the tokens that had it. Returns
/// why not.
fn take_name(
    tx: &mut Transaction<'_>,
    name: MachineName,
    token: &Token,
    most: usize,
    by: &AuditContext,
) -> Result<Option<MachineIssued>> {
    let machine = tx.fetch(&MachineKey { name })?;
    if let Some(machine) = &machine
        && has_live(tx, machine, by.at)?
    {
        return Ok(Some(MachineIssued::NameTaken));
    }
    if count_live(tx, by.at)? >= most {
        return Ok(Some(MachineIssued::TooMany));
    }
    let number = match &machine {
        Some(machine) => Some(machine.number),
        None => next_number(tx)?,
    };
    let Some(number) = number else {
        return Ok(Some(MachineIssued::NoMoreNames));
    };
    if let Some(machine) = &machine {
        // One that has expired would be live again, and in no list, after the clock goes back.
        let epoch = epoch_of(tx, machine.holder)?;
        for (digest, old) in tokens_of(tx, machine)? {
            end(tx, digest, &old, epoch, by)?;
        }
    }
    note(tx, name, number, token)?;
    Ok(None)
}

/// Removes a machine token, and remembers how it ended: before, or by this change.
pub(super) fn end(
    tx: &mut Transaction<'_>,
    digest: Digest,
    token: &Token,
    epoch: Option<u32>,
    by: &AuditContext,
) -> Result<()> {
    let end = match token.status(epoch, by.at, false) {
        TokenStatus::Live => End::by(by, EndReason::Ended),
        TokenStatus::Expired => End::by_server(token.expires_at, EndReason::Expired),
        TokenStatus::Revoked => End::by_server(by.at, EndReason::Revoked),
    };
    tokens::remove(tx, digest, token, &end)
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
    tokens_under(from, &family)
}

/// The stored tokens of a holder or a family, with their digests.
pub(super) fn tokens_under(from: &impl Read, prefix: &[u8]) -> Result<Vec<(Digest, Token)>> {
    let mut found = Vec::new();
    for (_, digest) in from.under::<HeldKey>(prefix)? {
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

/// The entry of the audit log for what is done to a machine token: with its rights, which say how
/// much a leak would open.
pub(super) fn entry(by: &AuditContext, action: AuditAction, token: &Token) -> AuditEntry {
    let entry = by.done(action).on_holder(token.holder);
    let Some(grant) = &token.grant else {
        return entry.about(token.id.to_string());
    };
    let (name, id, scopes) = (grant.name.as_str(), token.id, grant.scope_text());
    let networks: Vec<String> = grant.networks.iter().map(ToString::to_string).collect();
    let networks = match networks.as_slice() {
        [] => "everywhere".to_owned(),
        networks => networks.join(" "),
    };
    entry.about(format!("{name} {id}: {scopes} from {networks}"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Actor, Scope};

    #[test]
    fn a_name_beyond_the_last_is_refused_as_that_and_others_are_not() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let tree = Tree::of(&db);
        let mut tx = Transaction::new(&tree);
        let name = |text: &str| MachineName::parse(text).unwrap();
        let new = |of: &str, number: u8| {
            let id = TokenId::from_random([number; 16]);
            let grant = Grant {
                name: name(of),
                scopes: vec![Scope::EventsWrite],
                networks: Vec::new(),
                created_by: Actor::Server,
                last_address: None,
            };
            let token = Token {
                kind: TokenKind::Machine,
                grant: Some(grant),
                ..Token::sample(id, Principal::Machine(name(of)))
            };
            let digest = Digest([number; 32]);
            NewToken { digest, token }
        };
        let by = AuditContext::server(Timestamp::default());
        let first = issue(&mut tx, &new("a", 1), 9, None, &by).unwrap();
        assert!(matches!(first, MachineIssued::Done(_)));
        for number in 1..u32::try_from(limits::MACHINE_NAMES).unwrap() {
            let number = MachineNumber(number);
            tx.put(&MachineNumberKey { number }, &name("b")).unwrap();
        }
        let refused = issue(&mut tx, &new("c", 2), 9, None, &by).unwrap();
        assert_eq!(refused, MachineIssued::NoMoreNames);
        let again = issue(&mut tx, &new("a", 3), 9, None, &by).unwrap();
        assert!(matches!(again, MachineIssued::Done(_)));
    }
}
