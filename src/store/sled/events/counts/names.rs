//! Gives numbers to event names. A name keeps its number for ever. The number of names is limited;
//! further ones are stored with their events but counted under one name, so that clients cannot
//! fill the memory with names.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use sled::Tree;

use crate::model::{NewEvent, limits};
use crate::store::Result;
use crate::store::sled::engine::keys::key;
use crate::store::sled::engine::transaction::{Read, Transaction};
use crate::store::sled::events::format::columns::OTHER;
use crate::sync::recover;

key! {
    /// The number of an event name, with the name as the record.
    NameKey { id: u32 } EventName => String
}

/// The names and their numbers.
pub(crate) struct Names {
    table: RwLock<NameTable>,
    /// The largest number of names that get a number of their own.
    most: usize,
    /// Set when the log has a warning that there are more.
    is_told: AtomicBool,
}

#[derive(Default)]
struct NameTable {
    numbers: HashMap<Arc<str>, u32>,
    /// The name of each number; [`OTHER`] is the first.
    names: Vec<Arc<str>>,
}

impl Names {
    /// Reads the names that are stored. At most `most` get a number.
    pub(crate) fn load(tree: &Tree, most: usize) -> Result<Names> {
        let names = Names {
            table: RwLock::default(),
            most,
            is_told: AtomicBool::new(false),
        };
        names.learn(OTHER, limits::OTHER_NAMES);
        for (key, name) in tree.all::<NameKey>()? {
            names.learn(key.id, &name);
        }
        Ok(names)
    }

    fn learn(&self, id: u32, name: &str) {
        let name: Arc<str> = name.into();
        let mut table = recover(self.table.write());
        let place = id as usize;
        if table.names.len() <= place {
            table
                .names
                .resize(place + 1, Arc::from(limits::OTHER_NAMES));
        }
        if let Some(slot) = table.names.get_mut(place) {
            slot.clone_from(&name);
        }
        table.numbers.insert(name, id);
    }

    /// The numbers of the names of these events, or the names that must get a number first.
    pub(crate) fn numbers(&self, events: &[NewEvent<'_>]) -> Result<Vec<u32>, Vec<String>> {
        let table = recover(self.table.read());
        let is_full = table.numbers.len() > self.most;
        let mut numbers = Vec::with_capacity(events.len());
        let mut unknown: Vec<String> = Vec::new();
        for event in events {
            match table.numbers.get(event.name) {
                Some(number) => numbers.push(*number),
                None if is_full => numbers.push(OTHER),
                None => unknown.push(event.name.to_owned()),
            }
        }
        if unknown.is_empty() {
            Ok(numbers)
        } else {
            Err(unknown)
        }
    }

    /// The number of a name, if it has one.
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        let table = recover(self.table.read());
        table.numbers.get(name).copied()
    }

    /// The name of a number; [`limits::OTHER_NAMES`] if the number is unknown.
    pub(crate) fn name(&self, id: u32) -> Arc<str> {
        let table = recover(self.table.read());
        match table.names.get(id as usize) {
            Some(name) => Arc::clone(name),
            None => Arc::from(limits::OTHER_NAMES),
        }
    }

    /// The number of the next name, if there is room for one.
    fn next(&self) -> Option<u32> {
        let table = recover(self.table.read());
        let next = u32::try_from(table.names.len()).ok()?;
        (table.numbers.len() <= self.most).then_some(next)
    }
}

/// Gives numbers to names that have none, as long as there is room.
pub(crate) fn intern(tx: &mut Transaction<'_>, names: &Names, unknown: Vec<String>) -> Result<()> {
    for name in unknown {
        if names.number(&name).is_some() {
            continue;
        }
        let Some(id) = names.next() else {
            if !names.is_told.swap(true, Ordering::Relaxed) {
                log::warn!(
                    "there are more than {} event names (events.max_names): further names are counted as {}",
                    names.most,
                    limits::OTHER_NAMES
                );
            }
            break;
        };
        tx.put(&NameKey { id }, &name)?;
        names.learn(id, &name);
    }
    Ok(())
}
