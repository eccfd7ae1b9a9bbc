//! Appends a report to the store: resolves its reporter, leaves out events that are stored already,
//! resolves subjects and names to numbers, encodes and compresses the rest, and gives the writer
//! one step.

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

/// Estimated bytes that one recorded event id takes: its key, and its share of a page.
const ID_BYTES: u64 = 48;

impl SledStore {
    /// Stores a report. None: another request stored one of its ids meanwhile; nothing of this
    /// report is stored, and the caller tries again.
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
            // An idempotency key that was used before decides the answer, so it is checked before
            // the ids are recorded.
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
            // Must be the last call that can fail: changes to the log are not rolled back.
            counters::load(tx, &mut log.counters, at.hour(), &encoded.counts)?;
            log.add(encoded);
            Ok(Some(Appended::Stored(answered)))
        };
        self.writer.step(cost, step).await
    }

    /// Answers a repeated request as the first time, even if an account that it names is deleted by
    /// now; returns `refusal` if the request is not a repeated one. The lookup is a step of the
    /// writer, because a read may show a record that is not on the disk yet.
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

    /// The reporter in the store's terms; none if the account is gone.
    fn reporter(&self, holder: Principal) -> Result<Option<Reporter>> {
        Ok(match holder {
            Principal::Admin => Some(Reporter::Admin),
            Principal::Hub => Some(Reporter::Hub),
            Principal::User(id) => self.user(id)?.map(|user| Reporter::User(user.number)),
        })
    }

    /// The number of each event's subject, or the place of the first event whose subject has no
    /// account.
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

    /// The number of each event's name. New names get their numbers first, in a step of their own.
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
