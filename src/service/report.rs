//! Checks events that a client reports, and stores them.

use super::quotas::Volume;
use super::{Bearer, Error, Services};
use crate::model::{EventId, Idempotency, Invalid, NewEvent, Principal, Timestamp, UserId, limits};
use crate::store::{Appended, Report};

/// An event as it was reported, borrowed from the request.
#[derive(Debug, Clone, Copy)]
pub struct ReportedEvent<'a> {
    /// The reporter's own id of the event, so that it is stored only once if it is sent again.
    pub id: Option<EventId>,
    /// The name of the event.
    pub name: &'a str,
    /// The user whom it is about; none: the reporter.
    pub user_id: Option<UserId>,
    /// The JSON object that came with it.
    pub details: Option<&'a str>,
}

impl Services {
    /// Stores all of these events, or none, and returns how many there are. `request_bytes` is the
    /// length of the request that brought them.
    pub async fn report_events(
        &self,
        bearer: &Bearer,
        events: &[ReportedEvent<'_>],
        idempotency: Option<Idempotency>,
        request_bytes: u64,
        now: Timestamp,
    ) -> Result<usize, Error> {
        let most = limits::EVENTS_PER_REQUEST;
        if events.len() > most {
            let why = format!("must be at most {most} in a request");
            return Err(Invalid::new("events", why).into());
        }
        let reporter = bearer.token.reporter();
        let checked: Vec<NewEvent<'_>> = events
            .iter()
            .enumerate()
            .map(|(index, event)| {
                check(event, bearer.token.holder)
                    .map_err(|invalid| Error::InvalidEvent { index, invalid })
            })
            .collect::<Result<_, _>>()?;
        // With a key, an empty list is remembered like any other.
        if checked.is_empty() && idempotency.is_none() {
            return Ok(0);
        }
        let report = Report {
            reporter,
            events: &checked,
            idempotency,
            at: now,
        };
        let volume = Volume {
            events: checked.len() as u64,
            bytes: request_bytes,
        };
        let quotas = &self.quotas;
        quotas.admit(reporter, volume, self.world.clock.monotonic())?;
        let appended = self.store.append_events(report).await;
        if !matches!(appended, Ok(Appended::Stored(_))) {
            quotas.refund(reporter, volume, self.world.clock.monotonic());
        }
        match appended? {
            Appended::Stored(count) | Appended::Replayed(count) => Ok(count),
            Appended::UnknownUser(index) => {
                let invalid = Invalid::new("user_id", "is not the id of a user");
                Err(Error::InvalidEvent { index, invalid })
            }
            Appended::UnknownReporter => Err(Error::BadToken),
            Appended::KeyReused => Err(Error::IdempotencyKeyReused),
        }
    }
}

fn check<'a>(event: &ReportedEvent<'a>, holder: Principal) -> Result<NewEvent<'a>, Invalid> {
    let subject = match (event.user_id, holder) {
        (Some(id), _) | (None, Principal::User(id)) => id,
        (None, Principal::Admin | Principal::Hub | Principal::Machine(_)) => {
            let why = "is needed: the token has no user of its own";
            return Err(Invalid::new("user_id", why));
        }
    };
    let checked = NewEvent {
        id: event.id,
        name: event.name,
        subject,
        details: event.details,
    };
    checked.check()?;
    Ok(checked)
}
