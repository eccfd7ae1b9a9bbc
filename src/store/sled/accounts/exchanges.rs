//! Remembers when access tokens were exchanged, in monotonic time: the grace after an exchange must
//! not depend on a wall clock that jumps.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use crate::model::{Digest, ExchangedAt, limits};
use crate::sync::lock;

/// The most exchanges that are remembered: more than the disk takes within the grace.
const MOST: usize = 1 << 17;

/// The exchanges of the last seconds, by the digest of the old token.
#[derive(Default)]
pub(crate) struct Exchanges(Mutex<Recent>);

#[derive(Default)]
struct Recent {
    at: HashMap<Digest, Duration>,
    /// Earlier exchanges may be missing: those before the start.
    complete_since: Duration,
}

impl Exchanges {
    /// Notes an exchange.
    pub(crate) fn note(&self, old: Digest, monotonic: Duration) {
        let mut recent = lock(&self.0);
        if recent.at.len() >= MOST {
            let begin = monotonic.saturating_sub(limits::REFRESH_GRACE);
            recent.at.retain(|_, at| *at > begin);
        }
        if recent.at.len() >= MOST {
            recent.at.clear();
            recent.complete_since = monotonic;
        }
        recent.at.insert(old, monotonic);
    }

    /// When a token that has been exchanged was exchanged.
    pub(crate) fn find(&self, old: &Digest) -> ExchangedAt {
        let recent = lock(&self.0);
        let at = recent.at.get(old).copied();
        at.map_or(
            ExchangedAt::Before(recent.complete_since),
            ExchangedAt::Exactly,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: usize) -> Digest {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Digest(bytes)
    }

    #[test]
    fn memory_is_bounded_and_what_is_forgotten_is_known_to_be() {
        let exchanges = Exchanges::default();
        let seconds = Duration::from_secs;
        for number in 0..MOST {
            exchanges.note(digest(number), seconds(5));
        }
        assert_eq!(exchanges.find(&digest(0)), ExchangedAt::Exactly(seconds(5)));
        exchanges.note(digest(MOST), seconds(6));
        assert_eq!(exchanges.find(&digest(0)), ExchangedAt::Before(seconds(6)));
        assert_eq!(
            exchanges.find(&digest(MOST)),
            ExchangedAt::Exactly(seconds(6))
        );
        for number in 0..MOST {
            exchanges.note(digest(number), seconds(16));
        }
        assert_eq!(
            exchanges.find(&digest(MOST)),
            ExchangedAt::Before(seconds(6))
        );
        assert_eq!(
            exchanges.find(&digest(7)),
            ExchangedAt::Exactly(seconds(16))
        );
    }
}
