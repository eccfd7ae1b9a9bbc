//! Counters, names and sketches.

pub(crate) mod count_by_name;
pub(crate) mod count_query;
pub(crate) mod counters;
pub(crate) mod names;
pub(crate) mod sketches;
