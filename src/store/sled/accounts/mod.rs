//! Accounts, tokens, invites, reset codes and the outbox.

pub(crate) mod expiry;
pub(crate) mod invites;
pub(crate) mod outbox;
pub(crate) mod resets;
pub(crate) mod tokens;
pub(crate) mod users;
