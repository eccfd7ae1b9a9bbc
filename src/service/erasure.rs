//! Removing events, as an administrator asks for it.

use super::question::{moment, user};
use super::{Error, Services};
use crate::model::{Erasure, Invalid, Timestamp, Zone};
use crate::store;

/// What is to be removed, as it is asked for, unchecked.
#[derive(Debug, Clone, Copy, Default)]
pub struct ErasureRequest<'a> {
    /// Events of this name.
    pub name: Option<&'a str>,
    /// Events about this user, whose account may be gone.
    pub user_id: Option<&'a str>,
    /// Events before this moment: RFC 3339, or a date, which begins at midnight UTC.
    pub before: Option<&'a str>,
}

impl Services {
    /// Removes the events that fit all that is said, and takes them out of the counters: how many there were. Once begun it
    /// goes on to its end, whether anybody waits for it or not.
    pub async fn erase_events(
        &self,
        request: ErasureRequest<'_>,
        now: Timestamp,
    ) -> Result<u64, Error> {
        let what = parse(&request)?;
        let store = self.store.clone();
        let erasing = tokio::spawn(async move { store.erase_events(what, now).await });
        let erased: store::Result<u64> =
            erasing.await.map_err(|gone| Error::Internal(gone.into()))?;
        let erased = erased?;
        log::info!("{erased} events were removed for the administrator");
        Ok(erased)
    }
}

fn parse(request: &ErasureRequest<'_>) -> Result<Erasure, Invalid> {
    // What is there and empty is a slip; taken for nothing in particular it would remove what nobody meant.
    for (field, value) in [
        ("name", request.name),
        ("user_id", request.user_id),
        ("before", request.before),
    ] {
        if value == Some("") {
            return Err(Invalid::new(field, "must not be empty"));
        }
    }
    let what = Erasure {
        name: request.name.map(str::to_owned),
        subject: request
            .user_id
            .map(|text| user("user_id", text))
            .transpose()?,
        before: moment("before", request.before, Zone::default())?,
    };
    if what == Erasure::default() {
        let why = "is missing: say user_id, name, before, or several of them";
        return Err(Invalid::new("user_id", why));
    }
    Ok(what)
}
