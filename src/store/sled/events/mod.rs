//! Events: storing, reading, merging, erasing, listening.

pub(crate) mod append;
pub(crate) mod block_access;
pub(crate) mod block_iter;
pub(crate) mod compaction;
pub(crate) mod counts;
pub(crate) mod damage;
pub(crate) mod dedup;
pub(crate) mod disk_writes;
pub(crate) mod erase;
pub(crate) mod format;
pub(crate) mod live;
pub(crate) mod reader;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod resolver;
pub(crate) mod scan;
