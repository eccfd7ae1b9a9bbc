//! Appends a report to the store: resolves its reporter, leaves out events that are stored already,
//! resolves subjects and names to numbers, encodes and compresses the rest, and gives the writer
//! one step.

use std::sync::Arc;

use crate::model::{NewEvent, Principal, UserId, UserNumber};
use crate::store::sled::SledStore;
use crate::store::sled::engine::disk_space::{WriteClass, WriteCost};
use crate::store::sled::engine::transaction::Transaction;
use crate::store::sled::events::counts::counters;
use crate::store::sled::events::counts::name_record::STEP_NAMES;
use crate::store::sled::events::counts::names::Numbered;
use crate::store::sled::events::dedup::{self, Deduplicated};
use crate::store::sled::events::event_log::EventLog;
use crate::store::sled::events::format::columns::Reporter;
use crate::store::sled::events::remembered::Remember;
use crate::store::sled::events::{id_rows, idempotency, report};
use crate::store::{Appended, Report, Result};

impl SledStore {
    /// Stores a report. None: another request stored one of its ids meanwhile, or names were
    /// removed; nothing of this report is stored, and the caller tries again.
    pub(crate) async fn append_once(&self, report: &Report<'_>) -> Result<Option<Appended>> {
        let (holder, idempotency, at) = (report.reporter, report.idempotency, report.at);
        let reporter = self.reporter(holder)?;
        let deduplicated = match reporter {
            Some(reporter) => dedup::deduplicate(&self.known_ids, reporter, report.events, at),
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
        let named = self.name_numbers(&deduplicated.events, reporter).await?;
        let Some(Numbered {
            numbers,
            generation,
        }) = named
        else {
            return Ok(None);
        };
        let encoded = report::encode(at, reporter, &deduplicated.events, &numbers, &subjects);
        let answered = report.events.len();
        let (ids, known_ids) = (deduplicated.ids, Arc::clone(&self.known_ids));
        let id_bytes = ids
            .as_ref()
            .map_or(0, |it| id_rows::log_bytes(it.ids.len()));
        let cost = WriteCost {
            class: WriteClass::Events,
            bytes: encoded.bytes() + id_bytes,
        };
        let step = move |tx: &mut Transaction<'_>, log: &mut EventLog| {
            // A key that was used for another request refuses the report, and one that was used for
            // this request answers it, so this comes before the ids are looked at.
            let answer = idempotency.map(|it| idempotency::find_answer(tx, holder, it, at));
            if let Some(answer) = answer.transpose()?.flatten() {
                return Ok(Some(answer));
            }
            let is_known = ids.as_ref().is_some_and(|ids| known_ids.has_any_of(ids));
            if log.names().generation() != generation || is_known {
                return Ok(None);
            }
            if let Some(ids) = ids {
                log.remember(Remember::Ids(ids))?;
            }
            if let Some(promise) = idempotency
                && idempotency::record(tx, holder, promise, answered, at)?
            {
                log.remember(Remember::Promise(holder))?;
            }
            if encoded.stored() > 0 {
                counters::load(tx, &mut log.counters, at.hour(), &encoded.counts)?;
                log.add(encoded);
            }
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
            Principal::Machine(name) => self.machine(name)?.map(Reporter::Machine),
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

    /// The number of each event's name. New names get their numbers first, in steps of their own.
    /// None: names were removed meanwhile, and there is room for others.
    async fn name_numbers(
        &self,
        new: &[NewEvent<'_>],
        reporter: Reporter,
    ) -> Result<Option<Numbered>> {
        let unknown = match self.names.numbers(new, reporter) {
            Ok(numbers) => return Ok(Some(numbers)),
            Err(unknown) => unknown,
        };
        for some in unknown.chunks(STEP_NAMES) {
            let some = some.to_vec();
            let step =
                move |tx: &mut Transaction<'_>, log: &mut EventLog| intern(tx, log, some, reporter);
            self.change_events(WriteClass::Events, step).await?;
        }
        Ok(self.names.numbers(new, reporter).ok())
    }
}

/// Gives numbers to names that have none, as far as there is room.
fn intern(
    tx: &mut Transaction<'_>,
    log: &mut EventLog,
    unknown: Vec<String>,
    reporter: Reporter,
) -> Result<()> {
    for (id, record) in log.names().plan(unknown, reporter) {
        log.step.learn_name(tx, id, record)?;
    }
    Ok(())
}
