//! Statistics of a merged block, so that a query need not open a block without matching events.

use serde::{Deserialize, Serialize};

use crate::model::{Order, Position, Timestamp};
use crate::store::sled::engine::keys::key;
use crate::store::sled::engine::record::postcard_records;
use crate::store::sled::events::format::columns::BlockEvent;

/// The largest number of bits in a set: two KiB, for the users of one block.
const SET_BITS: u32 = 16_384;

/// A set of numbers that may report numbers that it does not hold, but never misses one that it
/// holds: a bit for each 2^`shift` numbers, from `lowest` on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberSet {
    lowest: u32,
    shift: u8,
    bits: Vec<u8>,
}

impl NumberSet {
    /// The set of these numbers, as exact as its size allows.
    pub(crate) fn of(numbers: impl Iterator<Item = u32> + Clone) -> NumberSet {
        let Some((lowest, highest)) = numbers.clone().fold(None, |span, number| {
            let (low, high) = span.unwrap_or((number, number));
            Some((number.min(low), number.max(high)))
        }) else {
            return NumberSet::default();
        };
        let span = highest - lowest;
        let fits = |shift: &u8| span >> shift < SET_BITS;
        let shift = (0..32).find(fits).unwrap_or(31);
        let mut bits = vec![0; ((span >> shift) / 8) as usize + 1];
        for number in numbers {
            let bit = (number - lowest) >> shift;
            if let Some(byte) = bits.get_mut((bit / 8) as usize) {
                *byte |= 1 << (bit % 8);
            }
        }
        NumberSet {
            lowest,
            shift,
            bits,
        }
    }

    /// Whether the number may be in the set: false is certain.
    pub(crate) fn may_hold(&self, number: u32) -> bool {
        let Some(above) = number.checked_sub(self.lowest) else {
            return false;
        };
        let bit = above >> self.shift;
        let byte = self.bits.get((bit / 8) as usize);
        byte.is_some_and(|byte| byte & (1 << (bit % 8)) != 0)
    }
}

/// What a merged block holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BlockStats {
    /// A block that was read when it was merged.
    Events {
        /// Bytes that the block takes in the database.
        bytes: u32,
        /// The earliest and the latest moment of its events.
        earliest: Timestamp,
        latest: Timestamp,
        /// The position of its last event.
        last: Position,
        /// The numbers of the names, and of the users that the events are about.
        names: NumberSet,
        subjects: NumberSet,
    },
    /// A block that could not be read when it was to be merged.
    Damaged,
}

postcard_records!(BlockStats);

key! {
    /// A block, by the position of its first event when it was stored. The record under it holds
    /// the statistics of the block, once it is merged.
    BlockKey { at: Timestamp, sequence: u64, index: u32 } Block => BlockStats
}

impl std::fmt::Display for BlockKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = self.at.rfc3339_millis();
        write!(f, "{at}/{}/{}", self.sequence, self.index)
    }
}

impl BlockKey {
    /// The position of the first event of the block when it was stored.
    pub(crate) fn position(&self) -> Position {
        Position {
            at: self.at,
            sequence: self.sequence,
            index: self.index,
            place: 0,
        }
    }

    /// The block that held this position when the position was given.
    pub(crate) fn of(position: Position) -> BlockKey {
        BlockKey {
            at: position.at,
            sequence: position.sequence,
            index: position.index,
        }
    }

    /// The cursor from which reading resumes after this block.
    pub(crate) fn edge(&self, order: Order) -> Position {
        let place = match order {
            Order::Ascending => u32::MAX,
            Order::Descending => 0,
        };
        Position {
            place,
            ..self.position()
        }
    }
}

impl BlockStats {
    /// The statistics of a block with these events, which takes so many bytes. None without events.
    pub(crate) fn of(events: &[(Position, BlockEvent<'_>)], bytes: usize) -> Option<BlockStats> {
        let moments = events.iter().map(|(_, event)| event.at);
        Some(BlockStats::Events {
            bytes: u32::try_from(bytes).unwrap_or(u32::MAX),
            earliest: moments.clone().min()?,
            latest: moments.max()?,
            last: events.last()?.0,
            names: NumberSet::of(events.iter().map(|(_, event)| event.name)),
            subjects: NumberSet::of(events.iter().map(|(_, event)| event.subject.0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in_and_says_so() {
        for numbers in [
            vec![7],
            vec![0, u32::MAX],
            (1_000..2_000).step_by(3).collect(),
            (0..2_000).map(|number| number * 997).collect(),
        ] {
            let set = NumberSet::of(numbers.iter().copied());
            assert!(numbers.iter().all(|number| set.may_hold(*number)));
            assert!(set.bits.len() <= 2_048);
        }
        assert!(!NumberSet::default().may_hold(0));
    }

    #[test]
    fn a_small_range_is_known_exactly() {
        let set = NumberSet::of([5, 9].into_iter());
        let held: Vec<u32> = (0..100).filter(|number| set.may_hold(*number)).collect();
        assert_eq!(held, [5, 9]);
    }
}
