//! Secrets, and the digests of secrets and requests. A secret prints as `***` and wipes its memory.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use super::text;

/// A password, token or code. It prints as `***`, and its memory is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps `text`, which is wiped when the secret is dropped.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The secret itself: for hashing it, and for the one answer that hands it out.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The form in which passwords are counted, hashed and compared (RFC 8265, `OpaqueString`): one
    /// for all ways to type the same text. ASCII is its own form.
    pub fn normalized(&self) -> Cow<'_, Secret> {
        text::opaque_string(&self.0).map_or(Cow::Borrowed(self), |it| Cow::Owned(Secret(it)))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::new)
    }
}

/// The SHA-256 digest of a secret or of a request. The store finds tokens, codes and repeated
/// requests by their digests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("digest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints_itself() {
        assert_eq!(format!("{:?}", Secret::new("hunter22")), "***");
    }
}
