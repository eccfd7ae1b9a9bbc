//! Telemetry events: to be stored, and as read back; and the identity of a repeated request.

use super::{Digest, EventId, Invalid, Principal, Timestamp, UserId, limits};

/// An event to store, borrowed from the request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewEvent<'a> {
    /// The reporter's id for it. An event with the same id from the same reporter on the same or
    /// the previous UTC day, or on a later one if the clock went back, is the same event.
    pub id: Option<EventId>,
    /// What happened.
    pub name: &'a str,
    /// The user it is about.
    pub subject: UserId,
    /// A JSON object, byte for byte as received; none for a simple event.
    pub details: Option<&'a str>,
}

impl NewEvent<'_> {
    /// Checks the event against the rules of the API: a name of 1 to 255 characters, details of at
    /// most 16 KiB.
    pub fn check(&self) -> Result<(), Invalid> {
        let short = self.name.len() <= limits::EVENT_NAME_CHARS;
        if self.name.is_empty() || (!short && self.name.chars().count() > limits::EVENT_NAME_CHARS)
        {
            let most = limits::EVENT_NAME_CHARS;
            let why = format!("must be 1 to {most} characters long");
            return Err(Invalid::new("name", why));
        }
        if self
            .details
            .is_some_and(|text| text.len() > limits::EVENT_DETAILS_BYTES)
        {
            let most = limits::EVENT_DETAILS_BYTES / 1024;
            let why = format!("must be at most {most} KiB long");
            return Err(Invalid::new("details", why));
        }
        Ok(())
    }
}

/// An event as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it was stored.
    pub at: Timestamp,
    /// What happened.
    pub name: String,
    /// The user it is about; none if that account's number is no longer known.
    pub subject: Option<UserId>,
    /// Who reported it; none if that account's number is no longer known.
    pub reporter: Option<Principal>,
    /// Its details, byte for byte as received.
    pub details: Option<String>,
}

/// Identifies a request that must be stored only once, by its key and its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotency {
    /// The digest of the key.
    pub key: Digest,
    /// The digest of the body: the same key with another body is a mistake, not a repetition.
    pub body: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_in_characters() {
        let subject = UserId::from_random([7; 16]);
        let check = |name: &str| {
            NewEvent {
                id: None,
                name,
                subject,
                details: None,
            }
            .check()
        };
        assert!(check(&"ü".repeat(255)).is_ok() && check("a").is_ok());
        assert!(check("").is_err() && check(&"a".repeat(256)).is_err());
    }
}
