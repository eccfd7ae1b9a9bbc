//! Resolves the numbers in blocks to names of events and ids of users.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{EventRow, MachineName, MachineNumber, Position, Principal, UserId, UserNumber};
use crate::store::Result;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::counts::names::Names;
use crate::store::sled::events::format::columns::{BlockEvent, Reporter};
use crate::store::sled::events::user_directory::UserDirectory;

/// The size of the cache of names, and of that of ids: enough for those in use at a time, and a few
/// megabytes at the most. A full cache is cleared, and numbers are resolved anew.
const REMEMBERED: usize = 32 * 1024;

/// Resolves numbers and caches the results, so that it does not look up a number for every event.
pub(crate) struct Resolver {
    tree: Tree,
    names: Arc<Names>,
    users: &'static dyn UserDirectory,
    known_names: HashMap<u32, String>,
    /// The generation of the names that are known.
    generation: u64,
    known_users: HashMap<UserNumber, Option<UserId>>,
    /// At most `MACHINE_NAMES`.
    known_machines: HashMap<MachineNumber, Option<MachineName>>,
}

impl Resolver {
    /// A resolver that knows no number yet.
    pub(crate) fn new(
        tree: &Tree,
        names: &Arc<Names>,
        users: &'static dyn UserDirectory,
    ) -> Resolver {
        Resolver {
            tree: tree.clone(),
            names: Arc::clone(names),
            users,
            known_names: HashMap::new(),
            generation: names.generation(),
            known_users: HashMap::new(),
            known_machines: HashMap::new(),
        }
    }

    /// The tree that it reads.
    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The names of events.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// The users that events name.
    pub(crate) fn users(&self) -> &'static dyn UserDirectory {
        self.users
    }

    /// Emits an event with names and ids in the place of numbers.
    pub(crate) fn emit(
        &mut self,
        position: Position,
        event: &BlockEvent<'_>,
        emit: &mut dyn FnMut(&EventRow<'_>),
    ) -> Result<()> {
        let subject = self.user(event.subject)?;
        let reporter = match event.reporter {
            Reporter::Admin => Some(Principal::Admin),
            Reporter::Hub => Some(Principal::Hub),
            Reporter::User(number) => self.user(number)?.map(Principal::User),
            Reporter::Machine(number) => self.machine(number)?.map(Principal::Machine),
        };
        emit(&EventRow {
            position,
            at: event.at,
            name: match event.literal {
                Some(name) => name,
                None => self.name(event.name),
            },
            subject,
            reporter,
            details: event.details,
        });
        Ok(())
    }

    fn name(&mut self, number: u32) -> &str {
        make_room(&mut self.known_names);
        let (names, generation) = (&self.names, self.names.generation());
        // A number that was given back may stand for another name by now.
        if generation != self.generation {
            self.known_names.clear();
            self.generation = generation;
        }
        self.known_names
            .entry(number)
            .or_insert_with(|| names.name(number).to_string())
    }

    fn machine(&mut self, number: MachineNumber) -> Result<Option<MachineName>> {
        if let Some(known) = self.known_machines.get(&number) {
            return Ok(*known);
        }
        let name = self.users.machine_of(&self.tree, number)?;
        self.known_machines.insert(number, name);
        Ok(name)
    }

    fn user(&mut self, number: UserNumber) -> Result<Option<UserId>> {
        if let Some(known) = self.known_users.get(&number) {
            return Ok(*known);
        }
        let id = self.users.id_of(&self.tree, number)?;
        make_room(&mut self.known_users);
        self.known_users.insert(number, id);
        Ok(id)
    }
}

fn make_room<K, V>(known: &mut HashMap<K, V>) {
    if known.len() >= REMEMBERED {
        known.clear();
    }
}
