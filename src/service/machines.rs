//! Makes, lists, rotates and ends machine tokens.

use std::time::Duration;

use ipnet::IpNet;

use super::{Administrator, Bearer, Error, Issued, Services};
use crate::model::{
    Actor, Caller, Grant, Invalid, MachineName, MachinePage, MachineQuery, Principal, Refusal,
    Scope, Timestamp, Token, TokenId, TokenKind, TokenStatus, UserId, limits,
};
use crate::store::{MachineIssued, Rotation};

/// A machine token to make.
#[derive(Debug, Clone)]
pub struct NewMachine {
    /// The name of the machine.
    pub name: MachineName,
    /// What it may do: at least one thing.
    pub scopes: Vec<Scope>,
    /// The user whom its events are about, and whose tokens' fate it shares; none: nobody.
    pub user: Option<UserId>,
    /// From where it may be used; none: from everywhere.
    pub networks: Vec<IpNet>,
    /// When it expires; none: never.
    pub expires_at: Option<Timestamp>,
}

/// The person who makes a machine token.
#[derive(Debug, Clone)]
pub struct Maker {
    actor: Actor,
    /// The token of the request: a token that ends meanwhile makes none. None: it needed none.
    token: Option<TokenId>,
}

impl Maker {
    /// A user, for own programs.
    pub fn of_user(bearer: &Bearer) -> Maker {
        Maker {
            actor: bearer.actor(),
            token: Some(bearer.token.id),
        }
    }
}

impl Services {
    /// The administrator as a maker. Error: `NotGranted` for a machine, whose token would make
    /// others that outlive it; the audit log says so.
    pub fn maker(&self, administrator: &Administrator, caller: &Caller) -> Result<Maker, Error> {
        if let Some(machine) = administrator.machine() {
            self.note_refusal(machine, Refusal::Person, caller);
            return Err(Refusal::Person.into());
        }
        Ok(Maker {
            actor: administrator.actor(),
            token: administrator.token(),
        })
    }

    /// Makes a machine token.
    pub async fn make_machine_token(
        &self,
        machine: NewMachine,
        maker: Maker,
        caller: &Caller,
    ) -> Result<Issued, Error> {
        if machine.scopes.is_empty() {
            return Err(Invalid::new("scopes", "must name at least one scope").into());
        }
        let most = limits::MACHINE_NETWORKS;
        if machine.networks.len() > most {
            return Err(Invalid::new("networks", format!("must be at most {most}")).into());
        }
        let holder = match machine.user {
            Some(user) => Principal::User(user),
            None => Principal::Machine(machine.name),
        };
        let mut issued = self.draft(TokenKind::Machine, holder, 0, caller);
        issued.token = until(issued.token, end(machine.expires_at, caller.at)?);
        issued.token.grant = Some(Grant {
            name: machine.name,
            scopes: machine.scopes,
            networks: machine.networks,
            created_by: maker.actor.clone(),
            last_address: None,
        });
        let config = self.config();
        let most = match maker.actor.user() {
            Some(_) => config.tokens.per_user,
            None => config.tokens.machine_tokens,
        };
        let by = caller.acting(maker.actor);
        let made = self
            .store
            .issue_machine_token(issued.as_new(), most, maker.token, by);
        let token = issued_token(made.await?, most)?;
        Ok(Issued { token, ..issued })
    }

    /// A page of the machine tokens that the administrator made.
    pub async fn list_machine_tokens(&self, query: MachineQuery) -> Result<MachinePage, Error> {
        Ok(self.store.list_machine_tokens(query).await?)
    }

    /// The machine token with this public id, with its status. Error: `UnknownId`.
    pub async fn machine_token(
        &self,
        id: TokenId,
        now: Timestamp,
    ) -> Result<(Token, TokenStatus), Error> {
        let (token, status) = self.token(id, now).await?;
        let is_machine = token.kind == TokenKind::Machine;
        is_machine
            .then_some((token, status))
            .ok_or(Error::UnknownId)
    }

    /// Ends the machine token with this public id, and none of those that it was rotated from or
    /// to. The token in use is ended only on purpose.
    pub async fn end_machine_token(
        &self,
        administrator: &Administrator,
        id: TokenId,
        own: bool,
        caller: &Caller,
    ) -> Result<(), Error> {
        self.machine_token(id, caller.at).await?;
        let by = caller.acting(administrator.actor());
        self.end_token(administrator, id, own, by).await
    }

    /// Issues a token in the place of a live machine token of the administrator's. The one with its
    /// name that was used last lives on for `overlap`. Without `expires_at` the new one ends when
    /// the old one would have ended without a rotation. Error: `UnknownId`.
    pub async fn rotate_machine_token(
        &self,
        id: TokenId,
        overlap: Duration,
        expires_at: Option<Timestamp>,
        maker: Maker,
        caller: &Caller,
    ) -> Result<Issued, Error> {
        let now = caller.at;
        if !limits::ROTATION_OVERLAP.contains(&overlap) {
            let most = limits::ROTATION_OVERLAP.end().as_secs();
            let why = format!("must be a number from 0 to {most}");
            return Err(Invalid::new("overlap_seconds", why).into());
        }
        let (old, _) = self.machine_token(id, now).await?;
        let issued = self.draft(TokenKind::Machine, old.holder, old.epoch, caller);
        let rotation = Rotation {
            old_ends_at: now.after(overlap),
            expires_at: expires_at.map(|at| end(Some(at), now)).transpose()?,
        };
        let by = caller.acting(maker.actor);
        let rotated =
            self.store
                .rotate_machine_token(id, issued.as_new(), rotation, maker.token, by);
        let token = issued_token(rotated.await?, 0)?;
        Ok(Issued { token, ..issued })
    }

    /// The live machine tokens that a user made, the newest first.
    pub async fn own_machine_tokens(
        &self,
        bearer: &Bearer,
        now: Timestamp,
    ) -> Result<Vec<Token>, Error> {
        let mut tokens = self.store.live_tokens(bearer.token.holder, now).await?;
        tokens.retain(|token| token.grant.as_ref().is_some_and(Grant::is_users_own));
        tokens.sort_by_key(|token| std::cmp::Reverse((token.issued_at, token.id)));
        Ok(tokens)
    }

    /// Ends a machine token that the bearer made. Error: `UnknownId`.
    pub async fn end_own_machine_token(
        &self,
        bearer: &Bearer,
        id: TokenId,
        caller: &Caller,
    ) -> Result<(), Error> {
        let own = self.own_machine_tokens(bearer, caller.at).await?;
        let by = caller.acting(bearer.actor());
        if own.iter().any(|token| token.id == id)
            && self.store.end_token(bearer.token.holder, id, by).await?
        {
            Ok(())
        } else {
            Err(Error::UnknownId)
        }
    }
}

/// The token that was made, or why none was; there may be `most`.
fn issued_token(issued: MachineIssued, most: usize) -> Result<Token, Error> {
    match issued {
        MachineIssued::Done(token) => Ok(*token),
        MachineIssued::NameTaken => Err(Error::Conflict(
            "a live machine token has this name: rotate it, end it, or take another name"
                .to_owned(),
        )),
        MachineIssued::TooMany => Err(Error::Conflict(format!(
            "there are {most} machine tokens already: end one that is not used"
        ))),
        MachineIssued::NoMoreNames => Err(Error::Conflict(format!(
            "machines have had {} names, and events keep them all: take the name of a machine \
             whose token has ended",
            limits::MACHINE_NAMES
        ))),
        MachineIssued::UnknownHolder => {
            Err(Invalid::new("user_id", "is not the id of a user who may act").into())
        }
        MachineIssued::MakerEnded => Err(Error::BadToken),
        MachineIssued::UnknownToken => Err(Error::UnknownId),
    }
}

/// The end of a token that is to expire at this moment, or never.
fn end(expires_at: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Invalid> {
    match expires_at {
        None => Ok(Timestamp::NEVER),
        Some(at) if at <= now => Err(Invalid::new("expires_at", "must lie ahead")),
        Some(at) => Ok(at.min(Timestamp::NEVER)),
    }
}

fn until(token: Token, expires_at: Timestamp) -> Token {
    Token {
        expires_at,
        refreshable_until: expires_at,
        ..token
    }
}
