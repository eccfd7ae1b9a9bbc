//! How much the server keeps, in one line.

use std::fmt;

use super::{Error, Services};
use crate::model::Timestamp;
use crate::store::RecordCounts;

/// How much is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Accounts and tokens; none while the records of a large store are being counted.
    pub records: Option<RecordCounts>,
    /// Events that were stored today (UTC).
    pub events_today: u64,
    /// Bytes of all files of the store.
    pub disk_bytes: u64,
}

impl Services {
    /// How much is stored. It writes nothing.
    pub async fn usage(&self, now: Timestamp) -> Result<Usage, Error> {
        let used = self.store.disk_use(now).await?;
        let today = used.days.iter().rfind(|(day, _)| *day == now.day());
        Ok(Usage {
            records: self.store.record_counts(),
            events_today: today.map_or(0, |(_, it)| it.events),
            disk_bytes: used.disk_bytes,
        })
    }

    /// Returns when the store's writer has run a step that changes nothing.
    pub async fn round_trip(&self) -> Result<(), Error> {
        Ok(self.store.round_trip().await?)
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.records {
            Some(RecordCounts { users, tokens }) => write!(f, "{users} users, {tokens} tokens, ")?,
            None => f.write_str("users and tokens are being counted, ")?,
        }
        // Tenths of a MiB, rounded down.
        let tenths = self.disk_bytes * 10 / (1 << 20);
        write!(
            f,
            "{} events today, store {}.{} MiB",
            self.events_today,
            tenths / 10,
            tenths % 10
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_names_its_units_and_says_what_is_not_known_yet() {
        let mut usage = Usage {
            records: Some(RecordCounts {
                users: 3,
                tokens: 5,
            }),
            events_today: 7,
            disk_bytes: (1 << 20) + (1 << 19),
        };
        let line = "3 users, 5 tokens, 7 events today, store 1.5 MiB";
        assert_eq!(usage.to_string(), line);
        usage.records = None;
        assert!(
            usage
                .to_string()
                .starts_with("users and tokens are being counted, 7 events")
        );
    }
}
