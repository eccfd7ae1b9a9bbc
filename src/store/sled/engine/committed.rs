//! What a group leaves as proof of itself, in the same batch as its changes: its number, and how
//! many records there are after it, with a sum over all of them. Whatever part of the database is
//! lost, without this record or with it, the two do not agree any more.

use serde::{Deserialize, Serialize};
use sled::IVec;

use crate::store::Result;
use crate::store::sled::engine::keys::{MetaKey, meta};
use crate::store::sled::engine::record::{self, second_postcard_records};
use crate::store::sled::engine::registry::MetaSlot;

/// Where the last group is recorded.
pub(crate) const COMMITTED: MetaKey<Committed> = meta(MetaSlot::Sequence);

/// All records but the one that holds this: how many, and the sum of their fingerprints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub(crate) records: u64,
    sum: u64,
}

impl Contents {
    /// Counts the change of a record.
    pub(crate) fn change(&mut self, key: &[u8], before: Option<&IVec>, after: Option<&IVec>) {
        if let Some(before) = before {
            self.remove(key, before);
        }
        if let Some(after) = after {
            self.add(key, after);
        }
    }

    /// Counts a record in.
    pub(crate) fn add(&mut self, key: &[u8], stored: &[u8]) {
        self.records = self.records.wrapping_add(1);
        self.sum = self.sum.wrapping_add(fingerprint(key, stored));
    }

    /// Counts a record out, which was counted in.
    fn remove(&mut self, key: &[u8], stored: &[u8]) {
        self.records = self.records.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(fingerprint(key, stored));
    }
}

/// A number for a record under its key. The record's own checksum stands for its body, so that no
/// body is read for this; that the two agree is checked wherever the record is used.
fn fingerprint(key: &[u8], stored: &[u8]) -> u64 {
    let body = u64::from(record::checksum_of(stored).unwrap_or(0));
    let mut mixed = (u64::from(crc32fast::hash(key)) << 32 | body) ^ stored.len() as u64;
    // The finalizer of SplitMix64 (Steele and others, 2014).
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The last group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Committed {
    /// Its number.
    pub(crate) sequence: u64,
    /// What there was after it.
    pub(crate) contents: Contents,
}

second_postcard_records!(Committed: number_alone);

/// Version 1 was the number alone.
fn number_alone(body: &[u8]) -> Result<Committed, postcard::Error> {
    Ok(Committed {
        sequence: postcard::from_bytes(body)?,
        contents: Contents::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_knows_every_record_and_no_order() {
        let records = [("a", "1_sum_x"), ("b", "1_sum_x"), ("b", "1_sun_x")];
        let sum = |order: &[usize]| {
            let mut contents = Contents::default();
            for index in order {
                let (key, stored) = records[*index];
                contents.add(key.as_bytes(), stored.as_bytes());
            }
            contents
        };
        assert_eq!(sum(&[0, 1]), sum(&[1, 0]));
        assert_ne!(sum(&[0, 1]), sum(&[0, 2]));
        assert_ne!(sum(&[0]), sum(&[1]));
        let mut both = sum(&[0, 1]);
        both.remove(b"a", b"1_sum_x");
        assert_eq!(both, sum(&[1]));
    }
}
