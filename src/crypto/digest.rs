//! SHA-256 digests.

use crate::model::{Digest, Secret};

/// The SHA-256 digest of `bytes`.
pub fn digest(bytes: &[u8]) -> Digest {
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut digest = [0; 32];
    digest.copy_from_slice(hash.as_ref());
    Digest(digest)
}

/// The SHA-256 digest under which the store keeps and finds a secret.
pub fn digest_of(secret: &Secret) -> Digest {
    digest(secret.reveal().as_bytes())
}
