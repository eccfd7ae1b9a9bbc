//! The way of a report into the store: who reports, what of it is new, whom and what its numbers
//! are; then, encoded and compressed, one step of the writer.

use std::sync::Arc;

use crate::model::{NewEvent, Principal, UserId, UserNumber};
use crate::store::sled::SledStore;
use crate::store::sled::engine::disk_space::{WriteClass, WriteCost};
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::events::counts::{counters, names};
use crate::store::sled::events::dedup::{self, Deduplicated};
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::format::columns::Reporter;
use crate::store::sled::events::{idempotency, report};
use crate::store::{Appended, Error, Report, Result};

/// What a noted id takes: its key, and its place in a page.
const ID_BYTES: u64 = 48;

impl SledStore {
    /// Stores a report; none if something of it was stored by another request meanwhile.
    pub(crate) async fn append_once(&self, report: &Report<'_>) -> Result<Option<Appended>> {
        let (holder, idempotency, at) = (report.reporter, report.idempotency, report.at);
        let reporter = self.reporter(holder)?;
        let deduplicated = match reporter {
            Some(reporter) => dedup::deduplicate(&self.tree, reporter, report.events, at)?,
            None => Deduplicated::whole(report.events),
        };
        let (reporter, subjects) = match (self.subjects(&deduplicated.events)?, reporter) {
            (Ok(subjects), Some(reporter)) => (reporter, subjects),
            (Ok(_), None) => {
                let refusal = Appended::UnknownReporter;
                return self.answer_or(report, refusal).await.map(Some);
            }
            (Err(place), _) => {
                let refusal = Appended::UnknownUser(deduplicated.place(place));
                return self.answer_or(report, refusal).await.map(Some);
            }
        };
        let names = self.name_numbers(&deduplicated.events).await?;
        let encoded = report::encode(at, reporter, &deduplicated.events, &names, &subjects);
        let answered = report.events.len();
        let ids = deduplicated.keys;
        let cost = WriteCost {
            class: WriteClass::Events,
            bytes: encoded.bytes() + ids.len() as u64 * ID_BYTES,
        };
        let step = move |tx: &mut Transaction<'_>, log: &mut EventLog| {
            // A key that was used up refuses the report, so it comes before the ids are noted.
            let answer = idempotency.map(|it| idempotency::find_answer(tx, holder, it, at));
            if let Some(answer) = answer.transpose()?.flatten() {
                return Ok(Some(answer));
            }
            if !dedup::note(tx, &ids)? {
                return Ok(None);
            }
            if let Some(promise) = idempotency {
                idempotency::record(tx, holder, promise, answered, at)?;
            }
            // The last thing that can fail: what the log is given is not rolled back.
            counters::load(tx, &mut log.counters, at.hour(), &encoded.counts)?;
            log.add(encoded);
            Ok(Some(Appended::Stored(answered)))
        };
        self.writer.step(cost, step).await
    }

    /// A repetition is answered as the first time, even if an account that it names is gone by now;
    /// and like the first time, after the writer has been asked: what a read shows may not be on
    /// the disk yet.
    async fn answer_or(&self, report: &Report<'_>, refusal: Appended) -> Result<Appended> {
        let (holder, idempotency, at) = (report.reporter, report.idempotency, report.at);
        let answer = self
            .change(WriteClass::Events, move |tx| {
                let answer = |it| idempotency::find_answer(tx, holder, it, at).transpose();
                idempotency.and_then(answer).transpose()
            })
            .await?;
        Ok(answer.unwrap_or(refusal))
    }

    /// Who reports; none if the account is gone.
    fn reporter(&self, holder: Principal) -> Result<Option<Reporter>> {
        Ok(match holder {
            Principal::Admin => Some(Reporter::Admin),
            Principal::Hub => Some(Reporter::Hub),
            Principal::User(id) => self.user(id)?.map(|user| Reporter::User(user.number)),
        })
    }

    /// The numbers of those whom the events are about, or which event is about nobody.
    fn subjects(&self, events: &[NewEvent<'_>]) -> Result<Result<Vec<UserNumber>, usize>> {
        let mut numbers: Vec<UserNumber> = Vec::with_capacity(events.len());
        let mut last: Option<(UserId, UserNumber)> = None;
        for (place, event) in events.iter().enumerate() {
            let number = match last {
                Some((id, number)) if id == event.subject => number,
                _ => match self.user(event.subject)? {
                    Some(user) => user.number,
                    None => return Ok(Err(place)),
                },
            };
            last = Some((event.subject, number));
            numbers.push(number);
        }
        Ok(Ok(numbers))
    }

    /// The numbers of the names of events; a name that is new gets its number first.
    async fn name_numbers(&self, new: &[NewEvent<'_>]) -> Result<Vec<u32>> {
        match self.names.numbers(new) {
            Ok(numbers) => Ok(numbers),
            Err(unknown) => {
                let names = Arc::clone(&self.names);
                let step = move |tx: &mut Transaction<'_>| names::intern(tx, &names, unknown);
                self.change(WriteClass::Events, step).await?;
                self.names
                    .numbers(new)
                    .map_err(|_| Error::Corrupt("a name that was given a number has none".into()))
            }
        }
    }
}
