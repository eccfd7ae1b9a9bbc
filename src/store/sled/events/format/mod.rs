//! How a block of events is coded.

pub(crate) mod block;
pub(crate) mod block_stats;
pub(crate) mod columns;
pub(crate) mod templates;
pub(crate) mod varint;
