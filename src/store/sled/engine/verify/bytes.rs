//! sled's integers and byte strings (`serialization.rs` of sled 0.34.7).

/// The rest of some bytes that are being read. Every method returns none at their end.
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// An integer of one to nine bytes.
    pub(super) fn varint(&mut self) -> Option<u64> {
        let first = self.byte()?;
        Some(match first {
            0..=240 => u64::from(first),
            241..=248 => 240 + 256 * (u64::from(first) - 241) + u64::from(self.byte()?),
            249 => {
                let [high, low] = self.array()?;
                2288 + 256 * u64::from(high) + u64::from(low)
            }
            250.. => {
                let bytes = self.take(usize::from(first) - 247)?;
                let mut word = [0; 8];
                word.iter_mut()
                    .zip(bytes)
                    .for_each(|(to, from)| *to = *from);
                u64::from_le_bytes(word)
            }
        })
    }

    /// An integer that counts something in memory.
    pub(super) fn count(&mut self) -> Option<usize> {
        self.varint().and_then(|it| usize::try_from(it).ok())
    }

    /// A log sequence number.
    pub(super) fn lsn(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    /// A byte string with its length in front.
    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let count = self.count()?;
        self.take(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_sled_writes_them() {
        for (bytes, number) in [
            (&[240][..], 240),
            (&[241, 0], 240),
            (&[248, 255], 2287),
            (&[249, 0, 0], 2288),
            (&[249, 255, 255], 67_823),
            (&[250, 1, 2, 3], 0x03_02_01),
            (&[255, 1, 0, 0, 0, 0, 0, 0, 2], 0x0200_0000_0000_0001),
        ] {
            assert_eq!(Bytes(bytes).varint(), Some(number), "{bytes:?}");
            assert_eq!(Bytes(&bytes[1..]).array::<9>(), None);
        }
        assert_eq!(Bytes(&[250, 1, 2]).varint(), None);
        assert_eq!(Bytes(&[3, 1, 2]).string(), None);
    }
}
