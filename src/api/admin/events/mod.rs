//! Events in the admin API: lists, exports, live streams, counts and erasure. One file per route.

mod cursor;
mod erase;
mod export;
mod list;
mod live;
mod query;
mod row;
mod summary;

pub(super) use erase::ROUTE as ERASE;
pub(super) use export::ROUTE as EXPORT;
pub(super) use list::ROUTE as LIST;
pub(super) use live::ROUTE as LIVE;
pub(super) use summary::ROUTE as SUMMARY;
