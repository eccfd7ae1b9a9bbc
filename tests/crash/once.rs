//! Exactly once: clients repeat a report with its `Idempotency-Key` until the server acknowledges
//! it, over any number of kills during the first attempt and every later one. In the end the store
//! holds exactly the events that were sent, name by name and event by event.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use doorward::model::Timestamp;

use crate::client::Client;
use crate::dice::Dice;
use crate::ledger::{self, Account, Fate, Worker};
use crate::moment;
use crate::rounds;
use crate::settle;
use crate::store::{Books, Span};
use crate::subject::Place;

const CLIENTS: usize = 12;
/// A process lives this long and up to `LONGEST_MILLIS` more.
const SHORTEST_MILLIS: u64 = 50;
const LONGEST_MILLIS: u64 = 550;
/// The pause between two attempts of a report.
const PAUSE: Duration = Duration::from_millis(1);
/// A report that the server does not accept within this time counts as lost.
const PATIENCE: Duration = Duration::from_mins(1);

/// The state that all clients share.
struct Field {
    /// The address on which the current process listens.
    address: Mutex<SocketAddr>,
    /// Set when the clients must begin no further report.
    enough: AtomicBool,
    /// The number of repeated attempts.
    repeated: AtomicUsize,
}

impl Field {
    fn address(&self) -> SocketAddr {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn moved_to(&self, address: SocketAddr) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

/// Reports until `enough` is set, and finishes a report that it has begun.
fn work(worker: &mut Worker, field: &Field) {
    let mut client = Client::new(field.address());
    while !field.enough.load(Ordering::SeqCst) {
        let events = match worker.dice.below(10) {
            0..5 => 1,
            5..9 => 2 + worker.dice.place(120),
            _ => 500 + worker.dice.place(1500),
        };
        let number = worker.draft_report(0, events, true);
        if !deliver(worker, &mut client, field, number) {
            return;
        }
    }
}

/// Sends a report again and again until the server acknowledges it. False if it never does.
fn deliver(worker: &mut Worker, client: &mut Client, field: &Field, number: usize) -> bool {
    let report = worker.reports[number].clone();
    let token = worker.accounts[0].tokens[0].secret.clone();
    let count = format!("\"count\":{}", report.events);
    let mut tries = 0;
    let answer = moment::poll(PATIENCE, || {
        tries += 1;
        match ledger::send_report(client, &token, &report) {
            Ok(answer) if !answer.is_fault() => return Some(answer),
            Ok(_) => {}
            Err(_) => *client = Client::new(field.address()),
        }
        moment::wait(PAUSE);
        None
    });
    field.repeated.fetch_add(tries - 1, Ordering::Relaxed);
    match answer {
        Some(answer) if answer.status == 201 && answer.body.contains(&count) => {
            worker.reports[number].fate = Fate::Stored;
            worker.tally.add("events", report.events);
            true
        }
        other => {
            worker.complain(format!(
                "LOST: after {tries} tries of {report:?}: {other:?}"
            ));
            false
        }
    }
}

/// Kills the process and starts it again in each round, while the clients work. Returns the number
/// of repeated attempts.
fn kill_in_turn(place: &Place, workers: &mut [Worker], dice: &mut Dice, rounds: u32) -> usize {
    let mut subject = place.start();
    for worker in &mut *workers {
        let (email, password) = (worker.fresh_email(), worker.fresh_password());
        let draft = Account::draft(email, password, 0);
        settle::sign_up(worker, &mut subject.client(), draft);
    }
    let field = Field {
        address: Mutex::new(subject.address),
        enough: AtomicBool::new(false),
        repeated: AtomicUsize::new(0),
    };
    let subject = std::thread::scope(|scope| {
        for worker in &mut *workers {
            scope.spawn(|| work(worker, &field));
        }
        for _ in 0..rounds {
            let span = SHORTEST_MILLIS + dice.below(LONGEST_MILLIS);
            moment::wait(Duration::from_millis(span));
            subject.kill();
            subject = place.start();
            field.moved_to(subject.address);
        }
        field.enough.store(true, Ordering::SeqCst);
        subject
    });
    subject.stop();
    field.repeated.into_inner()
}

#[test]
fn reports_that_are_repeated_with_their_key_until_acknowledged_are_stored_exactly_once() {
    let home = tempfile::tempdir().unwrap();
    let seed = rounds::number("DOORWARD_CRASH_SEED");
    let seed = seed.unwrap_or_else(|| u64::try_from(moment::millis()).unwrap());
    let rounds = rounds::rounds("DOORWARD_CRASH_ROUNDS", 5);
    let place = Place::new(home.path(), &home.path().join("data"));
    let mut workers: Vec<_> = (0..CLIENTS).map(|index| Worker::new(index, seed)).collect();

    let repeated = kill_in_turn(&place, &mut workers, &mut Dice::new(seed), rounds);

    let everything = Span {
        round: 0,
        from: Timestamp::from_millis(0),
        now: 0,
    };
    let stored = Books::default().judge(&mut workers, &place.data, everything);
    let complaints: Vec<_> = workers.iter().flat_map(|it| &it.complaints).collect();
    assert!(complaints.is_empty(), "seed {seed}: {complaints:#?}");
    let sent = workers.iter().flat_map(|it| &it.reports);
    let sent: usize = sent.map(|report| report.events).sum();
    assert_eq!(stored, sent, "seed {seed}");
    assert!(
        repeated > 0,
        "no kill hit a report: the rounds show nothing"
    );
    eprintln!("{sent} events over {rounds} kills, {repeated} tries repeated: all are there, once");
}
