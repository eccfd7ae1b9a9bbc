//! Events, as they are reported.

use super::quotas::Volume;
use super::{Bearer, Error, Services};
use crate::crypto;
use crate::model::{EventId, Idempotency, Invalid, NewEvent, Principal, Timestamp, UserId, limits};
use crate::store::{Appended, Report};

/// An event as it was reported, unchecked and borrowed from the body.
#[derive(Debug, Clone, Copy)]
pub struct ReportedEvent<'a> {
    /// What the reporter calls it, so that it is stored once however often it is sent.
    pub id: Option<&'a str>,
    /// What happened.
    pub name: &'a str,
    /// Whom it is about; the reporter if not said.
    pub user_id: Option<&'a str>,
    /// The JSON object that came with it.
    pub details: Option<&'a str>,
}

impl Services {
    /// Stores all of these events, or none, and says how many there are. `key` is the request's `Idempotency-Key`, `body` what
    /// tells one request with that key from another.
    pub async fn report_events(
        &self,
        bearer: &Bearer,
        events: &[ReportedEvent<'_>],
        key: Option<&[u8]>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<usize, Error> {
        if events.len() > limits::EVENTS_PER_REQUEST {
            return Err(Invalid::new("events", "must be at most 10000 in a request").into());
        }
        let idempotency = key.map(|key| promise(key, body)).transpose()?;
        let checked: Vec<NewEvent<'_>> = events
            .iter()
            .enumerate()
            .map(|(index, event)| check(index, event, bearer))
            .collect::<Result<_, _>>()?;
        if checked.is_empty() {
            return Ok(0);
        }
        let reporter = bearer.token.holder;
        let report = Report {
            reporter,
            events: &checked,
            idempotency,
            at: now,
        };
        let volume = Volume {
            events: checked.len() as u64,
            bytes: body.len() as u64,
        };
        let quotas = &self.limiter.quotas;
        quotas.admit(reporter, volume, self.world.clock.monotonic())?;
        let appended = self.store.append_events(report).await;
        if !matches!(appended, Ok(Appended::Stored(_))) {
            quotas.refund(reporter, volume, self.world.clock.monotonic());
        }
        match appended? {
            Appended::Stored(count) | Appended::Replayed(count) => Ok(count),
            Appended::UnknownUser(index) => Err(wrong(index, "user_id", "is no user's id").into()),
            Appended::UnknownReporter => Err(Error::BadToken),
            Appended::KeyReused => Err(Error::Unprocessable(vec![
                "Idempotency-Key: was used for another request".into(),
            ])),
        }
    }
}

fn promise(key: &[u8], body: &[u8]) -> Result<Idempotency, Invalid> {
    if key.is_empty() || key.len() > limits::IDEMPOTENCY_KEY_BYTES {
        return Err(Invalid::new(
            "Idempotency-Key",
            "must be 1 to 255 bytes long",
        ));
    }
    Ok(Idempotency {
        key: crypto::digest(key),
        body: crypto::digest(body),
    })
}

fn check<'a>(
    index: usize,
    event: &ReportedEvent<'a>,
    bearer: &Bearer,
) -> Result<NewEvent<'a>, Invalid> {
    let subject = match (event.user_id, bearer.token.holder) {
        (Some(text), _) => {
            UserId::parse(text).ok_or_else(|| wrong(index, "user_id", "must be a UUID"))?
        }
        (None, Principal::User(id)) => id,
        (None, Principal::Admin | Principal::Hub) => {
            return Err(wrong(
                index,
                "user_id",
                "is needed: the token has no user of its own",
            ));
        }
    };
    let id = event
        .id
        .map(|text| EventId::parse(text).ok_or_else(|| wrong(index, "id", "must be a UUID")));
    let checked = NewEvent {
        id: id.transpose()?,
        name: event.name,
        subject,
        details: event.details,
    };
    checked
        .check()
        .map_err(|invalid| wrong(index, &invalid.field, &invalid.why))?;
    Ok(checked)
}

fn wrong(index: usize, field: &str, why: &str) -> Invalid {
    Invalid::new(format!("events[{index}].{field}"), why)
}
