//! The proof that a request comes from the administrator: by a token, or over the control socket.

use std::future::pending;

use super::{Bearer, Error, Services};
use crate::model::{Actor, Principal, Token, TokenId};

/// The administrator. Only a checked token makes one, or the control socket, which only the owner
/// of the data directory and root can open.
#[derive(Debug, Clone)]
pub struct Administrator(Proof);

#[derive(Debug, Clone)]
enum Proof {
    Token(Bearer),
    Control(u32),
}

impl Administrator {
    /// The administrator who holds this token, or the machine that `authenticate` found to have the
    /// scope that the request needs. Error: `NotPermitted` if it is somebody else's.
    pub fn of_token(bearer: Bearer) -> Result<Administrator, Error> {
        match (bearer.token.holder, &bearer.token.grant) {
            (_, Some(_)) | (Principal::Admin, None) => Ok(Administrator(Proof::Token(bearer))),
            (Principal::Hub | Principal::User(_) | Principal::Machine(_), None) => {
                Err(Error::NotPermitted)
            }
        }
    }

    /// Whoever has opened the control socket, or the data directory itself, as this user of the
    /// system.
    pub fn of_control(uid: u32) -> Administrator {
        Administrator(Proof::Control(uid))
    }

    /// Who acts, for the audit log.
    pub fn actor(&self) -> Actor {
        match &self.0 {
            Proof::Token(bearer) => bearer.actor(),
            Proof::Control(uid) => Actor::Control(*uid),
        }
    }

    /// The public id of the token in use, if there is one.
    pub fn token(&self) -> Option<TokenId> {
        match &self.0 {
            Proof::Token(bearer) => Some(bearer.token.id),
            Proof::Control(_) => None,
        }
    }

    /// The token in use, if it is a machine's.
    pub(super) fn machine(&self) -> Option<&Token> {
        match &self.0 {
            Proof::Token(bearer) => Some(&*bearer.token).filter(|it| it.grant.is_some()),
            Proof::Control(_) => None,
        }
    }

    /// The id that exports and live streams are counted under; all of the control socket share one.
    pub(super) fn counted_as(&self) -> TokenId {
        self.token().unwrap_or(TokenId(uuid::Uuid::nil()))
    }
}

impl Services {
    /// Checks once more that the administrator's token is live; the control socket needs none.
    /// Errors: those of a token that is not.
    pub async fn check_access_again(&self, administrator: &Administrator) -> Result<(), Error> {
        match &administrator.0 {
            Proof::Token(bearer) => self.check_again(bearer).await,
            Proof::Control(_) => Ok(()),
        }
    }

    /// Resolves when the administrator's token is no longer live; never, over the control socket.
    pub async fn end_of_access(&self, administrator: &Administrator) {
        match &administrator.0 {
            Proof::Token(bearer) => self.token_end(bearer).await,
            Proof::Control(_) => pending().await,
        }
    }
}
