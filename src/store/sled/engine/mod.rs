//! The storage engine: keys, records, groups and disks. It knows the bytes of a record and nothing
//! of its meaning.

pub(crate) mod cache;
pub(crate) mod commit_mark;
pub(crate) mod committed;
pub(crate) mod damaged;
pub(crate) mod directory;
pub(crate) mod disk_space;
pub(crate) mod expiry;
pub(crate) mod fdatasync;
mod files;
pub(crate) mod group_commit;
pub(crate) mod group_state;
pub(crate) mod keys;
pub(crate) mod kind_counts;
pub(crate) mod ledger;
pub(crate) mod newest_moment;
pub(crate) mod open;
pub(crate) mod queue;
pub(crate) mod read;
pub(crate) mod record;
pub(crate) mod recount;
pub(crate) mod registry;
pub(crate) mod salvage;
pub(crate) mod step;
pub(crate) mod stoppable_thread;
pub(crate) mod transaction;
pub(crate) mod tree;
pub(crate) mod verify;
pub(crate) mod writer;
