//! How many records of each kind there are.

use sled::IVec;

use crate::store::sled::engine::registry::KeyKind;

/// The number of records of each kind, by the first byte of their keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KindCounts([u64; 256]);

impl KindCounts {
    /// Counts a record in.
    pub(crate) fn add(&mut self, key: &[u8]) {
        if let Some(count) = self.slot(key) {
            *count = count.wrapping_add(1);
        }
    }

    /// Counts the change of a record.
    pub(crate) fn change(&mut self, key: &[u8], before: Option<&IVec>, after: Option<&IVec>) {
        if let Some(count) = self.slot(key) {
            *count = count
                .wrapping_add(u64::from(after.is_some()))
                .wrapping_sub(u64::from(before.is_some()));
        }
    }

    /// How many records of this kind there are.
    pub(crate) fn of(&self, kind: KeyKind) -> u64 {
        self.0.get(usize::from(kind.byte())).copied().unwrap_or(0)
    }

    fn slot(&mut self, key: &[u8]) -> Option<&mut u64> {
        self.0.get_mut(usize::from(*key.first()?))
    }
}

impl Default for KindCounts {
    fn default() -> KindCounts {
        KindCounts([0; 256])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_by_kind_as_they_come_and_go() {
        let value = IVec::from(b"x");
        let mut counts = KindCounts::default();
        counts.add(b"U1");
        counts.add(b"T1");
        counts.change(b"U2", None, Some(&value));
        counts.change(b"U1", Some(&value), Some(&value));
        counts.change(b"T1", Some(&value), None);
        assert_eq!(
            (counts.of(KeyKind::User), counts.of(KeyKind::Token)),
            (2, 0)
        );
    }
}
