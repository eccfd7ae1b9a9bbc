//! Reading events back, in either direction, a page at a time. A page looks at a bounded number of events: a question that matches
//! little is answered in several pages, some of them empty, and holds up nobody. What cannot be read is left out, and said.

use std::ops::Range;
use std::sync::Arc;

use sled::Tree;

use crate::model::{
    Event, EventPage, EventQuery, EventRow, Order, Position, Principal, Timestamp, UserId,
    UserNumber,
};
use crate::store::Result;
use crate::store::sled::engine::keys::{
    BlockKey, BlockPartKey, FormerKey, Key, UserKey, after, from_moment,
};
use crate::store::sled::engine::transaction::{Read, after_prefix};
use crate::store::sled::events::append::Totals;
use crate::store::sled::events::block_iter::{
    BlockIter, MergedBlockIter, Stored, first_loose, merged_at_or_before, newest_merged,
};
use crate::store::sled::events::damage::Damage;
use crate::store::sled::events::format::block_stats::BlockStats;
use crate::store::sled::events::format::columns::{BlockEvent, DetailsBuffer, OTHER, Reporter};
use crate::store::sled::events::resolver::Lookup;

/// What one page may spend on looking: an event costs one, a block as much as it takes to fetch it.
const PAGE_BUDGET: usize = 400_000;
const BLOCK_COST: usize = 800;
/// The same for counting the users of events that are not merged yet: they are merged as soon as they would fill a block.
const LOOSE_BUDGET: usize = 2_000_000;
/// Merged blocks one page passes over.
const PAGE_SKIPPED_BLOCKS: usize = 50_000;

/// What is asked for, in the store's own terms.
pub(crate) struct EventFilter<'a> {
    /// The name, and its number if it has one. Events of before it had one carry the name itself.
    name: Option<(&'a str, Option<u32>)>,
    subject: Option<UserNumber>,
    reporter: Option<Reporter>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

/// What a walk has come to.
pub(crate) struct WalkProgress {
    /// Where it ended; none: nothing follows.
    pub(crate) next: Option<Position>,
    /// BlockIter that could not be read: what they hold was not told.
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
    pub(crate) fn note_damage(&self, key: &BlockKey) {
        self.damage.note(key);
    }

    /// A page of the events that are asked for.
    pub(crate) fn page(&mut self, query: &EventQuery) -> Result<EventPage> {
        let mut events = Vec::new();
        let progress = self.walk(query, PAGE_BUDGET, &mut |row| {
            events.push((row.position, row.to_event()));
        })?;
        Ok(EventPage {
            events,
            next: progress.next,
            damaged_blocks: progress.damaged_blocks,
        })
    }

    /// Tells events that are asked for, in order, at most as many as the query's limit and as `budget` reach for.
    pub(crate) fn walk(
        &mut self,
        query: &EventQuery,
        budget: usize,
        emit: &mut dyn FnMut(&EventRow<'_>),
    ) -> Result<WalkProgress> {
        let mut progress = WalkProgress {
            next: query.after,
            damaged_blocks: 0,
        };
        let Some(filter) = self.resolve(query)? else {
            progress.next = None;
            return Ok(progress);
        };
        let mut blocks = CandidateBlocks::new(self.tree(), &filter, query)?;
        let (mut spent, mut told) = (0, 0);
        while spent < budget {
            let stored = match blocks.next(&self.lookup.tree)? {
                Candidate::Block(_) if told == query.limit => return Ok(progress),
                Candidate::Block(stored) => stored,
                Candidate::BudgetSpent(position) => {
                    progress.next = Some(position);
                    return Ok(progress);
                }
                Candidate::End => {
                    progress.next = None;
                    return Ok(progress);
                }
            };
            let (block, mut room) = (stored.open(), DetailsBuffer::default());
            let events = block.as_ref().and_then(|block| {
                let wants = |position, event: &BlockEvent<'_>| {
                    is_behind(position, query) && filter.matches(event)
                };
                Some((block.last()?, block.events_where(&mut room, wants).ok()?))
            });
            let Some((last, mut events)) = events else {
                self.damage.note(&stored.key);
                progress.damaged_blocks += 1;
                progress.next = Some(stored.key.edge(query.order));
                continue;
            };
            if query.order == Order::Descending {
                events.reverse();
            }
            spent += BLOCK_COST + stored.events();
            for (position, event) in events {
                if told == query.limit {
                    return Ok(progress);
                }
                self.lookup.emit(position, &event, emit)?;
                progress.next = Some(position);
                told += 1;
            }
            progress.next = Some(match query.order {
                Order::Ascending => last,
                Order::Descending => stored.key.edge(Order::Descending),
            });
        }
        Ok(progress)
    }

    /// Tells the events of these hours whose blocks are not merged yet; of very many only the oldest, for others wait too.
    pub(crate) fn walk_loose(
        &self,
        hours: Range<u32>,
        mut emit: impl FnMut(&BlockEvent<'_>),
    ) -> Result<()> {
        let tree = self.tree();
        let ahead = Totals::stored(tree)?.ahead();
        let newest = newest_merged(tree)?;
        let from = from_moment::<BlockPartKey>(Timestamp::of_hour(hours.start));
        let to = from_moment::<BlockPartKey>(Timestamp::of_hour(hours.end).after(ahead));
        let from = from.max(first_loose(newest.as_ref()));
        let mut blocks = BlockIter::new(tree, &from, &to, Order::Ascending);
        let mut spent = 0;
        while spent < LOOSE_BUDGET
            && let Some(stored) = blocks.next()?
        {
            let (block, mut room) = (stored.open(), DetailsBuffer::default());
            let wants = |_, event: &BlockEvent<'_>| hours.contains(&event.at.hour());
            let events = block
                .as_ref()
                .and_then(|block| block.events_where(&mut room, wants).ok());
            let Some(events) = events else {
                self.damage.note(&stored.key);
                continue;
            };
            spent += BLOCK_COST + stored.events();
            for (_, event) in &events {
                emit(event);
            }
        }
        Ok(())
    }

    /// The name of a number.
    pub(crate) fn name_of(&self, number: u32) -> String {
        self.lookup.names.name(number).to_string()
    }

    /// Up to `limit` events from `from` on, oldest first, however many pages that takes.
    pub(crate) fn since(&mut self, from: Timestamp, limit: usize) -> Result<Vec<Event>> {
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
    pub(crate) fn resolve<'a>(&self, query: &'a EventQuery) -> Result<Option<EventFilter<'a>>> {
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
        Ok(Some(EventFilter {
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
fn number_of(from: &impl Read, id: UserId) -> Result<Option<UserNumber>> {
    match from.fetch(&UserKey { id })? {
        Some(user) => Ok(Some(user.number)),
        None => from.fetch(&FormerKey { id }),
    }
}

impl EventFilter<'_> {
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

    /// Whether a block may hold such events.
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
enum Candidate {
    /// A block that may hold what is asked for.
    Block(Stored),
    /// Enough was passed over for one page, which ends here.
    BudgetSpent(Position),
    /// Nothing.
    End,
}

/// The blocks that may hold what is asked for, one after the other: the merged ones by what they say of themselves, the loose
/// ones by their keys.
struct CandidateBlocks<'a> {
    filter: &'a EventFilter<'a>,
    query: &'a EventQuery,
    merged: MergedBlockIter,
    loose: BlockIter,
    passes: usize,
}

impl<'a> CandidateBlocks<'a> {
    fn new(
        tree: &Tree,
        filter: &'a EventFilter<'a>,
        query: &'a EventQuery,
    ) -> Result<CandidateBlocks<'a>> {
        let newest = newest_merged(tree)?;
        let low = query.from.unwrap_or(Timestamp::from_millis(i64::MIN));
        // The moment of a block may be ahead of those of its events.
        let ahead = Totals::stored(tree)?.ahead();
        let high = query.to.and_then(|to| to.after(ahead).successor());
        let (mut packs_from, mut loose_from) = (
            from_moment::<BlockKey>(low),
            from_moment::<BlockPartKey>(low),
        );
        let (mut packs_to, mut loose_to) = match high {
            Some(high) => (
                from_moment::<BlockKey>(high),
                from_moment::<BlockPartKey>(high),
            ),
            None => (
                after_prefix(&[BlockKey::KIND]),
                after_prefix(&[BlockPartKey::KIND]),
            ),
        };
        // The block in which the last page ended is looked at once more: it may hold more.
        match (query.after.map(BlockKey::of), query.order) {
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
        if let Some(before) = merged_at_or_before(tree, &packs_from)? {
            packs_from = before.bytes();
        }
        loose_from = loose_from.max(first_loose(newest.as_ref()));
        Ok(CandidateBlocks {
            filter,
            query,
            merged: MergedBlockIter::new(tree, &packs_from, &packs_to, query.order),
            loose: BlockIter::new(tree, &loose_from, &loose_to, query.order),
            passes: 0,
        })
    }

    fn next(&mut self, tree: &Tree) -> Result<Candidate> {
        if self.query.order == Order::Descending
            && let Some(loose) = self.loose.next()?
        {
            return Ok(Candidate::Block(loose));
        }
        while let Some((key, stats)) = self.merged.next()? {
            let fits = stats
                .as_ref()
                .is_none_or(|stats| self.filter.may_match(stats) && self.is_ahead(&key, stats));
            if fits {
                return Stored::fetch(tree, key).map(Candidate::Block);
            }
            self.passes += 1;
            if self.passes == PAGE_SKIPPED_BLOCKS {
                return Ok(Candidate::BudgetSpent(key.edge(self.query.order)));
            }
        }
        match self.query.order {
            Order::Ascending => Ok(self.loose.next()?.map_or(Candidate::End, Candidate::Block)),
            Order::Descending => Ok(Candidate::End),
        }
    }

    /// Whether some of a merged block stands behind the cursor.
    fn is_ahead(&self, key: &BlockKey, stats: &BlockStats) -> bool {
        let Some(after) = self.query.after else {
            return true;
        };
        match (self.query.order, stats) {
            (Order::Ascending, BlockStats::Events { last, .. }) => *last > after,
            (Order::Ascending, BlockStats::Damaged) => key.edge(Order::Ascending) > after,
            (Order::Descending, _) => key.position() < after,
        }
    }
}
