//! Reads the files of the database before sled opens them, changes nothing, and says whether all of
//! what was acknowledged is there.
//!
//! sled passes over damage in silence. So its recovery is followed here step by step (`recovery`)
//! to the tree that it will serve (`tree`), and that tree is held against what is known of it: the
//! number of the last group that was acknowledged (`commit_mark`), and the count and the sum of the
//! records after the group that the tree ends with (`committed`). If both agree, nothing is
//! missing, whatever a crash has left in the files. No guess about torn writes is needed.

mod bytes;
mod conf;
mod damage;
mod database;
mod log;
mod message;
mod node;
mod page_table;
mod read_ahead;
mod recovery;
mod tree;
mod verdict;

pub(crate) use damage::Damage;
pub(crate) use database::salvage;
pub(crate) use verdict::{DAMAGE, FORMAT, FORMAT_VERSION, Findings, STORE_ID, examine, own_keys};
