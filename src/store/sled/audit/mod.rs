//! The audit log: its records, which are put in the step of the change that they tell of, lists of
//! them, and listeners that hear of them when they are on the disk.

pub(crate) mod feed;
pub(crate) mod log;
mod store;
