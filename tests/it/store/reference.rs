//! The store as plain maps: slow, only in memory, and simple enough that a reader can check it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use doorward::model::{
    Digest, Email, Erasure, Idempotency, InviteTerms, Name, NewToken, NewUser, Principal, Retired,
    Timestamp, Token, TokenId, TokenKind, TokenStatus, UserId, limits,
};
use doorward::store::{Appended, Created, Redeemed, Refreshed, Updated};

/// The fields of an account that decide outcomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) email: Email,
    pub(super) name: Name,
    pub(super) password_hash: String,
    pub(super) disabled: bool,
    pub(super) epoch: u32,
}

/// An event that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) at: Timestamp,
    pub(super) name: String,
    pub(super) subject: UserId,
    pub(super) details: Option<String>,
}

/// The maps.
#[derive(Default)]
pub(super) struct Reference {
    pub(super) users: BTreeMap<UserId, Account>,
    pub(super) tokens: BTreeMap<Digest, Token>,
    pub(super) resets: BTreeMap<UserId, (Digest, Timestamp)>,
    pub(super) invites: BTreeMap<Digest, (InviteTerms, u32)>,
    pub(super) events: Vec<Stored>,
    /// The subjects of the events of an hour and name, once for each event.
    pub(super) counts: BTreeMap<(u32, String), Vec<UserId>>,
    /// All subjects of the events of an hour, also of erased ones: a sketch cannot remove users.
    pub(super) seen: BTreeMap<u32, BTreeSet<UserId>>,
    promises: BTreeMap<(Principal, Digest), (Digest, usize, Timestamp)>,
}

/// Whether a token was exchanged a moment ago. In these tests no clock jumps.
fn is_in_grace(retired: &Retired, now: Timestamp) -> bool {
    now.since(retired.at) < limits::REFRESH_GRACE
}

impl Reference {
    pub(super) fn epoch(&self, holder: Principal) -> Option<u32> {
        match holder {
            Principal::User(id) => self.active(id).map(|user| user.epoch),
            Principal::Admin | Principal::Hub | Principal::Machine(_) => Some(0),
        }
    }

    pub(super) fn status(&self, token: &Token, now: Timestamp) -> TokenStatus {
        let in_grace = token.retired.is_some_and(|it| is_in_grace(&it, now));
        token.status(self.epoch(token.holder), now, in_grace)
    }

    pub(super) fn owner_of(&self, address: &Email) -> Option<UserId> {
        let owner = self
            .users
            .iter()
            .find(|(_, user)| user.email.key() == address.key());
        owner.map(|(id, _)| *id)
    }

    /// The digests of a holder's live tokens without exchanged ones, the least recently used first.
    pub(super) fn live(&self, holder: Principal, now: Timestamp) -> Vec<Digest> {
        let mut live: Vec<_> = self
            .tokens
            .iter()
            .filter(|(_, it)| it.holder == holder && it.retired.is_none())
            .filter(|(_, it)| self.status(it, now) == TokenStatus::Live)
            .map(|(digest, it)| (it.last_used_at, it.issued_at, *digest))
            .collect();
        live.sort_unstable();
        live.into_iter().map(|(_, _, digest)| digest).collect()
    }

    fn active(&self, id: UserId) -> Option<&Account> {
        self.users.get(&id).filter(|user| !user.disabled)
    }

    pub(super) fn create_user(&mut self, new: NewUser, first: NewToken, now: Timestamp) -> Created {
        if self.owner_of(&new.email).is_some() {
            return Created::EmailTaken;
        }
        if let Some(code) = &new.invite {
            let invite = self
                .invites
                .get_mut(&doorward::crypto::digest(code.as_bytes()));
            let open = |(terms, used): &&mut (InviteTerms, u32)| {
                *used < terms.uses && terms.expires_at.is_none_or(|end| now < end)
            };
            match invite.filter(open) {
                Some((_, used)) => *used += 1,
                None => return Created::InviteNotFound,
            }
        }
        let NewUser {
            id,
            email,
            name,
            password_hash,
            ..
        } = new;
        let account = Account {
            email,
            name,
            password_hash,
            disabled: false,
            epoch: 0,
        };
        self.users.insert(id, account);
        self.tokens.insert(first.digest, first.token);
        // A placeholder for success: the caller checks the created account itself.
        Created::InviteNotFound
    }

    pub(super) fn update_user(&mut self, id: UserId, name: Name, email: Email) -> Updated {
        if self.active(id).is_none() {
            return Updated::Gone;
        }
        if self.owner_of(&email).is_some_and(|owner| owner != id) {
            return Updated::EmailTaken;
        }
        let account = self.users.get_mut(&id).unwrap();
        if account.email.key() != email.key() {
            self.resets.remove(&id);
        }
        (account.name, account.email) = (name, email);
        Updated::Done
    }

    pub(super) fn change_password(
        &mut self,
        id: UserId,
        epoch: u32,
        hash: String,
        keep: Option<Digest>,
    ) -> Updated {
        if self.active(id).is_none_or(|user| user.epoch != epoch) {
            return Updated::Gone;
        }
        let epoch = self.set_password(id, hash);
        let mut kept = keep;
        while let Some(token) = kept.and_then(|digest| self.tokens.get_mut(&digest)) {
            if token.holder != Principal::User(id) {
                break;
            }
            token.epoch = epoch;
            kept = token.retired.map(|retired| retired.successor);
        }
        Updated::Done
    }

    fn set_password(&mut self, id: UserId, hash: String) -> u32 {
        self.resets.remove(&id);
        let account = self.users.get_mut(&id).unwrap();
        (account.password_hash, account.epoch) = (hash, account.epoch + 1);
        account.epoch
    }

    pub(super) fn set_disabled(&mut self, id: UserId, disabled: bool) -> Updated {
        let Some(account) = self.users.get_mut(&id) else {
            return Updated::Gone;
        };
        if account.disabled != disabled {
            (account.disabled, account.epoch) = (disabled, account.epoch + 1);
            self.resets.remove(&id);
        }
        Updated::Done
    }

    pub(super) fn delete_user(&mut self, id: UserId) -> bool {
        self.resets.remove(&id);
        self.tokens
            .retain(|_, token| token.holder != Principal::User(id));
        self.users.remove(&id).is_some()
    }

    pub(super) fn issue_token(&mut self, new: NewToken, most: usize, now: Timestamp) -> bool {
        let holder = new.token.holder;
        if self.epoch(holder) != Some(new.token.epoch) {
            return false;
        }
        let live = self.live(holder, now);
        for digest in live.iter().take((live.len() + 1).saturating_sub(most)) {
            self.tokens.remove(digest);
        }
        self.tokens.insert(new.digest, new.token);
        true
    }

    pub(super) fn renew_token(
        &mut self,
        old: Digest,
        renewal: Digest,
        new: NewToken,
        now: Timestamp,
    ) -> bool {
        let Some(token) = self.tokens.get(&old) else {
            return false;
        };
        if self.status(token, now) != TokenStatus::Live || token.renewal != Some(renewal) {
            return false;
        }
        let NewToken {
            digest,
            token: mut next,
        } = new;
        (next.family, next.epoch, next.holder) = (token.family, token.epoch, token.holder);
        self.tokens.remove(&old);
        self.tokens.insert(digest, next);
        true
    }

    pub(super) fn refresh_token(
        &mut self,
        old: Digest,
        new: NewToken,
        now: Timestamp,
    ) -> Refreshed {
        let Some(token) = self.tokens.get(&old).cloned() else {
            return Refreshed::Refused;
        };
        if token.kind != TokenKind::Access || self.epoch(token.holder) != Some(token.epoch) {
            return Refreshed::Refused;
        }
        if let Some(retired) = token.retired {
            if is_in_grace(&retired, now) {
                let successor = self.tokens.get(&retired.successor);
                return successor.map_or(Refreshed::Refused, |it| {
                    Refreshed::Again(Box::new(it.clone()))
                });
            }
            self.end_family_named(token.family);
            return Refreshed::Reused(Box::new(token));
        }
        if now >= token.refreshable_until {
            return Refreshed::Refused;
        }
        let NewToken {
            digest,
            token: mut next,
        } = new;
        (next.family, next.epoch, next.holder) = (token.family, token.epoch, token.holder);
        self.tokens.insert(digest, next.clone());
        let retired = Some(Retired {
            at: now,
            successor: digest,
        });
        self.tokens.insert(old, Token { retired, ..token });
        Refreshed::Done(Box::new(next))
    }

    pub(super) fn touch_token(&mut self, digest: Digest, idle: Duration, now: Timestamp) {
        if let Some(token) = self.tokens.get_mut(&digest)
            && token.retired.is_none()
            && token.is_worth_touching(now, super::FROM)
        {
            *token = token.touched(now, idle, super::FROM);
        }
    }

    pub(super) fn end_family(&mut self, digest: Digest) {
        if let Some(family) = self.tokens.get(&digest).map(|token| token.family) {
            self.end_family_named(family);
        }
    }

    fn end_family_named(&mut self, family: TokenId) {
        self.tokens.retain(|_, token| token.family != family);
    }

    pub(super) fn put_reset(&mut self, user: UserId, code: Digest, end: Timestamp) -> bool {
        let active = self.active(user).is_some();
        if active {
            self.resets.insert(user, (code, end));
        }
        active
    }

    pub(super) fn find_reset(&self, code: Digest, now: Timestamp) -> Option<UserId> {
        let found = self
            .resets
            .iter()
            .find(|(_, (known, end))| *known == code && now < *end);
        found.map(|(user, _)| *user)
    }

    pub(super) fn redeem_reset(&mut self, code: Digest, hash: String, now: Timestamp) -> Redeemed {
        let Some(user) = self.find_reset(code, now) else {
            return Redeemed::Refused;
        };
        self.set_password(user, hash);
        Redeemed::Done(user)
    }

    pub(super) fn append_events(
        &mut self,
        reporter: Principal,
        events: Vec<Stored>,
        promise: Option<Idempotency>,
        now: Timestamp,
    ) -> Appended {
        let key = promise.map(|promise| (reporter, promise.key));
        let known = key
            .and_then(|key| self.promises.get(&key))
            .filter(|(_, _, end)| now < *end);
        match (known, promise) {
            (Some((body, count, _)), Some(promise)) if *body == promise.body => {
                return Appended::Replayed(*count);
            }
            (Some(_), _) => return Appended::KeyReused,
            (None, _) => {}
        }
        if let Some(index) = events
            .iter()
            .position(|it| !self.users.contains_key(&it.subject))
        {
            return Appended::UnknownUser(index);
        }
        if let Principal::User(id) = reporter
            && !self.users.contains_key(&id)
        {
            return Appended::UnknownReporter;
        }
        if let (Some(key), Some(promise)) = (key, promise) {
            let end = now.after(limits::IDEMPOTENCY_LIFETIME);
            self.promises.insert(key, (promise.body, events.len(), end));
        }
        let count = events.len();
        for event in events {
            self.counts
                .entry((event.at.hour(), event.name.clone()))
                .or_default()
                .push(event.subject);
            let seen = self.seen.entry(event.at.hour()).or_default();
            seen.insert(event.subject);
            self.events.push(event);
        }
        Appended::Stored(count)
    }

    /// Removes all events but the newest `count`, and returns the removed ones.
    pub(super) fn keep_newest(&mut self, count: usize) -> Vec<Stored> {
        let gone = self.events.len().checked_sub(count).unwrap();
        self.events.drain(..gone).collect()
    }

    /// Removes matching events, subtracts them from the counts, and returns their number.
    pub(super) fn erase_events(&mut self, what: &Erasure) -> u64 {
        let is_meant = |event: &Stored| {
            what.name.as_ref().is_none_or(|name| event.name == *name)
                && what.subject.is_none_or(|subject| event.subject == subject)
                && what.before.is_none_or(|before| event.at < before)
        };
        let (gone, kept) = std::mem::take(&mut self.events)
            .into_iter()
            .partition(is_meant);
        self.events = kept;
        let gone: Vec<Stored> = gone;
        for event in &gone {
            let hour = (event.at.hour(), event.name.clone());
            let about = self.counts.get_mut(&hour).unwrap();
            let place = about.iter().position(|user| *user == event.subject);
            about.swap_remove(place.unwrap());
        }
        self.counts.retain(|_, about| !about.is_empty());
        gone.len() as u64
    }
}
