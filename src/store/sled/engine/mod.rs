//! What knows bytes, keys, groups and disks, and no noun of the domain.

pub(crate) mod cache;
pub(crate) mod disk_space;
pub(crate) mod fdatasync;
pub(crate) mod group_commit;
pub(crate) mod keys;
pub(crate) mod open;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod transaction;
pub(crate) mod writer;
