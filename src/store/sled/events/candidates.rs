//! Finds the blocks that may hold events of a query: merged blocks by their statistics, loose
//! blocks by their keys.

use crate::model::{EventQuery, Order, Position, Timestamp};
use crate::store::Result;
use crate::store::sled::engine::keys::{self, Key, from_moment};
use crate::store::sled::engine::tree::Tree;
use crate::store::sled::events::block_iter::{
    BlockIter, MergedBlockIter, RawBlock, first_loose, merged_at_or_before, newest_merged,
};
use crate::store::sled::events::filter::EventFilter;
use crate::store::sled::events::format::block_stats::{BlockKey, BlockStats};
use crate::store::sled::events::format::parts::BlockPartKey;
use crate::store::sled::events::totals::Totals;

/// The largest number of merged blocks that one page skips.
const PAGE_SKIPPED_BLOCKS: usize = 50_000;

/// The result of [`CandidateBlocks::next`].
pub(crate) enum Candidate {
    /// A block that may hold matching events.
    Block(RawBlock),
    /// The page ends at this position: it skipped [`PAGE_SKIPPED_BLOCKS`] blocks.
    BudgetSpent(Position),
    /// No block follows.
    End,
}

/// The blocks that are left to read.
pub(crate) struct CandidateBlocks<'a> {
    tree: &'a Tree,
    filter: &'a EventFilter<'a>,
    query: &'a EventQuery,
    merged: MergedBlockIter,
    loose: BlockIter,
    skipped: usize,
}

impl<'a> CandidateBlocks<'a> {
    pub(crate) fn new(
        tree: &'a Tree,
        filter: &'a EventFilter<'a>,
        query: &'a EventQuery,
    ) -> Result<CandidateBlocks<'a>> {
        let low = query.from.unwrap_or(Timestamp::from_millis(i64::MIN));
        let mut merged_from = from_moment::<BlockKey>(low);
        let mut loose_from = from_moment::<BlockPartKey>(low);
        // The moment of a block may be ahead of those of its events.
        let ahead = Totals::stored_ahead(tree)?;
        let high = query.to.and_then(|to| to.after(ahead).successor());
        let mut merged_to = high.map_or_else(keys::end::<BlockKey>, from_moment::<BlockKey>);
        let mut loose_to = high.map_or_else(keys::end::<BlockPartKey>, from_moment::<BlockPartKey>);
        // The last page may have ended inside a block, so that block is read again.
        match (query.after.map(BlockKey::of), query.order) {
            (Some(cursor), Order::Ascending) => {
                merged_from = merged_from.max(cursor.bytes());
                loose_from = loose_from.max(cursor.part(0).bytes());
            }
            (Some(cursor), Order::Descending) => {
                merged_to = merged_to.min(keys::after(&cursor.bytes()));
                loose_to = loose_to.min(cursor.behind());
            }
            (None, _) => {}
        }
        // A merged block that begins before `merged_from` may hold later events.
        if let Some(before) = merged_at_or_before(tree, &merged_from)? {
            merged_from = before.bytes();
        }
        loose_from = loose_from.max(first_loose(newest_merged(tree)?.as_ref()));
        Ok(CandidateBlocks {
            tree,
            filter,
            query,
            merged: MergedBlockIter::new(tree, &merged_from, &merged_to, query.order),
            loose: BlockIter::new(tree, &loose_from, &loose_to, query.order),
            skipped: 0,
        })
    }

    /// The next block. All loose blocks are newer than all merged ones.
    pub(crate) fn next(&mut self) -> Result<Candidate> {
        match self.query.order {
            Order::Ascending => match self.next_merged()? {
                Candidate::End => self.next_loose(),
                merged => Ok(merged),
            },
            Order::Descending => match self.next_loose()? {
                Candidate::End => self.next_merged(),
                loose => Ok(loose),
            },
        }
    }

    fn next_loose(&mut self) -> Result<Candidate> {
        Ok(self.loose.next()?.map_or(Candidate::End, Candidate::Block))
    }

    fn next_merged(&mut self) -> Result<Candidate> {
        while let Some((key, stats)) = self.merged.next()? {
            let fits = stats.as_ref().is_none_or(|stats| {
                self.filter.may_match(stats) && self.reaches_behind_cursor(&key, stats)
            });
            if fits {
                return RawBlock::fetch(self.tree, key).map(Candidate::Block);
            }
            self.skipped += 1;
            if self.skipped == PAGE_SKIPPED_BLOCKS {
                return Ok(Candidate::BudgetSpent(key.edge(self.query.order)));
            }
        }
        Ok(Candidate::End)
    }

    /// Whether a merged block may hold events after the cursor, in the order of the query.
    fn reaches_behind_cursor(&self, key: &BlockKey, stats: &BlockStats) -> bool {
        let furthest = match (self.query.order, stats) {
            (Order::Ascending, BlockStats::Events { last, .. }) => *last,
            (Order::Ascending, BlockStats::Damaged) => key.edge(Order::Ascending),
            (Order::Descending, _) => key.position(),
        };
        self.filter.is_behind_cursor(furthest)
    }
}
