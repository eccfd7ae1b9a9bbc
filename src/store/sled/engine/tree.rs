//! The only tree of the database, with the damaged records that were found in it.

use std::ops::Deref;
use std::sync::Arc;

use crate::store::sled::engine::damaged::Damaged;

/// The tree. Clones share it.
#[derive(Clone)]
pub(crate) struct Tree {
    tree: sled::Tree,
    damaged: Arc<Damaged>,
}

impl Tree {
    /// The tree of a database that was just opened.
    pub(crate) fn of(db: &sled::Db) -> Tree {
        Tree {
            tree: sled::Tree::clone(db),
            damaged: Arc::default(),
        }
    }

    /// The damaged records that were found since it was opened.
    pub(crate) fn damaged(&self) -> &Damaged {
        &self.damaged
    }
}

impl Deref for Tree {
    type Target = sled::Tree;

    fn deref(&self) -> &sled::Tree {
        &self.tree
    }
}
