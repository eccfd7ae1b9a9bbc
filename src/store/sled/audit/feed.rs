//! Hands the entries of the audit log to its listeners, once their group is on the disk.

use async_trait::async_trait;
use tokio::sync::broadcast::{self, error::RecvError};

use crate::model::{AuditEntry, AuditPlace, AuditQuery};
use crate::store::sled::audit::log::AuditKey;
use crate::store::sled::engine::keys::Key;
use crate::store::sled::engine::read::Read;
use crate::store::sled::engine::tree::Tree;
use crate::store::{AuditListener, Error, Heard, Result};

/// Entries that a listener may lag behind. Their places wait, 16 bytes each, and not the entries.
const WAITING: usize = 4_096;

/// Tells listeners which entries were written.
pub(crate) struct AuditFeed(broadcast::Sender<AuditPlace>);

impl AuditFeed {
    /// A feed without listeners.
    pub(crate) fn new() -> AuditFeed {
        AuditFeed(broadcast::Sender::new(WAITING))
    }

    /// Notes the keys that a group on the disk has changed. Entries are never changed, and a
    /// removed one can no longer be read.
    pub(crate) fn note(&self, changed: &[Vec<u8>]) {
        if self.0.receiver_count() == 0 {
            return;
        }
        for key in changed.iter().filter_map(|key| AuditKey::parse(key)) {
            // An error means that the last listener has gone meanwhile.
            let _ = self.0.send(key.place());
        }
    }

    /// Registers a listener.
    pub(crate) fn listen(&self, tree: Tree, query: AuditQuery) -> Listener {
        Listener {
            places: self.0.subscribe(),
            tree,
            query,
        }
    }
}

/// A registered listener.
pub(crate) struct Listener {
    places: broadcast::Receiver<AuditPlace>,
    tree: Tree,
    query: AuditQuery,
}

impl Listener {
    fn read(&self, place: AuditPlace) -> Result<Option<AuditEntry>> {
        let entry = self.tree.fetch_readable(&AuditKey::of(place))?;
        Ok(entry.filter(|entry| self.query.matches(entry)))
    }
}

#[async_trait]
impl AuditListener for Listener {
    async fn next(&mut self) -> Result<Heard> {
        loop {
            match self.places.recv().await {
                Ok(place) => {
                    if let Some(entry) = self.read(place)? {
                        return Ok(Heard::Entry(place, Box::new(entry)));
                    }
                }
                Err(RecvError::Lagged(missed)) => return Ok(Heard::Missed(missed)),
                Err(RecvError::Closed) => return Err(Error::Stopped("it is closed".to_owned())),
            }
        }
    }
}
