//! Tells other services what a token is (RFC 7662).

use std::sync::Arc;

use super::{Error, Services};
use crate::crypto;
use crate::model::{Secret, Timestamp, Token, TokenStatus, User};

/// A live token, for a service that asks about it.
#[derive(Debug, Clone)]
pub struct Introspected {
    /// The token.
    pub token: Arc<Token>,
    /// The account that acts with it, if its holder is one.
    pub user: Option<Arc<User>>,
}

impl Services {
    /// The token with this secret, if it is live. Does not count as a use of it.
    pub async fn introspect(
        &self,
        shown: &Secret,
        now: Timestamp,
    ) -> Result<Option<Introspected>, Error> {
        let found = match self.find_token(&crypto::digest_of(shown)).await {
            Ok(found) => found,
            Err(Error::BadToken) => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_live = self.status(&found, now) == TokenStatus::Live;
        Ok(is_live.then_some(Introspected {
            token: found.token,
            user: found.user,
        }))
    }
}
