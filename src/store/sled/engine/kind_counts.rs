//! How many records of each kind there are, and how many bytes all of them have.

use sled::IVec;

use crate::store::sled::engine::registry::KeyKind;

/// The number of records of each kind, by the first byte of their keys, and the size of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KindCounts {
    records: [u64; 256],
    bytes: u64,
}

impl KindCounts {
    /// Counts a record in.
    pub(crate) fn add(&mut self, key: &[u8], stored: &[u8]) {
        self.bytes = self.bytes.wrapping_add(bytes(key, stored));
        if let Some(count) = self.slot(key) {
            *count = count.wrapping_add(1);
        }
    }

    /// Counts the change of a record.
    pub(crate) fn change(&mut self, key: &[u8], before: Option<&IVec>, after: Option<&IVec>) {
        let of = |stored: Option<&IVec>| stored.map_or(0, |stored| bytes(key, stored));
        self.bytes = self.bytes.wrapping_add(of(after)).wrapping_sub(of(before));
        if let Some(count) = self.slot(key) {
            *count = count
                .wrapping_add(u64::from(after.is_some()))
                .wrapping_sub(u64::from(before.is_some()));
        }
    }

    /// How many records of this kind there are.
    pub(crate) fn of(&self, kind: KeyKind) -> u64 {
        self.records
            .get(usize::from(kind.byte()))
            .copied()
            .unwrap_or(0)
    }

    /// How many bytes all records have, with their keys.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn slot(&mut self, key: &[u8]) -> Option<&mut u64> {
        self.records.get_mut(usize::from(*key.first()?))
    }
}

impl Default for KindCounts {
    fn default() -> KindCounts {
        KindCounts {
            records: [0; 256],
            bytes: 0,
        }
    }
}

fn bytes(key: &[u8], stored: &[u8]) -> u64 {
    (key.len() + stored.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_by_kind_as_they_come_and_go() {
        let value = IVec::from(b"x");
        let mut counts = KindCounts::default();
        counts.add(b"U1", &value);
        counts.add(b"T1", &value);
        assert_eq!(counts.bytes(), 6);
        counts.change(b"U2", None, Some(&value));
        counts.change(b"U1", Some(&value), Some(&IVec::from(b"long")));
        counts.change(b"T1", Some(&value), None);
        assert_eq!(
            (counts.of(KeyKind::User), counts.of(KeyKind::Token)),
            (2, 0)
        );
        assert_eq!(counts.bytes(), 9);
    }
}
