//! Accounts and their tokens, invites, reset codes and due mail. Each file holds the records and
//! keys of its noun, the steps that change them, and their part of the contract.

mod account_store;
mod address_move;
pub(crate) mod ended;
pub(crate) mod exchanges;
mod indexes;
mod invite_store;
pub(crate) mod invites;
mod machine_store;
pub(crate) mod machines;
pub(crate) mod made_invites;
mod names;
pub(crate) mod outbox;
pub(crate) mod renewal;
pub(crate) mod resets;
mod rotation;
mod signing;
mod token_list;
mod token_store;
pub(crate) mod tokens;
mod user_list;
pub(crate) mod users;
