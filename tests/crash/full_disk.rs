//! The real program on a disk that fills up and gets room again. It refuses events while there is
//! little room and accepts them again by itself; everything else works all the time, and no
//! acknowledged event is lost. `tests/full_disk.sh` provides the small disk.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use doorward::model::Timestamp;

use crate::client::{Answer, Client, Request};
use crate::ledger::{self, Account, Fate, Worker};
use crate::moment;
use crate::rounds;
use crate::settle::{self, answered};
use crate::store::{Books, Span};
use crate::subject::{Place, Subject};

const CLIENTS: usize = 4;
const ADMIN_PASSWORD: &str = "a password for the crash test";
/// After so many refusals in a row, for every client, events cannot fill the disk any further.
const REFUSALS: usize = 40;
/// Between two attempts of a client after a refusal.
const PAUSE: Duration = Duration::from_millis(10);
/// The longest time to fill the disk, and to wait until the server accepts events again.
const PATIENCE: Duration = Duration::from_mins(2);
/// Free space in which accounts and tokens can change but events are refused; and no free space.
const LITTLE_BYTES: u64 = 10 << 20;
/// Free space at the start of a round: events are refused when 16 MiB are left. The files of the
/// store never shrink, so a round may take a few megabytes only.
const ROUND_BYTES: u64 = 21 << 20;
const NO_BYTES: u64 = 0;

/// Files that take up room on the disk until `remove`.
struct Ballast {
    mount: PathBuf,
    files: u32,
}

impl Ballast {
    fn free_bytes(&self) -> u64 {
        let disk = rustix::fs::statvfs(&self.mount).unwrap();
        disk.f_bavail * disk.f_frsize
    }

    /// Writes one more file of so many bytes, or as many as the disk holds.
    fn take(&mut self, bytes: u64) {
        self.files += 1;
        let name = self.mount.join(format!("ballast-{}", self.files));
        let mut file = File::create(name).unwrap();
        let piece = vec![0xA5; 64 * 1024];
        for _ in 0..bytes.div_ceil(64 * 1024) {
            // The disk may be full before that, as intended.
            if file.write_all(&piece).is_err() {
                break;
            }
        }
        let _ = file.sync_all();
    }

    fn take_all_but(&mut self, bytes: u64) {
        self.take(self.free_bytes().saturating_sub(bytes));
    }

    fn remove(&mut self) {
        for number in 1..=self.files {
            fs::remove_file(self.mount.join(format!("ballast-{number}"))).unwrap();
        }
        self.files = 0;
    }
}

/// A process, and the complaints of all threads that use it.
struct Life {
    subject: Subject,
    over: AtomicBool,
    turns: AtomicU64,
    complaints: Mutex<Vec<String>>,
}

impl Life {
    fn begin(subject: Subject) -> Life {
        Life {
            subject,
            over: AtomicBool::new(false),
            turns: AtomicU64::new(0),
            complaints: Mutex::new(Vec::new()),
        }
    }

    fn complain(&self, what: String) {
        let mut complaints = self.complaints.lock().unwrap();
        complaints.push(what);
    }

    fn expect(&self, what: &str, status: u16, answer: &Answer) {
        if answer.status != status {
            self.complain(format!("{what}: {answer:?}"));
        }
    }

    /// Logs in, checks tokens and reads, until `over` is set. Every request must succeed.
    fn go_on(&self, account: &Account, admin: &str) {
        let mut client = self.subject.client();
        while !self.over.load(Ordering::SeqCst) {
            let login = answered(ledger::log_in(
                &mut client,
                &account.email,
                &account.password,
            ));
            self.expect("a login", 201, &login);
            self.read(&mut client, account, admin);
            self.turns.fetch_add(1, Ordering::SeqCst);
            moment::wait(PAUSE);
        }
    }

    fn read(&self, client: &mut Client, account: &Account, admin: &str) {
        let who = settle::who(client, &account.tokens[0].secret);
        self.expect("one's own account", 200, &who);
        let check = format!("/api/token?token={admin}");
        for path in [check.as_str(), "/api/admin/events?limit=10"] {
            self.expect(path, 200, &get(client, path, admin));
        }
    }

    /// Waits until the thread in `go_on` has completed a turn that began after this call.
    fn another_turn(&self) {
        let before = self.turns.load(Ordering::SeqCst);
        let turned = || (self.turns.load(Ordering::SeqCst) > before + 1).then_some(());
        if moment::poll(PATIENCE, turned).is_none() {
            self.complain("logins and reads no longer work".into());
        }
    }

    /// Runs `act` while another thread logs in and reads.
    fn meanwhile(&self, account: &Account, admin: &str, act: impl FnOnce()) {
        /// Stops the other thread, even if `act` panics.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        std::thread::scope(|scope| {
            let _over = Over(&self.over);
            scope.spawn(|| self.go_on(account, admin));
            act();
            self.another_turn();
        });
    }

    /// Fails if there are complaints, and stops the process.
    fn end(self) {
        let complaints = self.complaints.into_inner().unwrap();
        assert!(complaints.is_empty(), "LOST: {complaints:#?}");
        self.subject.stop();
    }
}

fn get(client: &mut Client, path: &str, token: &str) -> Answer {
    answered(client.send(&Request {
        verb: "GET",
        path,
        token: Some(token),
        ..Request::default()
    }))
}

fn admin_token(subject: &Subject) -> String {
    let body = json!({"username": "admin", "password": ADMIN_PASSWORD}).to_string();
    let answer = answered(subject.client().send(&Request {
        verb: "POST",
        path: "/api/token",
        body: Some(&body),
        ..Request::default()
    }));
    answer.text("/token")
}

/// Sends one report of the worker's account and returns whether the server stored it. The server
/// may refuse it for want of room (503), and for no other reason.
fn report(worker: &mut Worker, client: &mut Client, life: &Life) -> bool {
    let events = if worker.dice.one_in(4) { 1 } else { 2_000 };
    let number = worker.draft_report(0, events, true);
    let token = worker.accounts[0].tokens[0].secret.clone();
    let answer = answered(ledger::send_report(client, &token, &worker.reports[number]));
    let fate = match answer.status {
        201 => Fate::Stored,
        503 => Fate::Absent,
        _ => {
            life.complain(format!("a report got {answer:?}"));
            Fate::Doubtful
        }
    };
    worker.reports[number].fate = fate;
    fate == Fate::Stored
}

/// Reports until the server has refused `REFUSALS` reports in a row.
fn fill(worker: &mut Worker, life: &Life) {
    let (mut client, mut refused) = (life.subject.client(), 0);
    let full = moment::poll(PATIENCE, || {
        if report(worker, &mut client, life) {
            refused = 0;
        } else {
            refused += 1;
            moment::wait(PAUSE);
        }
        (refused == REFUSALS).then_some(())
    });
    if full.is_none() {
        life.complain("the disk does not get full".into());
    }
}

/// All workers report until the server refuses all of them.
fn fill_up(workers: &mut [Worker], life: &Life) {
    std::thread::scope(|scope| {
        for worker in workers {
            scope.spawn(|| fill(worker, life));
        }
    });
}

/// Checks that the server accepts a report of every worker again by itself.
fn goes_on(workers: &mut [Worker], life: &Life) {
    for worker in workers {
        let mut client = life.subject.client();
        let taken = || report(worker, &mut client, life).then_some(());
        if moment::poll(PATIENCE, taken).is_none() {
            life.complain("there is room again, and events are refused".into());
        }
    }
}

/// The number of acknowledged events of each name.
fn acknowledged(workers: &[Worker]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let reports = workers.iter().flat_map(|worker| &worker.reports);
    for report in reports.filter(|it| it.fate == Fate::Stored) {
        for index in 0..report.events {
            *counts.entry(report.name(index)).or_default() += 1;
        }
    }
    counts
}

/// The number of listed events of each name.
fn listed(subject: &Subject, admin: &str) -> BTreeMap<String, u64> {
    let (mut counts, mut client) = (BTreeMap::new(), subject.client());
    let mut path = "/api/admin/events?limit=1000".to_owned();
    loop {
        let answer = get(&mut client, &path, admin);
        let page: Value = serde_json::from_str(&answer.body).unwrap();
        for event in page["events"].as_array().unwrap() {
            *counts
                .entry(event["name"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        match page["next"].as_str() {
            Some(next) => path = format!("/api/admin/events?limit=1000&cursor={next}"),
            None => return counts,
        }
    }
}

/// Fills the disk, checks that everything but events still works, makes room, and checks that the
/// server accepts events again.
fn one_round(place: &Place, ballast: &mut Ballast, workers: &mut [Worker], admin: &str) {
    ballast.take_all_but(ROUND_BYTES);
    let life = Life::begin(place.start());
    let account = workers[0].accounts[0].clone();
    life.meanwhile(&account, admin, || {
        fill_up(workers, &life);
        life.another_turn();
        ballast.remove();
        goes_on(workers, &life);
    });
    // Not even a byte is left: the server still answers requests that change nothing.
    ballast.take_all_but(NO_BYTES);
    life.read(&mut life.subject.client(), &account, admin);
    ballast.remove();
    goes_on(workers, &life);
    assert_eq!(
        listed(&life.subject, admin),
        acknowledged(workers),
        "LOST: what was acknowledged, by name"
    );
    life.end();
}

/// Starts with little room: accounts work, and the server refuses events until there is more room.
fn start_with_little_room(
    place: &Place,
    ballast: &mut Ballast,
    workers: &mut [Worker],
    admin: &str,
) {
    ballast.take_all_but(LITTLE_BYTES);
    let life = Life::begin(place.start());
    let account = workers[0].accounts[0].clone();
    life.meanwhile(&account, admin, || {
        if report(&mut workers[0], &mut life.subject.client(), &life) {
            life.complain(format!(
                "events are taken with {LITTLE_BYTES} bytes of room"
            ));
        }
    });
    ballast.remove();
    goes_on(workers, &life);
    life.end();
}

/// Starts with no room at all: the program serves what it can, or exits with a message that names
/// the cause. It starts when there is room.
fn start_with_no_room(place: &Place, ballast: &mut Ballast) {
    ballast.take_all_but(NO_BYTES);
    match place.spawn().settled(PATIENCE) {
        Ok(subject) => subject.stop(),
        Err(status) => {
            let said = place.said();
            assert!(
                said.contains("disk is full") || said.contains("No space left"),
                "it ended with {status} and said: {said}"
            );
        }
    }
    assert!(!place.said().contains("panicked"), "{}", place.said());
    ballast.remove();
    place.start().stop();
}

fn judge(place: &Place, workers: &mut [Worker], mount: &Path) {
    let everything = Span {
        round: 0,
        from: Timestamp::from_millis(0),
        now: 0,
    };
    let stored = Books::default().judge(workers, &mount.join("data"), everything);
    let complaints: Vec<_> = workers.iter().flat_map(|it| &it.complaints).collect();
    assert!(complaints.is_empty(), "{complaints:#?}\n{}", place.said());
    let refused = workers.iter().flat_map(|it| &it.reports);
    let refused = refused.filter(|it| it.fate == Fate::Absent).count();
    eprintln!("{stored} events acknowledged and stored, {refused} reports refused; nothing lost");
}

#[test]
#[ignore = "needs a small file system of its own: run tests/full_disk.sh"]
fn full_disk() {
    let home = tempfile::tempdir().unwrap();
    let mount = PathBuf::from(rounds::variable("DOORWARD_FULL_MOUNT"));
    let place = Place::new(home.path(), &mount.join("data"));
    let seed = u64::try_from(moment::millis()).unwrap();
    let mut workers: Vec<_> = (0..CLIENTS).map(|index| Worker::new(index, seed)).collect();
    let subject = place.start();
    for worker in &mut workers {
        let draft = Account::draft(worker.fresh_email(), worker.fresh_password(), 0);
        settle::sign_up(worker, &mut subject.client(), draft);
    }
    let admin = admin_token(&subject);
    subject.stop();
    let mut ballast = Ballast { mount, files: 0 };
    for _ in 0..rounds::rounds("DOORWARD_FULL_ROUNDS", 1) {
        one_round(&place, &mut ballast, &mut workers, &admin);
    }
    start_with_little_room(&place, &mut ballast, &mut workers, &admin);
    start_with_no_room(&place, &mut ballast);
    judge(&place, &mut workers, &ballast.mount);
}
