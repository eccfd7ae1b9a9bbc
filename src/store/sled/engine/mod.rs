//! The storage engine: keys, records, groups and disks. It knows the bytes of a record and nothing
//! of its meaning.

pub(crate) mod cache;
pub(crate) mod disk_space;
pub(crate) mod expiry;
pub(crate) mod fdatasync;
pub(crate) mod group_commit;
pub(crate) mod keys;
pub(crate) mod open;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod registry;
pub(crate) mod transaction;
pub(crate) mod writer;
