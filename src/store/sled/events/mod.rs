//! Events: how they are stored, read, merged, erased, counted and listened to.

mod append;
mod block_access;
pub(crate) mod block_iter;
mod candidates;
mod compaction;
pub(crate) mod counts;
pub(crate) mod dedup;
pub(crate) mod disk_writes;
mod erase;
pub(crate) mod event_log;
mod event_store;
mod filter;
mod format;
pub(crate) mod idempotency;
mod listener;
pub(crate) mod live;
mod reader;
pub(crate) mod remembered;
mod replay;
mod report;
mod resolver;
pub(crate) mod retention;
mod scan;
mod step_changes;
mod totals;
mod unused_names;
pub(crate) mod user_directory;
