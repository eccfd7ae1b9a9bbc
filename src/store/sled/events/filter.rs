//! Translates a query into the terms of blocks: names and users are numbers.

use crate::model::{EventQuery, Order, Position, Principal, Timestamp, UserNumber};
use crate::store::Result;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::counts::names::Names;
use crate::store::sled::events::format::block_stats::BlockStats;
use crate::store::sled::events::format::columns::{BlockEvent, OTHER, Reporter};
use crate::store::sled::events::user_directory::UserDirectory;

/// A query whose names and users are resolved.
pub(crate) struct EventFilter<'a> {
    /// The name, and its number if it has one. Events stored before it had one carry the name
    /// itself.
    name: Option<(&'a str, Option<u32>)>,
    subject: Option<UserNumber>,
    reporter: Option<Reporter>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    order: Order,
    after: Option<Position>,
}

impl<'a> EventFilter<'a> {
    /// The filter of a query; none if it asks for a user who never existed.
    pub(crate) fn resolve(
        query: &'a EventQuery,
        tree: &Tree,
        names: &Names,
        users: &dyn UserDirectory,
    ) -> Result<Option<EventFilter<'a>>> {
        let number = |id| users.number_of(tree, id);
        let subject = query.subject.map(number).transpose()?;
        let reporter = match query.reporter {
            None => None,
            Some(Principal::Admin) => Some(Some(Reporter::Admin)),
            Some(Principal::Hub) => Some(Some(Reporter::Hub)),
            Some(Principal::User(id)) => Some(number(id)?.map(Reporter::User)),
            Some(Principal::Machine(name)) => {
                let number = users.number_of_machine(tree, name)?;
                Some(number.map(Reporter::Machine))
            }
        };
        if subject == Some(None) || reporter == Some(None) {
            return Ok(None);
        }
        let name = query.name.as_deref();
        Ok(Some(EventFilter {
            name: name.map(|name| (name, names.number(name))),
            subject: subject.flatten(),
            reporter: reporter.flatten(),
            from: query.from,
            to: query.to,
            order: query.order,
            after: query.after,
        }))
    }

    /// Whether the query asks for this event, at any position.
    pub(crate) fn matches(&self, event: &BlockEvent<'_>) -> bool {
        self.name.is_none_or(|(name, number)| match event.literal {
            Some(literal) => literal == name,
            None => number == Some(event.name),
        }) && self.subject.is_none_or(|subject| event.subject == subject)
            && self
                .reporter
                .is_none_or(|reporter| event.reporter == reporter)
            && self.from.is_none_or(|from| event.at >= from)
            && self.to.is_none_or(|to| event.at < to)
    }

    /// Whether a position comes after the query's cursor, in the order of the query.
    pub(crate) fn is_behind_cursor(&self, position: Position) -> bool {
        match (self.after, self.order) {
            (None, _) => true,
            (Some(after), Order::Ascending) => position > after,
            (Some(after), Order::Descending) => position < after,
        }
    }

    /// Whether a block may hold matching events. False is certain.
    pub(crate) fn may_match(&self, stats: &BlockStats) -> bool {
        let BlockStats::Events {
            earliest,
            latest,
            names,
            subjects,
            ..
        } = stats
        else {
            return true;
        };
        self.name.is_none_or(|(_, number)| {
            names.may_hold(OTHER) || number.is_some_and(|number| names.may_hold(number))
        }) && self.subject.is_none_or(|it| subjects.may_hold(it.0))
            && self.from.is_none_or(|from| *latest >= from)
            && self.to.is_none_or(|to| *earliest < to)
    }
}
