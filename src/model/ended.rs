//! What is remembered of a token or a code that has ended, so that the administrator can be told
//! why it is not accepted any more.

use serde::{Deserialize, Serialize};

use super::numbered::numbered;
use super::{Actor, AuditContext, Client, Principal, Timestamp, Token, TokenId, TokenKind};

numbered! {
    /// Why a token or a code ended.
    EndReason {
        /// Its time was over.
        1 Expired "expired",
        /// Its holder logged out.
        2 LoggedOut "logged_out",
        /// It was ended by its public id, or with all tokens of its holder.
        3 Ended "ended",
        /// Its holder had as many tokens as allowed, and it was the least recently used.
        4 MadeRoom "made_room",
        /// It was exchanged for another.
        5 Exchanged "exchanged",
        /// An exchanged token of its login was used again: a client had stolen it.
        6 Reused "reused",
        /// Its holder's tokens were ended: a new password, a disabled account.
        7 Revoked "revoked",
        /// The account was deleted.
        8 AccountDeleted "account_deleted",
        /// A later code took its place.
        9 Replaced "replaced",
        /// It was used.
        10 Used "used",
        /// The account's address or password changed.
        11 Withdrawn "withdrawn",
    }
}

/// What it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretKind {
    /// A token of this kind.
    Token(TokenKind),
    /// A reset code.
    ResetCode,
    /// The code of an invite.
    Invite,
}

/// A token or a code that has ended. The store finds it by the digest of its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSecret {
    /// What it was.
    pub kind: SecretKind,
    /// Whose it was.
    pub holder: Principal,
    /// The public id, if it was a token.
    pub id: Option<TokenId>,
    /// Until when it would have been good.
    pub expires_at: Timestamp,
    /// The client that a token was issued to.
    pub client: Option<Client>,
    /// When it ended.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
    /// Who ended it.
    pub by: Actor,
}

/// The end of a token or a code: when, why, by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
    /// By whom.
    pub by: Actor,
}

impl End {
    /// An end by the one who makes a change.
    pub fn by(context: &AuditContext, reason: EndReason) -> End {
        End {
            at: context.at,
            reason,
            by: context.actor.clone(),
        }
    }

    /// An end by the server.
    pub fn by_server(at: Timestamp, reason: EndReason) -> End {
        End {
            at,
            reason,
            by: Actor::Server,
        }
    }

    /// What is remembered of a token that ends like this.
    pub fn of_token(&self, token: &Token) -> EndedSecret {
        EndedSecret {
            kind: SecretKind::Token(token.kind),
            holder: token.holder,
            id: Some(token.id),
            expires_at: token.expires_at,
            client: Some(token.client.clone()),
            at: self.at,
            reason: self.reason,
            by: self.by.clone(),
        }
    }

    /// What is remembered of an invite that ends like this.
    pub fn of_invite(&self, expires_at: Timestamp) -> EndedSecret {
        EndedSecret {
            kind: SecretKind::Invite,
            ..self.of_code(Principal::Admin, expires_at)
        }
    }

    /// What is remembered of the reset code of a holder that ends like this.
    pub fn of_code(&self, holder: Principal, expires_at: Timestamp) -> EndedSecret {
        EndedSecret {
            kind: SecretKind::ResetCode,
            holder,
            id: None,
            expires_at,
            client: None,
            at: self.at,
            reason: self.reason,
            by: self.by.clone(),
        }
    }
}
