//! Remembers what was found damaged: each thing is logged once, and the health report gives their
//! number.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::sync::lock;

/// The largest number of things that are remembered and logged: with more, the whole disk is lost.
const KNOWN: usize = 10_000;

/// What was found damaged since the start.
#[derive(Default)]
pub(crate) struct Damaged(Mutex<BTreeSet<String>>);

impl Damaged {
    /// Notes something damaged and logs it, unless it is known.
    pub(crate) fn note(&self, what: String) {
        let mut known = lock(&self.0);
        if known.len() < KNOWN && !known.contains(&what) {
            log::error!("{what}");
            known.insert(what);
        }
    }

    /// How much was found.
    pub(crate) fn count(&self) -> usize {
        lock(&self.0).len()
    }
}
