//! Counts events: exact counters by hour and name, the numbers of names, and sketches that estimate
//! how many users there were.

pub(crate) mod count_by_name;
pub(crate) mod count_query;
pub(crate) mod counters;
pub(crate) mod name_record;
pub(crate) mod names;
pub(crate) mod sketches;
