//! A handler together with what its type asks for: who makes a client the administrator, and the
//! arguments that only a check makes.

use super::{HandlerFuture, RequestContext, UserBearer};
use crate::service::{self, Administrator, Bearer, Services};

/// What makes a client the administrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// A live token.
    Token,
    /// The connection itself: only the administrator can open the control socket.
    Connection,
}

/// A handler with the credentials that its type requires.
pub(super) enum Authorized {
    Open(fn(RequestContext) -> HandlerFuture),
    Authenticated(fn(RequestContext, Bearer) -> HandlerFuture, Bearer),
    Admin(
        fn(RequestContext, Administrator) -> HandlerFuture,
        Administrator,
    ),
    User(fn(RequestContext, UserBearer) -> HandlerFuture, UserBearer),
}

impl Authorized {
    /// Checks once more that the token is live. Errors: those of a token that is not.
    pub(super) async fn check_again(&self, services: &Services) -> Result<(), service::Error> {
        match self {
            Authorized::Open(_) => Ok(()),
            Authorized::Authenticated(_, bearer)
            | Authorized::User(_, UserBearer { bearer, .. }) => services.check_again(bearer).await,
            Authorized::Admin(_, administrator) => services.check_access_again(administrator).await,
        }
    }

    /// Runs the handler.
    pub(super) fn run(self, request: RequestContext) -> HandlerFuture {
        match self {
            Authorized::Open(run) => run(request),
            Authorized::Authenticated(run, bearer) => run(request, bearer),
            Authorized::Admin(run, administrator) => run(request, administrator),
            Authorized::User(run, bearer) => run(request, bearer),
        }
    }
}
