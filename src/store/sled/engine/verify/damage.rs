//! What is wrong with a file of the database, in words for its owner.

use std::fmt;

/// What is wrong with a file of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    file: String,
    offset: Option<u64>,
    what: String,
}

impl Damage {
    pub(super) fn of(file: &str, what: String) -> Damage {
        Damage {
            file: file.to_owned(),
            offset: None,
            what,
        }
    }

    pub(super) fn at(file: &str, offset: u64, what: String) -> Damage {
        Damage {
            offset: Some(offset),
            ..Damage::of(file, what)
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file `{}` is damaged", self.file)?;
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        write!(f, ": {}", self.what)
    }
}
