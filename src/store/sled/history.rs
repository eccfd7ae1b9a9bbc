//! Reading events back, in either direction, a page at a time. A page looks at a bounded number of blocks: a question that
//! matches little is answered in several pages, some of them empty, and holds up nobody.

use std::time::Duration;

use sled::Tree;

use super::super::Outcome;
use super::blocks::{Block, Packed, Part, Reporter};
use super::events::{Names, unpack};
use super::keys::{BlockKey, Key, UserKey, after, from_moment};
use super::record;
use super::view::{Read, after_prefix, broken};
use crate::model::{
    Event, EventPage, EventQuery, Holder, Order, Position, Timestamp, UserId, UserNumber,
};

/// Blocks of one page.
const PAGE_BLOCKS: usize = 512;
/// Events of one group share a block although their moments differ by as long as a request may wait.
pub(super) const GROUP_SPAN: Duration = Duration::from_mins(5);

/// What is asked for, in the store's own terms.
pub(super) struct Wanted<'a> {
    query: &'a EventQuery,
    name: Option<u32>,
    subject: Option<UserNumber>,
    reporter: Option<Reporter>,
}

/// A page of the events that are asked for.
pub(super) fn read(tree: &Tree, names: &Names, query: &EventQuery) -> Outcome<EventPage> {
    let Some(wanted) = resolve(tree, names, query)? else {
        return Ok(EventPage::default());
    };
    let mut page = EventPage::default();
    let mut blocks = Blocks::new(tree, query);
    for _ in 0..PAGE_BLOCKS {
        let Some((key, bytes)) = blocks.next()? else {
            page.next = None;
            return Ok(page);
        };
        let block = Block::open(key.at, &bytes)?;
        let packed = block.events()?;
        let mut placed: Vec<(Position, Packed<'_>)> = (0..)
            .zip(packed)
            .map(|(place, event)| (position(&key, place), event))
            .collect();
        if query.order == Order::Descending {
            placed.reverse();
        }
        for (position, event) in placed {
            if !is_behind(position, query) {
                continue;
            }
            if page.events.len() == query.limit {
                return Ok(page);
            }
            page.next = Some(position);
            if wanted.matches(&event) {
                page.events.push((position, unpack(tree, names, &event)?));
            }
        }
    }
    Ok(page)
}

/// Up to `limit` events from `from` on, oldest first, however many pages that takes.
pub(super) fn since(
    tree: &Tree,
    names: &Names,
    from: Timestamp,
    limit: usize,
) -> Outcome<Vec<Event>> {
    let mut query = EventQuery {
        name: None,
        subject: None,
        reporter: None,
        from: Some(from),
        to: None,
        order: Order::Ascending,
        after: None,
        limit,
    };
    let mut events = Vec::new();
    while query.limit > 0 {
        let page = read(tree, names, &query)?;
        query.limit -= page.events.len();
        query.after = page.next;
        events.extend(page.events.into_iter().map(|(_, event)| event));
        if query.after.is_none() {
            break;
        }
    }
    Ok(events)
}

/// The numbers behind the question; none when something that nobody ever heard of is asked for.
pub(super) fn resolve<'a>(
    tree: &Tree,
    names: &Names,
    query: &'a EventQuery,
) -> Outcome<Option<Wanted<'a>>> {
    let number = |id: UserId| Ok(tree.fetch(&UserKey { id })?.map(|user| user.number));
    let name = query.name.as_deref().map(|name| names.number(name));
    let subject = query.subject.map(number).transpose()?;
    let reporter = match query.reporter {
        None => None,
        Some(Holder::Admin) => Some(Some(Reporter::Admin)),
        Some(Holder::Hub) => Some(Some(Reporter::Hub)),
        Some(Holder::User(id)) => Some(number(id)?.map(Reporter::User)),
    };
    if name == Some(None) || subject == Some(None) || reporter == Some(None) {
        return Ok(None);
    }
    Ok(Some(Wanted {
        query,
        name: name.flatten(),
        subject: subject.flatten(),
        reporter: reporter.flatten(),
    }))
}

impl Wanted<'_> {
    pub(super) fn matches(&self, event: &Packed<'_>) -> bool {
        self.name.is_none_or(|name| event.name == name)
            && self.subject.is_none_or(|subject| event.subject == subject)
            && self
                .reporter
                .is_none_or(|reporter| event.reporter == reporter)
            && self.query.from.is_none_or(|from| event.at >= from)
            && self.query.to.is_none_or(|to| event.at < to)
    }
}

pub(super) fn position(key: &BlockKey, place: u32) -> Position {
    Position {
        at: key.at,
        sequence: key.sequence,
        index: key.index,
        place,
    }
}

pub(super) fn is_behind(position: Position, query: &EventQuery) -> bool {
    match (query.after, query.order) {
        (None, _) => true,
        (Some(after), Order::Ascending) => position > after,
        (Some(after), Order::Descending) => position < after,
    }
}

/// The blocks that may hold what is asked for, one after the other.
pub(super) struct Blocks {
    entries: sled::Iter,
    order: Order,
    /// The first entry of the next block, which ended the one before.
    ahead: Option<(BlockKey, Vec<u8>)>,
}

impl Blocks {
    pub(super) fn new(tree: &Tree, query: &EventQuery) -> Blocks {
        let first = |at: Timestamp| from_moment::<BlockKey>(at);
        let mut low = query
            .from
            .map_or(vec![BlockKey::KIND], |from| first(from.before(GROUP_SPAN)));
        let mut high = query.to.map_or_else(
            || after_prefix(&[BlockKey::KIND]),
            |to| first(to.after(GROUP_SPAN)),
        );
        // The block in which the last page ended is looked at once more: it may hold more.
        if let Some(Position {
            at,
            sequence,
            index,
            ..
        }) = query.after
        {
            let key = |part| {
                BlockKey {
                    at,
                    sequence,
                    index,
                    part,
                }
                .bytes()
            };
            match query.order {
                Order::Ascending => low = low.max(key(0)),
                Order::Descending => high = high.min(after(&key(u16::MAX))),
            }
        }
        let high = high.max(low.clone());
        Blocks {
            entries: tree.range(low..high),
            order: query.order,
            ahead: None,
        }
    }

    /// The next block with its parts joined.
    pub(super) fn next(&mut self) -> Outcome<Option<(BlockKey, Vec<u8>)>> {
        let Some((first, bytes)) = self.entry()? else {
            return Ok(None);
        };
        let mut parts = vec![(first, bytes)];
        while let Some((key, bytes)) = self.entry()? {
            let same = parts.last().is_some_and(|(last, _)| match self.order {
                Order::Ascending => last.is_before(&key),
                Order::Descending => key.is_before(last),
            });
            if !same {
                self.ahead = Some((key, bytes));
                break;
            }
            parts.push((key, bytes));
        }
        if self.order == Order::Descending {
            parts.reverse();
        }
        let joined = parts
            .iter()
            .flat_map(|(_, bytes)| bytes.iter().copied())
            .collect();
        Ok(parts.into_iter().next().map(|(key, _)| (key, joined)))
    }

    fn entry(&mut self) -> Outcome<Option<(BlockKey, Vec<u8>)>> {
        if let Some(ahead) = self.ahead.take() {
            return Ok(Some(ahead));
        }
        let entry = match self.order {
            Order::Ascending => self.entries.next(),
            Order::Descending => self.entries.next_back(),
        };
        let Some((key, stored)) = entry.transpose().map_err(|error| broken(&error))? else {
            return Ok(None);
        };
        let parsed = BlockKey::parse(&key).ok_or_else(|| record::corrupt(&key, "not a key"))?;
        let Part(bytes) = record::open(&key, &stored)?;
        Ok(Some((parsed, bytes)))
    }
}
