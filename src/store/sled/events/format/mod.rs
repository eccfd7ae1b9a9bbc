//! How events are coded: columns of a block, details as templates, numbers as varints; what a
//! merged block says about itself; and the parts in which a block lies in the tree.

pub(crate) mod block;
pub(crate) mod block_stats;
pub(crate) mod columns;
pub(crate) mod parts;
mod templates;
mod varint;
