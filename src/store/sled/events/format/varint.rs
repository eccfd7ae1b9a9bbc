//! Encodes integers of any size in as few bytes as they need.

/// Appends a number in groups of seven bits, the lowest first (LEB128).
pub(crate) fn put(to: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return to.push(low);
        }
        to.push(low | 0x80);
    }
}

/// Takes such a number off the front. None: it does not end within ten bytes.
pub(crate) fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Takes such a number, if it fits 32 bits.
pub(crate) fn take_u32(from: &mut &[u8]) -> Option<u32> {
    take(from).and_then(|number| u32::try_from(number).ok())
}

/// Takes such a number, as a length in memory.
pub(crate) fn take_len(from: &mut &[u8]) -> Option<usize> {
    take(from).and_then(|number| usize::try_from(number).ok())
}

/// Appends the length of some bytes, then the bytes.
pub(crate) fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    put(to, bytes.len() as u64);
    to.extend_from_slice(bytes);
}

/// Takes a length, then so many bytes.
pub(crate) fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_len(from)?;
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}

/// Maps numbers of either sign that are close to zero to small numbers.
pub(crate) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

/// The inverse of `zigzag`.
pub(crate) fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_and_sign_read_back() {
        for number in [0, 1, -1, 63, -64, 64, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put(&mut bytes, zigzag(number));
            let mut rest = bytes.as_slice();
            assert_eq!(
                (take(&mut rest).map(unzigzag), rest.len()),
                (Some(number), 0)
            );
        }
        assert_eq!(take(&mut [0xFF_u8; 11].as_slice()), None);
    }
}
