//! The record of the name of events that a number stands for.

use serde::{Deserialize, Serialize};

use crate::store::Result;
use crate::store::sled::engine::keys::key;
use crate::store::sled::engine::record::second_postcard_records;
use crate::store::sled::events::format::columns::Reporter;

/// Names that one step stores or removes: a step must fit into the last of a nearly full disk.
pub(crate) const STEP_NAMES: usize = 256;

key! {
    /// The name of events that a number stands for.
    NameKey { id: u32 } EventName => NameRecord
}

/// A name that has a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NameRecord {
    pub(crate) name: String,
    /// Who brought it; none if it was stored before that was recorded.
    pub(crate) reporter: Option<Reporter>,
}

impl NameRecord {
    /// In the place of a name that was lost with damaged files.
    pub(crate) fn lost(id: u32) -> NameRecord {
        NameRecord {
            name: format!("(lost {id})"),
            reporter: None,
        }
    }
}

second_postcard_records!(NameRecord: name_alone);

/// Version 1 was the name alone.
fn name_alone(body: &[u8]) -> Result<NameRecord, postcard::Error> {
    Ok(NameRecord {
        name: postcard::from_bytes(body)?,
        reporter: None,
    })
}
