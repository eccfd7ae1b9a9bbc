//! The store on sled 0.34.7, an embedded ordered map. No type of sled leaves this directory.
//!
//! One tree, typed keys, checked records. One thread writes: it runs *steps* over a transaction,
//! applies each group of them as one batch and makes it durable before it answers. Everything else
//! reads the tree directly, tokens and accounts through bounded caches.
//!
//! | directory | knows |
//! |---|---|
//! | `engine` | bytes, keys, groups and disks, and no noun |
//! | `accounts` | users, tokens, invites, reset codes, the outbox |
//! | `audit` | who changed what |
//! | `events` | blocks of events, their counters, their listeners |
//!
//! `accounts` and `events` use `audit` and `engine`, and neither uses the other. `store` holds the
//! state that they share, `start` opens the store, `maintenance` sweeps, measures and closes it.

mod accounts;
mod audit;
mod engine;
mod events;
mod maintenance;
mod options;
#[cfg(test)]
mod small_disk;
mod start;
mod stats;
mod store;

pub use events::disk_writes::WriteMeter;
pub use options::StoreOptions;
pub use store::SledStore;
