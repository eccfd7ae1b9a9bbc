//! Reads events in either direction, a page at a time. The work of a page is bounded: a query that
//! matches little is answered in several pages, some of them empty, and delays nothing else.
//! Damaged blocks are skipped and counted.

use std::ops::Range;
use std::sync::Arc;

use crate::model::{EventPage, EventQuery, EventRow, Order, Position, Timestamp};
use crate::store::Result;
use crate::store::sled::engine::damaged::Damaged;
use crate::store::sled::engine::keys::from_moment;
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::block_iter::{BlockIter, RawBlock, first_loose, newest_merged};
use crate::store::sled::events::candidates::{Candidate, CandidateBlocks};
use crate::store::sled::events::filter::EventFilter;
use crate::store::sled::events::format::columns::BlockEvent;
use crate::store::sled::events::format::parts::BlockPartKey;
use crate::store::sled::events::resolver::Resolver;
use crate::store::sled::events::totals::Totals;

/// The work limit of one page: an event that is looked at costs one, fetching a block costs
/// [`BLOCK_COST`].
const PAGE_BUDGET: usize = 400_000;
const BLOCK_COST: usize = 800;
/// The work limit of counting the users of loose events, which are merged as soon as they would
/// fill a block.
const LOOSE_BUDGET: usize = 2_000_000;

/// The progress of a walk.
pub(crate) struct WalkProgress {
    /// Where the walk goes on; none: nothing follows.
    pub(crate) next: Option<Position>,
    /// Damaged blocks, whose events were not emitted.
    pub(crate) damaged_blocks: usize,
    /// Events that were emitted.
    emitted: usize,
    /// Work that was done.
    spent: usize,
}

/// Reads events block by block.
pub(crate) struct Reader {
    resolver: Resolver,
    damage: Arc<Damaged>,
}

impl Reader {
    /// A reader that has resolved nothing yet.
    pub(crate) fn new(resolver: Resolver, damage: Arc<Damaged>) -> Reader {
        Reader { resolver, damage }
    }

    /// The tree that it reads.
    pub(crate) fn tree(&self) -> &Tree {
        self.resolver.tree()
    }

    /// The name of a number.
    pub(crate) fn name_of(&self, number: u32) -> String {
        self.resolver.names().name(number).to_string()
    }

    /// The filter of a query; none if it asks for a user who never existed.
    pub(crate) fn resolve<'a>(&self, query: &'a EventQuery) -> Result<Option<EventFilter<'a>>> {
        let resolver = &self.resolver;
        EventFilter::resolve(query, resolver.tree(), resolver.names(), resolver.users())
    }

    fn note_damage(&self, block: &RawBlock) {
        let key = &block.key;
        let what = format!("the block of events {key} is damaged: its events are skipped");
        self.damage.note(what);
    }

    /// Like [`RawBlock::decode`]; also records a damaged block.
    pub(crate) fn decode<T>(
        &self,
        block: &RawBlock,
        wants: impl Fn(Position, &BlockEvent<'_>) -> bool,
        see: impl FnOnce(Vec<(Position, BlockEvent<'_>)>, Position) -> T,
    ) -> Option<T> {
        let seen = block.decode(wants, see);
        if seen.is_none() {
            self.note_damage(block);
        }
        seen
    }

    /// A page of the events that a query asks for.
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

    /// Emits events that a query asks for, in order, until its limit or the budget is reached.
    pub(crate) fn walk(
        &mut self,
        query: &EventQuery,
        budget: usize,
        emit: &mut dyn FnMut(&EventRow<'_>),
    ) -> Result<WalkProgress> {
        let mut progress = WalkProgress {
            next: query.after,
            damaged_blocks: 0,
            emitted: 0,
            spent: 0,
        };
        let Some(filter) = self.resolve(query)? else {
            progress.next = None;
            return Ok(progress);
        };
        let tree = self.tree().clone();
        let mut candidates = CandidateBlocks::new(&tree, &filter, query)?;
        while progress.spent < budget {
            match candidates.next()? {
                Candidate::Block(_) if progress.emitted == query.limit => break,
                Candidate::Block(block) => {
                    if self.walk_block(&block, &filter, query, &mut progress, emit)? {
                        break;
                    }
                }
                Candidate::BudgetSpent(position) => {
                    progress.next = Some(position);
                    break;
                }
                Candidate::End => {
                    progress.next = None;
                    break;
                }
            }
        }
        Ok(progress)
    }

    /// Emits the matching events of one block, up to the query's limit. True: the block has more of
    /// them.
    fn walk_block(
        &mut self,
        block: &RawBlock,
        filter: &EventFilter<'_>,
        query: &EventQuery,
        progress: &mut WalkProgress,
        emit: &mut dyn FnMut(&EventRow<'_>),
    ) -> Result<bool> {
        let wants = |position, event: &BlockEvent<'_>| {
            filter.is_behind_cursor(position) && filter.matches(event)
        };
        let left = query.limit - progress.emitted;
        let resolver = &mut self.resolver;
        let walked = block.decode(wants, |mut events, last| {
            if query.order == Order::Descending {
                events.reverse();
            }
            let has_more = events.len() > left;
            events.truncate(left);
            for (position, event) in &events {
                resolver.emit(*position, event, emit)?;
            }
            progress.emitted += events.len();
            progress.next = match (query.order, events.last()) {
                (_, Some((position, _))) if has_more => Some(*position),
                (Order::Ascending, _) => Some(last),
                (Order::Descending, _) => Some(block.key.edge(Order::Descending)),
            };
            Ok(has_more)
        });
        if let Some(has_more) = walked {
            progress.spent += BLOCK_COST + block.events();
            return has_more;
        }
        self.note_damage(block);
        progress.damaged_blocks += 1;
        progress.next = Some(block.key.edge(query.order));
        Ok(false)
    }

    /// Passes the events of these hours in loose blocks to `see`, oldest blocks first, until
    /// [`LOOSE_BUDGET`] is spent: other requests wait too.
    pub(crate) fn walk_loose(
        &self,
        hours: Range<u32>,
        mut see: impl FnMut(&BlockEvent<'_>),
    ) -> Result<()> {
        let tree = self.tree();
        let ahead = Totals::stored_ahead(tree)?;
        let from = from_moment::<BlockPartKey>(Timestamp::of_hour(hours.start));
        let from = from.max(first_loose(newest_merged(tree)?.as_ref()));
        let to = from_moment::<BlockPartKey>(Timestamp::of_hour(hours.end).after(ahead));
        let mut blocks = BlockIter::new(tree, &from, &to, Order::Ascending);
        let wants = |_, event: &BlockEvent<'_>| hours.contains(&event.at.hour());
        let mut spent = 0;
        while spent < LOOSE_BUDGET
            && let Some(block) = blocks.next()?
        {
            let seen = self.decode(&block, wants, |events, _| {
                for (_, event) in &events {
                    see(event);
                }
            });
            if seen.is_some() {
                spent += BLOCK_COST + block.events();
            }
        }
        Ok(())
    }
}
