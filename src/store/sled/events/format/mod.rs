//! Encodes events: columns of a block, details as templates, numbers as varints, the statistics of
//! a merged block, and the parts in which the tree stores a block.

pub(crate) mod block;
pub(crate) mod block_stats;
pub(crate) mod columns;
pub(crate) mod parts;
mod templates;
mod varint;
