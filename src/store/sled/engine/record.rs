//! The stored form of a value: `version (1) · CRC-32 of key, version and body (4, little-endian) ·
//! body`. A body is postcard, except for blocks of events, which are bytes already.
//!
//! The checksum covers the key, so that a value under a wrong key is detected too.

use sled::IVec;

use crate::crypto;
use crate::model::Digest;
use crate::store::{Error, Result};

const HEAD_BYTES: usize = 5;

/// A type of value that can be stored. A changed layout needs a new version.
pub(crate) trait Record: Sized {
    /// The version that this program writes.
    const VERSION: u8 = 1;
    /// Encodes the body.
    fn to_body(&self) -> Result<Vec<u8>, postcard::Error>;
    /// Decodes a body that `to_body` made.
    fn from_body(body: &[u8]) -> Result<Self, postcard::Error>;
    /// Decodes a body of an earlier version; none if there was no such version.
    fn from_earlier(_version: u8, _body: &[u8]) -> Option<Result<Self, postcard::Error>> {
        None
    }
}

/// Types that serde knows are stored as postcard.
macro_rules! postcard_records {
    ($($type:ty),* $(,)?) => {$(
        impl $crate::store::sled::engine::record::Record for $type {
            fn to_body(&self) -> Result<Vec<u8>, postcard::Error> {
                postcard::to_stdvec(self)
            }
            fn from_body(body: &[u8]) -> Result<Self, postcard::Error> {
                postcard::from_bytes(body)
            }
        }
    )*};
}
pub(crate) use postcard_records;

/// Types that are stored as postcard in their second version, with the function that decodes a body
/// of the first.
macro_rules! second_postcard_records {
    ($($type:ty: $from_first:path),* $(,)?) => {$(
        impl $crate::store::sled::engine::record::Record for $type {
            const VERSION: u8 = 2;
            fn to_body(&self) -> Result<Vec<u8>, postcard::Error> {
                postcard::to_stdvec(self)
            }
            fn from_body(body: &[u8]) -> Result<Self, postcard::Error> {
                postcard::from_bytes(body)
            }
            fn from_earlier(version: u8, body: &[u8]) -> Option<Result<Self, postcard::Error>> {
                (version == 1).then(|| $from_first(body))
            }
        }
    )*};
}
pub(crate) use second_postcard_records;

postcard_records!((), u32, u64, String, Vec<u8>, Digest);

/// The stored form of `record` under `key`.
pub(crate) fn seal<R: Record>(key: &[u8], record: &R) -> Result<IVec> {
    let body = record
        .to_body()
        .map_err(|error| corrupt(key, &error.to_string()))?;
    let mut sealed = Vec::with_capacity(HEAD_BYTES + body.len());
    sealed.push(R::VERSION);
    sealed.extend_from_slice(&checksum(key, R::VERSION, &body).to_le_bytes());
    sealed.extend_from_slice(&body);
    Ok(IVec::from(sealed))
}

/// The record that `seal` turned into `stored`. Error: `Corrupt`.
pub(crate) fn open<R: Record>(key: &[u8], stored: &[u8]) -> Result<R> {
    let Some((&[version, a, b, c, d], body)) = stored.split_first_chunk::<HEAD_BYTES>() else {
        return Err(corrupt(key, "too short"));
    };
    if checksum(key, version, body) != u32::from_le_bytes([a, b, c, d]) {
        return Err(corrupt(key, "wrong checksum"));
    }
    let record = if version == R::VERSION {
        Some(R::from_body(body))
    } else {
        R::from_earlier(version, body)
    };
    record
        .ok_or_else(|| corrupt(key, &format!("unknown version {version}")))?
        .map_err(|error| corrupt(key, &error.to_string()))
}

/// The body of a sealed record, without checking the checksum: for records that were sealed a
/// moment ago.
pub(crate) fn body_of(stored: &[u8]) -> &[u8] {
    stored.get(HEAD_BYTES..).unwrap_or_default()
}

/// The version of a stored record; none if it is empty.
pub(crate) fn version_of(stored: &[u8]) -> Option<u8> {
    stored.first().copied()
}

/// The checksum that a stored record carries, not compared with its body.
pub(crate) fn checksum_of(stored: &[u8]) -> Option<u32> {
    let (head, _) = stored.split_first_chunk::<HEAD_BYTES>()?;
    let [_, checksum @ ..] = *head;
    Some(u32::from_le_bytes(checksum))
}

/// The error for a damaged record under `key`. The key may hold an address, so the error shows only
/// its kind and the beginning of its SHA-256.
pub(crate) fn corrupt(key: &[u8], why: &str) -> Error {
    let kind = key.first().map_or('?', |kind| char::from(*kind));
    let Digest([a, b, c, d, ..]) = crypto::digest(key);
    let fingerprint = u32::from_be_bytes([a, b, c, d]);
    Error::Corrupt(format!("kind {kind}, key {fingerprint:08x}: {why}"))
}

fn checksum(key: &[u8], version: u8, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&[version]);
    hasher.update(body);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_flipped_bit_and_any_other_key_is_noticed() {
        let stored = seal(b"key", &"a value".to_owned()).unwrap();
        assert_eq!(open::<String>(b"key", &stored).unwrap(), "a value");
        assert!(open::<String>(b"kez", &stored).is_err());
        for bit in 0..stored.len() * 8 {
            let mut bent = stored.to_vec();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(open::<String>(b"key", &bent).is_err(), "bit {bit}");
        }
        for len in 0..stored.len() {
            assert!(
                open::<String>(b"key", &stored[..len]).is_err(),
                "length {len}"
            );
        }
    }
}
