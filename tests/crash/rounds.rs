//! The rounds: start, load, crash, start again, check. All rounds of a run use the same data
//! directory and the same workers.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use doorward::model::Timestamp;

use crate::dice::Dice;
use crate::judge;
use crate::ledger::{Tally, Worker};
use crate::load::{self, Load};
use crate::mailbox::Mailbox;
use crate::moment;
use crate::store::{Books, Span};
use crate::subject::{Place, Subject};

const WORKERS: usize = 12;
/// The load lasts this long and up to `LONGEST_MILLIS` more.
const SHORTEST_MILLIS: u64 = 50;
const LONGEST_MILLIS: u64 = 950;
/// One in so many rounds, and the last one, checks everything since the first round; the others
/// check the changes of their own round.
const FULL_EVERY: u32 = 10;
/// The events of a round are read from this long before its start.
const SLACK_MILLIS: i64 = 1_000;

/// How a round ends.
enum Blow {
    /// `kill -9`.
    Kill,
    /// The disk stops during the load, and comes back with the data that it had: two shell commands
    /// from the environment.
    PowerCut { cut: String, restore: String },
}

impl Blow {
    fn strike(&self, subject: Subject, dice: &mut Dice) {
        if let Blow::PowerCut { cut, .. } = self {
            run(cut);
            // The program runs on without its disk for up to 60 ms. It must not acknowledge a
            // change now unless the change is on the disk.
            moment::wait(Duration::from_millis(dice.below(60)));
        }
        subject.kill();
    }

    fn mend(&self) {
        if let Blow::PowerCut { restore, .. } = self {
            run(restore);
        }
    }
}

fn run(command: &str) {
    let status = Command::new("sh").args(["-ec", command]).status().unwrap();
    assert!(status.success(), "{command}: {status}");
}

/// A whole run.
struct Run {
    place: Place,
    mailbox: Mailbox,
    workers: Vec<Worker>,
    books: Books,
    dice: Dice,
    round: u32,
    rounds: u32,
    total: Tally,
}

impl Run {
    fn new(home: &Path, data: &Path, rounds: u32) -> Run {
        let now = u64::try_from(moment::millis()).unwrap();
        let seed = number("DOORWARD_CRASH_SEED").unwrap_or(now);
        eprintln!("DOORWARD_CRASH_SEED={seed}");
        let place = Place::new(home, data);
        Run {
            mailbox: Mailbox::new(place.mail()),
            place,
            workers: (0..WORKERS).map(|index| Worker::new(index, seed)).collect(),
            books: Books::default(),
            dice: Dice::new(seed),
            round: 0,
            rounds,
            total: Tally::default(),
        }
    }

    fn all_rounds(&mut self, blow: &Blow) {
        while self.round < self.rounds {
            self.round(blow);
        }
        eprintln!("in all: {}; nothing lost", self.total);
    }

    fn round(&mut self, blow: &Blow) {
        self.round += 1;
        let from = moment::millis() - SLACK_MILLIS;
        let subject = self.place.start();
        let span = Duration::from_millis(SHORTEST_MILLIS + self.dice.below(LONGEST_MILLIS));
        self.load(subject, span, blow);
        let doubtful = self
            .workers
            .iter()
            .filter(|worker| worker.doubt.is_some())
            .count();
        blow.mend();
        let began = moment::now();
        let subject = self.place.start();
        let start = began.elapsed();
        let full = self.round.is_multiple_of(FULL_EVERY) || self.round == self.rounds;
        let events = self.judge(subject, from, full);
        let mut tally = Tally::default();
        for worker in &mut self.workers {
            tally.join(&std::mem::take(&mut worker.tally));
        }
        eprintln!(
            "round {}: {span:?} of load, {doubtful} in doubt, up again in {start:?}, {events} events read; acknowledged: {tally}",
            self.round
        );
        self.total.join(&tally);
    }

    /// Runs all workers, and strikes after `span`.
    fn load(&mut self, subject: Subject, span: Duration, blow: &Blow) {
        let falling = AtomicBool::new(false);
        let load = Load {
            mailbox: &self.mailbox,
            falling: &falling,
        };
        let (load, dice, round) = (&load, &mut self.dice, self.round);
        std::thread::scope(|scope| {
            for worker in &mut self.workers {
                worker.round = round;
                let client = subject.client();
                scope.spawn(move || load::work(worker, client, load));
            }
            moment::wait(span);
            falling.store(true, Ordering::SeqCst);
            blow.strike(subject, dice);
        });
    }

    /// Checks a running process, ends it, and checks its files. Returns the number of events read.
    fn judge(&mut self, subject: Subject, from: i64, full: bool) -> usize {
        let mailbox = &self.mailbox;
        std::thread::scope(|scope| {
            for worker in &mut self.workers {
                let mut client = subject.client();
                scope.spawn(move || judge::judge(worker, &mut client, mailbox, full));
            }
        });
        if self.dice.one_in(2) {
            subject.kill();
        } else {
            subject.stop();
        }
        let span = Span {
            round: if full { 0 } else { self.round },
            from: Timestamp::from_millis(if full { 0 } else { from }),
            now: self.round,
        };
        let events = self.books.judge(&mut self.workers, &self.place.data, span);
        self.give_judgement();
        events
    }

    fn give_judgement(&mut self) {
        let said = self.place.said();
        if said.contains("panicked") {
            self.workers[0].complain("the program panicked");
        }
        let complaints: Vec<_> = self.workers.iter().flat_map(|it| &it.complaints).collect();
        if !complaints.is_empty() {
            let shown: Vec<_> = complaints.iter().take(20).map(|it| it.as_str()).collect();
            panic!(
                "{} complaints\n{}\nit said: {said}",
                complaints.len(),
                shown.join("\n")
            );
        }
    }
}

pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable)
        .ok()
        .map(|text| text.parse().expect(variable))
}

pub(crate) fn rounds(variable: &str, usual: u32) -> u32 {
    number(variable).map_or(usual, |rounds| u32::try_from(rounds).unwrap())
}

pub(crate) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the script in tests/"))
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let home = tempfile::tempdir().unwrap();
    let rounds = rounds("DOORWARD_CRASH_ROUNDS", 5);
    Run::new(home.path(), &home.path().join("data"), rounds).all_rounds(&Blow::Kill);
}

#[test]
fn a_start_that_is_killed_harms_neither_the_next_start_nor_the_data() {
    let home = tempfile::tempdir().unwrap();
    let starts = 5 * rounds("DOORWARD_CRASH_ROUNDS", 5);
    let mut run = Run::new(home.path(), &home.path().join("data"), 2);
    run.round(&Blow::Kill);
    for _ in 0..starts {
        let subject = run.place.spawn();
        moment::wait(Duration::from_micros(run.dice.below(40_000)));
        subject.kill();
    }
    run.round(&Blow::Kill);
    eprintln!("{starts} starts were killed; nothing lost");
}

#[test]
fn what_a_killed_start_leaves_unfinished_does_not_keep_the_next_one_from_starting() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let mut run = Run::new(home.path(), &data, 2);
    run.round(&Blow::Kill);
    // sled takes the snapshot with the greatest number as the newest.
    fs::write(
        data.join("snap.FFFFFFFFFFFFFF00.generating"),
        b"half a snapsh",
    )
    .unwrap();
    fs::write(data.join("snap.0000000000000001.generating"), b"").unwrap();
    run.round(&Blow::Kill);
}

#[test]
#[ignore = "needs a file system to cut off: run tests/power_cut.sh"]
fn power_cut() {
    let blow = Blow::PowerCut {
        cut: variable("DOORWARD_POWER_CUT"),
        restore: variable("DOORWARD_POWER_RESTORE"),
    };
    // Mails lie on another file system: making one durable would make all data beside it durable.
    let home = tempfile::tempdir().unwrap();
    let mount = variable("DOORWARD_POWER_MOUNT");
    let rounds = rounds("DOORWARD_POWER_ROUNDS", 3);
    Run::new(home.path(), &Path::new(&mount).join("data"), rounds).all_rounds(&blow);
}
