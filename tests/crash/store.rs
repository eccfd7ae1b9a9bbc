//! The check of the files: they are opened through the library after the process has ended.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use doorward::crypto::{HashCost, PasswordHasher, Verdict, digest};
use doorward::model::{
    Event, EventQuery, NameCount, Order, Principal, Secret, Timestamp, TokenStatus, UserId,
};
use doorward::store::sled::{SledStore, StoreOptions};
use doorward::store::{AccountStore, EventStore, Maintenance, TokenStore};

use crate::ledger::{Account, Fate, Report, Worker};
use crate::moment;
use crate::trail;

/// The knowledge of earlier rounds.
#[derive(Default)]
pub(crate) struct Books {
    /// The number of stored events of each name.
    counts: BTreeMap<String, u64>,
}

/// The reports and accounts to check.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    /// Check reports and accounts of this round and later ones.
    pub(crate) round: u32,
    /// Read the events from this moment on.
    pub(crate) from: Timestamp,
    /// The current round.
    pub(crate) now: u32,
}

/// All events from a moment on, oldest first, page by page.
async fn events_from(store: &SledStore, from: Timestamp) -> Vec<Event> {
    let mut query = EventQuery {
        from: Some(from),
        ..EventQuery::all(Order::Ascending)
    };
    let mut events = Vec::new();
    loop {
        let page = store.read_events(query.clone()).await;
        let page = page.expect("LOST: events");
        assert_eq!(page.damaged_blocks, 0, "LOST: a block of events");
        events.extend(page.events.into_iter().map(|(_, event)| event));
        query.after = page.next;
        if query.after.is_none() {
            return events;
        }
    }
}

impl Books {
    /// Checks the files and returns the number of events that they hold in that span.
    pub(crate) fn judge(&mut self, workers: &mut [Worker], data: &Path, span: Span) -> usize {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let store = SledStore::open(data, StoreOptions::default()).await;
            let store =
                store.unwrap_or_else(|error| panic!("LOST: the store does not open: {error}"));
            let events = events_from(&store, span.from).await;
            let mut sightings = sight(workers, &events);
            for worker in &mut *workers {
                judge_reports(worker, span, &mut sightings);
                judge_accounts(worker, &store, span).await;
            }
            if let Some(unknown) = sightings.unknown.first() {
                let count = sightings.unknown.len();
                workers[0].complain(format!("LOST: {count} unknown events: {unknown:?}"));
            }
            self.judge_counts(workers, &store, &events, span).await;
            store.close().await;
            events.len()
        })
    }

    /// Checks that the counters are exact: each name has the number of acknowledged events and, if
    /// all events were read, each hour and name has the number of stored events.
    async fn judge_counts(
        &mut self,
        workers: &mut [Worker],
        store: &SledStore,
        events: &[Event],
        span: Span,
    ) {
        let reports = workers.iter().flat_map(|worker| &worker.reports);
        for report in reports.filter(|it| it.round == span.now && it.fate == Fate::Stored) {
            for index in 0..report.events {
                *self.counts.entry(report.name(index)).or_default() += 1;
            }
        }
        let counters = store
            .event_counts(0..u32::MAX, None)
            .await
            .expect("LOST: counters");
        let mut by_name: BTreeMap<String, u64> = BTreeMap::new();
        let mut counted: BTreeMap<(u32, &str), u64> = BTreeMap::new();
        for hour in &counters.hours {
            for NameCount { name, count } in &hour.counts {
                let name = &counters.names[*name as usize];
                *by_name.entry(name.clone()).or_default() += count;
                counted.insert((hour.hour, name), *count);
            }
        }
        compare(
            &mut workers[0],
            "acknowledged events",
            &self.counts,
            &by_name,
        );
        if span.round == 0 {
            let mut stored: BTreeMap<(u32, &str), u64> = BTreeMap::new();
            for event in events {
                *stored.entry((event.at.hour(), &event.name)).or_default() += 1;
            }
            compare(&mut workers[0], "stored events", &stored, &counted);
        }
    }
}

fn compare<K: Ord + std::fmt::Debug>(
    worker: &mut Worker,
    what: &str,
    expected: &BTreeMap<K, u64>,
    counted: &BTreeMap<K, u64>,
) {
    for key in expected.keys().chain(counted.keys()) {
        let (expected, counted) = (expected.get(key), counted.get(key));
        if expected != counted {
            worker.complain(format!(
                "LOST: {what} named {key:?}: {expected:?}, counter {counted:?}"
            ));
        }
    }
}

/// How often each event of each report was found, by worker and number; and the unknown events.
struct Sightings {
    seen: HashMap<(usize, usize), Vec<usize>>,
    unknown: Vec<Event>,
}

fn sight(workers: &[Worker], events: &[Event]) -> Sightings {
    let mut sightings = Sightings {
        seen: HashMap::new(),
        unknown: Vec::new(),
    };
    for event in events {
        match recognise(workers, event) {
            Some((report, index)) => {
                let seen = sightings
                    .seen
                    .entry((report.worker, report.number))
                    .or_default();
                seen.resize(report.events, 0);
                seen[index] += 1;
            }
            None => sightings.unknown.push(event.clone()),
        }
    }
    sightings
}

/// The report of an event and the index of the event in it; `None` unless the whole event is as it
/// was sent.
fn recognise<'a>(workers: &'a [Worker], event: &Event) -> Option<(&'a Report, usize)> {
    let which = match &event.details {
        Some(details) => details
            .strip_prefix(r#"{"which":""#)?
            .split('"')
            .next()?
            .to_owned(),
        None => format!("{}/0", event.name.strip_prefix("simple ")?),
    };
    let mut parts = which.split('/').map(|part| part.parse::<usize>().ok());
    let (worker, number, index) = (parts.next()??, parts.next()??, parts.next()??);
    let worker = workers.get(worker)?;
    let report = worker.reports.get(number)?;
    let account = worker.accounts.get(report.account)?;
    let id = UserId::parse(&account.id)?;
    let owned = event.subject == Some(id) && event.reporter == Some(Principal::User(id));
    let worded = event
        .details
        .as_ref()
        .is_none_or(|it| *it == report.details(index));
    let same = event.details.is_some() == report.complex
        && index < report.events
        && event.name == report.name(index)
        && worded;
    (same && (owned || account.deleted)).then_some((report, index))
}

fn judge_reports(worker: &mut Worker, span: Span, sightings: &mut Sightings) {
    let mut wrong = Vec::new();
    for report in worker
        .reports
        .iter_mut()
        .filter(|it| it.round >= span.round)
    {
        let seen = sightings
            .seen
            .remove(&(report.worker, report.number))
            .unwrap_or_default();
        let total: usize = seen.iter().sum();
        // All simple events of a report look the same.
        let once = if report.complex {
            seen.iter().all(|it| *it == 1)
        } else {
            true
        };
        let whole = total == report.events && once;
        match report.fate {
            Fate::Stored if whole => {}
            Fate::Doubtful if whole => report.fate = Fate::Stored,
            Fate::Doubtful | Fate::Absent if total == 0 => report.fate = Fate::Absent,
            _ => wrong.push(format!("LOST: {total} of {report:?}")),
        }
    }
    worker.complain_all(wrong);
}

async fn judge_accounts(worker: &mut Worker, store: &SledStore, span: Span) {
    let now = Timestamp::from_millis(moment::millis());
    let mut hasher = PasswordHasher::new(HashCost {
        memory_bytes: 1 << 20,
        passes: 1,
    });
    let mut wrong = Vec::new();
    for account in worker.accounts.iter().filter(|it| it.round >= span.round) {
        wrong.extend(trail::judge(store, account).await);
        let user = store
            .find_user_by_email(&account.email)
            .await
            .expect("LOST: an account");
        match &user {
            None if account.deleted => {}
            Some(user) if !account.deleted => {
                let password = Secret::new(account.password.as_str());
                let verdict = hasher.verify(&password, &user.password_hash).unwrap();
                if user.id.to_string() != account.id
                    || user.name.as_str() != account.name
                    || verdict != Verdict::Right
                {
                    wrong.push(format!(
                        "LOST: {account:?} is stored as {user:?}, {verdict:?}"
                    ));
                }
            }
            other => wrong.push(format!("LOST: {account:?} is stored as {other:?}")),
        }
        if let Some(email) = &account.old_email
            && store
                .find_user_by_email(email)
                .await
                .expect("LOST: an address")
                .is_some()
        {
            wrong.push(format!("LOST: {email} is not free again"));
        }
        wrong.extend(judge_tokens(account, store, now).await);
    }
    worker.complain_all(wrong);
}

async fn judge_tokens(account: &Account, store: &SledStore, now: Timestamp) -> Option<String> {
    let live = account.tokens.iter().map(|token| (&token.secret, true));
    let due = account
        .dead
        .iter()
        .filter(|dead| dead.from <= moment::now());
    for (secret, expected) in live.chain(due.map(|dead| (&dead.secret, false))) {
        let found = store
            .find_token(&digest(secret.as_bytes()))
            .await
            .expect("LOST: a token");
        let status = found.map(|it| it.token.status(it.epoch, now, false));
        if (status == Some(TokenStatus::Live)) != expected {
            return Some(format!(
                "LOST: token {secret} should be live: {expected}; it is {status:?}"
            ));
        }
    }
    None
}
