//! Identifiers, each a type of its own.

use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

/// A user's public id: a random UUID (RFC 9562, version 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserId(pub Uuid);

/// A user's number in the order of signups. Short, so that an event can name its user in two bytes;
/// never reused and never shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UserNumber(pub u32);

/// A token's public id. It distinguishes tokens in lists and grants no access. The id of a family
/// is the id of its first token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenId(pub Uuid);

/// The id that a reporter gave to an event. It distinguishes a repetition from another event that
/// looks the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId(pub Uuid);

impl EventId {
    /// Reads any of the usual spellings of a UUID.
    pub fn parse(text: &str) -> Option<EventId> {
        Uuid::try_parse(text).ok().map(EventId)
    }
}

impl UserId {
    /// A version 4 UUID of these random bytes.
    pub fn from_random(bytes: [u8; 16]) -> UserId {
        UserId(Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Reads any of the usual spellings of a UUID.
    pub fn parse(text: &str) -> Option<UserId> {
        Uuid::try_parse(text).ok().map(UserId)
    }
}

impl TokenId {
    /// A version 4 UUID of these random bytes.
    pub fn from_random(bytes: [u8; 16]) -> TokenId {
        TokenId(Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Reads any of the usual spellings of a UUID.
    pub fn parse(text: &str) -> Option<TokenId> {
        Uuid::try_parse(text).ok().map(TokenId)
    }
}

impl std::fmt::Display for UserId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for TokenId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
