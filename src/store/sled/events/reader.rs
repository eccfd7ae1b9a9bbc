//! Reading events back, in either direction, a page at a time. A page looks at a bounded number of events: a question that matches
//! little is answered in several pages, some of them empty, and holds up nobody. What cannot be read is left out, and said.

use std::ops::Range;
use std::sync::Arc;

use sled::Tree;

use crate::model::{
    Event, EventPage, EventQuery, EventRow, Order, Position, Principal, Timestamp, UserId,
    UserNumber,
};
use crate::store::Outcome;
use crate::store::sled::engine::keys::{
    BlockKey, FormerKey, Key, PackKey, UserKey, after, from_moment,
};
use crate::store::sled::engine::transaction::{Read, after_prefix};
use crate::store::sled::events::append::Totals;
use crate::store::sled::events::block_iter::{
    Blocks, Packs, Stored, first_loose, newest_pack, pack_at_or_before,
};
use crate::store::sled::events::damage::Damage;
use crate::store::sled::events::format::block_stats::Contents;
use crate::store::sled::events::format::columns::{OTHER, Packed, Reporter, Texts};
use crate::store::sled::events::resolver::Lookup;

/// What one page may spend on looking: an event costs one, a block as much as it takes to fetch it.
const PAGE_LOOKS: usize = 400_000;
const BLOCK_LOOKS: usize = 800;
/// The same for counting the users of events that are not merged yet: they are merged as soon as they would fill a block.
const LOOSE_LOOKS: usize = 2_000_000;
/// Merged blocks one page passes over.
const PAGE_PASSES: usize = 50_000;

/// What is asked for, in the store's own terms.
pub(crate) struct Wanted<'a> {
    /// The name, and its number if it has one. Events of before it had one carry the name itself.
    name: Option<(&'a str, Option<u32>)>,
    subject: Option<UserNumber>,
    reporter: Option<Reporter>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// What a walk has come to.
pub(crate) struct Walked {
    /// Where it ended; none: nothing follows.
    pub(crate) next: Option<Position>,
    /// Blocks that could not be read: what they hold was not told.
    pub(crate) damaged_blocks: usize,
}

/// Reads events block by block.
pub(crate) struct Reader {
    lookup: Lookup,
    damage: Arc<Damage>,
}

impl Reader {
    /// One that has met nothing yet.
    pub(crate) fn new(lookup: Lookup, damage: Arc<Damage>) -> Reader {
        Reader { lookup, damage }
    }

    /// The tree it reads.
    pub(crate) fn tree(&self) -> &Tree {
        &self.lookup.tree
    }

    /// Notes a block that could not be read.
    pub(crate) fn note_damage(&self, key: &PackKey) {
        self.damage.note(key);
    }

    /// A page of the events that are asked for.
    pub(crate) fn page(&mut self, query: &EventQuery) -> Outcome<EventPage> {
        let mut events = Vec::new();
        let walked = self.walk(query, PAGE_LOOKS, &mut |row| {
            events.push((row.position, row.to_event()));
        })?;
        Ok(EventPage {
            events,
            next: walked.next,
            damaged_blocks: walked.damaged_blocks,
        })
    }

    /// Tells events that are asked for, in order, at most as many as the query's limit and as `looks` reach for.
    pub(crate) fn walk(
        &mut self,
        query: &EventQuery,
        looks: usize,
        tell: &mut dyn FnMut(&EventRow<'_>),
    ) -> Outcome<Walked> {
        let mut walked = Walked {
            next: query.after,
            damaged_blocks: 0,
        };
        let Some(wanted) = self.resolve(query)? else {
            walked.next = None;
            return Ok(walked);
        };
        let mut blocks = Shelf::new(self.tree(), &wanted, query)?;
        let (mut looked, mut told) = (0, 0);
        while looked < looks {
            let stored = match blocks.next(&self.lookup.tree)? {
                Find::Block(_) if told == query.limit => return Ok(walked),
                Find::Block(stored) => stored,
                Find::Tired(position) => {
                    walked.next = Some(position);
                    return Ok(walked);
                }
                Find::End => {
                    walked.next = None;
                    return Ok(walked);
                }
            };
            let (block, mut room) = (stored.open(), Texts::default());
            let events = block.as_ref().and_then(|block| {
                let wants = |position, event: &Packed<'_>| {
                    is_behind(position, query) && wanted.matches(event)
                };
                Some((block.last()?, block.events_where(&mut room, wants).ok()?))
            });
            let Some((last, mut events)) = events else {
                self.damage.note(&stored.key);
                walked.damaged_blocks += 1;
                walked.next = Some(stored.key.edge(query.order));
                continue;
            };
            if query.order == Order::Descending {
                events.reverse();
            }
            looked += BLOCK_LOOKS + stored.events();
            for (position, event) in events {
                if told == query.limit {
                    return Ok(walked);
                }
                self.lookup.tell(position, &event, tell)?;
                walked.next = Some(position);
                told += 1;
            }
            walked.next = Some(match query.order {
                Order::Ascending => last,
                Order::Descending => stored.key.edge(Order::Descending),
            });
        }
        Ok(walked)
    }

    /// Tells the events of these hours whose blocks are not merged yet; of very many only the oldest, for others wait too.
    pub(crate) fn walk_loose(
        &self,
        hours: Range<u32>,
        mut tell: impl FnMut(&Packed<'_>),
    ) -> Outcome<()> {
        let tree = self.tree();
        let ahead = Totals::stored(tree)?.ahead();
        let newest = newest_pack(tree)?;
        let from = from_moment::<BlockKey>(Timestamp::of_hour(hours.start));
        let to = from_moment::<BlockKey>(Timestamp::of_hour(hours.end).after(ahead));
        let from = from.max(first_loose(newest.as_ref()));
        let mut blocks = Blocks::new(tree, &from, &to, Order::Ascending);
        let mut looked = 0;
        while looked < LOOSE_LOOKS
            && let Some(stored) = blocks.next()?
        {
            let (block, mut room) = (stored.open(), Texts::default());
            let wants = |_, event: &Packed<'_>| hours.contains(&event.at.hour());
            let events = block
                .as_ref()
                .and_then(|block| block.events_where(&mut room, wants).ok());
            let Some(events) = events else {
                self.damage.note(&stored.key);
                continue;
            };
            looked += BLOCK_LOOKS + stored.events();
            for (_, event) in &events {
                tell(event);
            }
        }
        Ok(())
    }

    /// The name of a number.
    pub(crate) fn name_of(&self, number: u32) -> String {
        self.lookup.names.name(number).to_string()
    }

    /// Up to `limit` events from `from` on, oldest first, however many pages that takes.
    pub(crate) fn since(&mut self, from: Timestamp, limit: usize) -> Outcome<Vec<Event>> {
        let mut query = EventQuery {
            from: Some(from),
            limit,
            ..EventQuery::all(Order::Ascending)
        };
        let mut events = Vec::new();
        while query.limit > 0 {
            let page = self.page(&query)?;
            query.limit -= page.events.len();
            query.after = page.next;
            events.extend(page.events.into_iter().map(|(_, event)| event));
            if query.after.is_none() {
                break;
            }
        }
        Ok(events)
    }

    /// The numbers behind the question; none when somebody whom nobody ever heard of is asked for.
    pub(crate) fn resolve<'a>(&self, query: &'a EventQuery) -> Outcome<Option<Wanted<'a>>> {
        let subject = query.subject.map(|id| number_of(self.tree(), id));
        let subject = subject.transpose()?;
        let reporter = match query.reporter {
            None => None,
            Some(Principal::Admin) => Some(Some(Reporter::Admin)),
            Some(Principal::Hub) => Some(Some(Reporter::Hub)),
            Some(Principal::User(id)) => Some(number_of(self.tree(), id)?.map(Reporter::User)),
        };
        if subject == Some(None) || reporter == Some(None) {
            return Ok(None);
        }
        Ok(Some(Wanted {
            name: query
                .name
                .as_deref()
                .map(|name| (name, self.lookup.names.number(name))),
            subject: subject.flatten(),
            reporter: reporter.flatten(),
            from: query.from,
            to: query.to,
        }))
    }
}

/// The number of a user, also of one whose account is gone.
fn number_of(from: &impl Read, id: UserId) -> Outcome<Option<UserNumber>> {
    match from.fetch(&UserKey { id })? {
        Some(user) => Ok(Some(user.number)),
        None => from.fetch(&FormerKey { id }),
    }
}

impl Wanted<'_> {
    pub(crate) fn matches(&self, event: &Packed<'_>) -> bool {
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

    /// Whether a block may hold such events.
    pub(crate) fn may_match(&self, contents: &Contents) -> bool {
        let Contents::Events {
            earliest,
            latest,
            names,
            subjects,
            ..
        } = contents
        else {
            return true;
        };
        self.name.is_none_or(|(_, number)| {
            names.may_hold(OTHER) || number.is_some_and(|number| names.may_hold(number))
        }) && self
            .subject
            .is_none_or(|subject| subjects.may_hold(subject.0))
            && self.from.is_none_or(|from| *latest >= from)
            && self.to.is_none_or(|to| *earliest < to)
    }
}

fn is_behind(position: Position, query: &EventQuery) -> bool {
    match (query.after, query.order) {
        (None, _) => true,
        (Some(after), Order::Ascending) => position > after,
        (Some(after), Order::Descending) => position < after,
    }
}

/// What comes next.
enum Find {
    /// A block that may hold what is asked for.
    Block(Stored),
    /// Enough was passed over for one page, which ends here.
    Tired(Position),
    /// Nothing.
    End,
}

/// The blocks that may hold what is asked for, one after the other: the merged ones by what they say of themselves, the loose
/// ones by their keys.
struct Shelf<'a> {
    wanted: &'a Wanted<'a>,
    query: &'a EventQuery,
    packs: Packs,
    loose: Blocks,
    passes: usize,
}

impl<'a> Shelf<'a> {
    fn new(tree: &Tree, wanted: &'a Wanted<'a>, query: &'a EventQuery) -> Outcome<Shelf<'a>> {
        let newest = newest_pack(tree)?;
        let low = query.from.unwrap_or(Timestamp::from_millis(i64::MIN));
        // The moment of a block may be ahead of those of its events.
        let ahead = Totals::stored(tree)?.ahead();
        let high = query.to.and_then(|to| to.after(ahead).successor());
        let (mut packs_from, mut loose_from) =
            (from_moment::<PackKey>(low), from_moment::<BlockKey>(low));
        let (mut packs_to, mut loose_to) = match high {
            Some(high) => (from_moment::<PackKey>(high), from_moment::<BlockKey>(high)),
            None => (
                after_prefix(&[PackKey::KIND]),
                after_prefix(&[BlockKey::KIND]),
            ),
        };
        // The block in which the last page ended is looked at once more: it may hold more.
        match (query.after.map(PackKey::of), query.order) {
            (Some(cursor), Order::Ascending) => {
                packs_from = packs_from.max(cursor.bytes());
                loose_from = loose_from.max(cursor.part(0).bytes());
            }
            (Some(cursor), Order::Descending) => {
                packs_to = packs_to.min(after(&cursor.bytes()));
                loose_to = loose_to.min(cursor.behind());
            }
            (None, _) => {}
        }
        // A merged block begins before what it holds last.
        if let Some(before) = pack_at_or_before(tree, &packs_from)? {
            packs_from = before.bytes();
        }
        loose_from = loose_from.max(first_loose(newest.as_ref()));
        Ok(Shelf {
            wanted,
            query,
            packs: Packs::new(tree, &packs_from, &packs_to, query.order),
            loose: Blocks::new(tree, &loose_from, &loose_to, query.order),
            passes: 0,
        })
    }

    fn next(&mut self, tree: &Tree) -> Outcome<Find> {
        if self.query.order == Order::Descending
            && let Some(loose) = self.loose.next()?
        {
            return Ok(Find::Block(loose));
        }
        while let Some((key, contents)) = self.packs.next()? {
            let fits = contents.as_ref().is_none_or(|contents| {
                self.wanted.may_match(contents) && self.is_ahead(&key, contents)
            });
            if fits {
                return Stored::fetch(tree, key).map(Find::Block);
            }
            self.passes += 1;
            if self.passes == PAGE_PASSES {
                return Ok(Find::Tired(key.edge(self.query.order)));
            }
        }
        match self.query.order {
            Order::Ascending => Ok(self.loose.next()?.map_or(Find::End, Find::Block)),
            Order::Descending => Ok(Find::End),
        }
    }

    /// Whether some of a merged block stands behind the cursor.
    fn is_ahead(&self, key: &PackKey, contents: &Contents) -> bool {
        let Some(after) = self.query.after else {
            return true;
        };
        match (self.query.order, contents) {
            (Order::Ascending, Contents::Events { last, .. }) => *last > after,
            (Order::Ascending, Contents::Damaged) => key.edge(Order::Ascending) > after,
            (Order::Descending, _) => key.position() < after,
        }
    }
}
