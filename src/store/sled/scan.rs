//! Reading many events in one go, block by block: nothing is kept but the block at hand and what its numbers stand for.

use std::collections::HashMap;
use std::sync::Arc;

use sled::Tree;

use super::super::{EventScan, Outcome};
use super::blocks::{Block, Packed, Reporter};
use super::events::Names;
use super::history::{self, Blocks};
use super::keys::NumberKey;
use super::view::Read;
use crate::model::{EventQuery, EventRow, Holder, Order, Position, UserId, UserNumber};

/// Names and ids that are kept at hand: enough for what is busy at a time, and a few megabytes at the most. When there are more, all are
/// forgotten and looked up anew.
const KNOWN: usize = 32 * 1024;

/// What the numbers in blocks stand for. Each is looked up once and not for every event.
pub(super) struct Lookup {
    tree: Tree,
    names: Arc<Names>,
    known_names: HashMap<u32, String>,
    known_users: HashMap<UserNumber, Option<UserId>>,
}

impl Lookup {
    pub(super) fn new(tree: &Tree, names: &Arc<Names>) -> Lookup {
        Lookup {
            tree: tree.clone(),
            names: Arc::clone(names),
            known_names: HashMap::new(),
            known_users: HashMap::new(),
        }
    }

    /// Tells an event with names and ids in the place of numbers.
    pub(super) fn tell(
        &mut self,
        position: Position,
        packed: &Packed<'_>,
        tell: &mut dyn FnMut(&EventRow<'_>),
    ) -> Outcome<()> {
        let subject = self.user(packed.subject)?;
        let reporter = match packed.reporter {
            Reporter::Admin => Some(Holder::Admin),
            Reporter::Hub => Some(Holder::Hub),
            Reporter::User(number) => self.user(number)?.map(Holder::User),
        };
        tell(&EventRow {
            position,
            at: packed.at,
            name: self.name(packed.name),
            subject,
            reporter,
            details: packed.details,
        });
        Ok(())
    }

    fn name(&mut self, number: u32) -> &str {
        make_room(&mut self.known_names);
        let names = &self.names;
        self.known_names
            .entry(number)
            .or_insert_with(|| names.name(number))
    }

    fn user(&mut self, number: UserNumber) -> Outcome<Option<UserId>> {
        if let Some(known) = self.known_users.get(&number) {
            return Ok(*known);
        }
        let id = self.tree.fetch(&NumberKey { number })?;
        make_room(&mut self.known_users);
        self.known_users.insert(number, id);
        Ok(id)
    }
}

fn make_room<K, V>(known: &mut HashMap<K, V>) {
    if known.len() >= KNOWN {
        known.clear();
    }
}

/// A reading of all events that a question asks for.
pub(super) struct Scan {
    query: EventQuery,
    blocks: Blocks,
    lookup: Lookup,
}

impl Scan {
    pub(super) fn begin(tree: &Tree, names: &Arc<Names>, query: EventQuery) -> Scan {
        Scan {
            blocks: Blocks::new(tree, &query),
            lookup: Lookup::new(tree, names),
            query,
        }
    }
}

impl EventScan for Scan {
    fn advance(&mut self, tell: &mut dyn FnMut(&EventRow<'_>)) -> Outcome<bool> {
        let (query, lookup) = (&self.query, &mut self.lookup);
        let Some(wanted) = history::resolve(&lookup.tree, &lookup.names, query)? else {
            return Ok(false);
        };
        let Some((key, bytes)) = self.blocks.next()? else {
            return Ok(false);
        };
        let block = Block::open(key.at, &bytes)?;
        let packed = block.events()?;
        let mut placed: Vec<_> = (0..).zip(&packed).collect();
        if query.order == Order::Descending {
            placed.reverse();
        }
        for (place, event) in placed {
            let position = history::position(&key, place);
            if history::is_behind(position, query) && wanted.matches(event) {
                lookup.tell(position, event, tell)?;
            }
        }
        Ok(true)
    }
}
