//! The record of the name of events that a number stands for.

use serde::{Deserialize, Serialize};

use crate::store::Result;
use crate::store::sled::engine::keys::key;
use crate::store::sled::engine::record::Record;
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

impl Record for NameRecord {
    const VERSION: u8 = 2;

    fn to_body(&self) -> Result<Vec<u8>, postcard::Error> {
        postcard::to_stdvec(self)
    }

    fn from_body(body: &[u8]) -> Result<NameRecord, postcard::Error> {
        postcard::from_bytes(body)
    }

    /// Version 1 was the name alone.
    fn from_earlier(version: u8, body: &[u8]) -> Option<Result<NameRecord, postcard::Error>> {
        let name = |name| NameRecord {
            name,
            reporter: None,
        };
        (version == 1).then(|| postcard::from_bytes(body).map(name))
    }
}
