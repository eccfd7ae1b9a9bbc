//! Queries over many events, and the disk and memory that these take: over HTTP, on one kept-alive
//! connection, with nothing subtracted from the times.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::events::{self, Dress, USERS, batch_len};
use crate::figures::{Figure, Goal, figure, median, number, spread};
use crate::fill::{self, Filled, IDLE_USER, Mix, RARE_NAME, RARE_USER};
use crate::measure::{BATCHES, MIB, Pace};
use crate::outcome::Outcome;
use crate::subject::{self, Client, Home, Killed, PASSWORD};

/// Each query runs `ASKS` times. It stops after the time `ASKING`, but not before `FEWEST_ASKS`.
const ASKS: usize = 50;
const FEWEST_ASKS: usize = 3;
const ASKING: Duration = Duration::from_secs(10);
/// Connections that report while the bench measures memory and when it kills the process.
const REPORTERS: usize = 16;
const LOADED: Duration = Duration::from_secs(10);
const UNTIL_KILLED: Duration = Duration::from_secs(2);

/// A store with many events, and the number of rounds to measure it.
struct Archive {
    home: Home,
    filled: Filled,
    pace: Pace,
}

/// Fills a store and measures it.
pub(crate) fn measure(mix: Mix, pace: Pace) -> Outcome<Vec<Figure>> {
    let home = Home::new("history")?;
    fill::fill(&home, mix)?;
    ask(home, pace)
}

/// Measures a store that was filled before.
pub(crate) fn of(directory: PathBuf, pace: Pace) -> Outcome<Vec<Figure>> {
    ask(Home::at(directory)?, pace)
}

fn ask(home: Home, pace: Pace) -> Outcome<Vec<Figure>> {
    let filled: Filled = serde_json::from_str(&home.noted()?)?;
    let archive = Archive { home, filled, pace };
    let mut rows = vec![archive.weight()];
    rows.extend(archive.start()?);
    let server = archive.home.start(subject::ADMIN)?;
    let mut client = Client::connect(server.port)?;
    let login = json!({"username": "admin", "password": PASSWORD});
    let admin = client.ask("/api/token", &login, "token")?;
    rows.push(archive.counts(&mut client, &admin)?);
    rows.extend(archive.newest(&mut client, &admin)?);
    rows.extend(export(&server, &mut client, &admin)?);
    rows.push(loaded(&server)?);
    subject::stop(server)?;
    rows.push(archive.killed()?);
    Ok(rows)
}

impl Archive {
    fn many(&self) -> String {
        number(self.filled.events as f64)
    }

    fn weight(&self) -> Figure {
        let Filled {
            events,
            bytes,
            storing_seconds,
            settling_seconds,
            ..
        } = self.filled;
        let beside = format!(
            "{} events filled in at {}/s, then {} s of background work",
            self.many(),
            number(events as f64 / storing_seconds),
            number(settling_seconds)
        );
        let each = bytes as f64 / events as f64;
        figure("disk per event", Goal::AtMost(15.0), each, " bytes", beside)
    }

    fn start(&self) -> Outcome<[Figure; 2]> {
        let (mut starts, mut resident) = (Vec::new(), Vec::new());
        for _ in 0..self.pace.rounds {
            let started = Instant::now();
            let server = self.home.start(subject::ADMIN)?;
            starts.push(started.elapsed().as_secs_f64());
            resident.push(subject::resident_bytes(&server)? as f64 / MIB);
            subject::stop(server)?;
        }
        let Filled {
            accounts, tokens, ..
        } = self.filled;
        let beside = format!(
            "{}; {} events, {} accounts, {} tokens",
            spread(&starts),
            self.many(),
            number(accounts as f64),
            number((accounts + tokens) as f64)
        );
        let most = Goal::AtMost;
        let start = median(starts);
        let resident = median(resident);
        let none = String::new();
        Ok([
            figure("start with that data", most(1.0), start, " s", beside),
            figure(
                "resident memory after that start",
                most(64.0),
                resident,
                " MiB",
                none,
            ),
        ])
    }

    /// The counts by day and name, over the route's default range of the last 30 days.
    fn counts(&self, client: &mut Client, admin: &str) -> Outcome<Figure> {
        let path = "/api/admin/events/summary?by=day";
        let times = repeat(|| {
            let started = Instant::now();
            let answer = client.get(path, admin)?;
            Ok(answer.map(|_| started.elapsed()))
        })?;
        let what = format!("count by name and day over {} days", self.filled.days);
        Ok(self.asked(&what, 5.0, times, ""))
    }

    /// The row of a query; without a value if the server does not have its route.
    fn asked(&self, what: &str, most_ms: f64, times: Option<Vec<f64>>, more: &str) -> Figure {
        let goal = Goal::AtMost(most_ms);
        let Some(times) = times else {
            return figure(what, goal, f64::NAN, " ms", "not there".into());
        };
        let beside = format!(
            "p99 {} ms of {} asks among {} events{more}",
            number(p99(&times)),
            times.len(),
            self.many()
        );
        figure(what, goal, median(times), " ms", beside)
    }

    fn newest(&self, client: &mut Client, admin: &str) -> Outcome<Vec<Figure>> {
        let user = |account| format!("user_id={}", fill::user_id(account));
        let questions = [
            ("a frequent name", format!("name={}", events::name(7))),
            ("a rare name", format!("name={RARE_NAME}")),
            ("a name that never was", "name=lobby.never".to_owned()),
            ("a frequent user", user(7)),
            ("a rare user", user(RARE_USER)),
            ("a user without any", user(IDLE_USER)),
        ];
        let row = |(which, filter): (&str, String)| {
            let mut got = (0, 0);
            let times = repeat(|| {
                let (took, events, pages) = newest_hundred(client, &filter, admin)?;
                got = (events, pages);
                Ok(Some(took))
            })?;
            let what = format!("newest 100 of {which}");
            let more = format!("; {} found, pages: {}", got.0, got.1);
            Ok(self.asked(&what, 20.0, times, &more))
        };
        questions.into_iter().map(row).collect()
    }

    fn killed(&self) -> Outcome<Figure> {
        let mut starts = Vec::new();
        for _ in 0..self.pace.rounds {
            let mut server = self.home.start(subject::ADMIN)?;
            let port = server.port;
            under_load(port, &AtomicU64::new(0), || {
                std::thread::sleep(UNTIL_KILLED);
                // The process exists: we started it and have not waited for it.
                let _ = server.child.kill();
                let _ = server.child.wait();
            });
            let started = Instant::now();
            let server = self.home.start(subject::ADMIN)?;
            starts.push(started.elapsed().as_secs_f64());
            subject::stop(server)?;
        }
        let what = "start after a kill under load";
        let beside = spread(&starts);
        Ok(figure(
            what,
            Goal::AtMost(2.0),
            median(starts),
            " s",
            beside,
        ))
    }
}

/// The export of all events as one stream, and the memory during it.
fn export(server: &Killed, client: &mut Client, admin: &str) -> Outcome<Vec<Figure>> {
    let before = subject::resident_bytes(server)? as f64 / MIB;
    let started = Instant::now();
    let path = "/api/admin/events/export?format=ndjson";
    let (got, peak) = subject::peak_bytes(server, || client.drain(path, admin))?;
    let seconds = started.elapsed().as_secs_f64();
    let (rate, beside) = match got? {
        Some((lines, bytes)) => {
            let beside = format!(
                "{} events, {} MiB",
                number(lines as f64),
                number(bytes as f64 / MIB)
            );
            (lines as f64 / seconds, beside)
        }
        None => (f64::NAN, "not there".to_owned()),
    };
    let grown = format!("{} MiB before", number(before));
    let peak = peak as f64 / MIB;
    Ok(vec![
        figure("full export", Goal::AtLeast(500_000.0), rate, "/s", beside),
        figure(
            "resident memory while exporting, at the most",
            Goal::AtMost(64.0),
            if rate.is_nan() { f64::NAN } else { peak },
            " MiB",
            grown,
        ),
    ])
}

/// The memory of the server while clients report events.
fn loaded(server: &Killed) -> Outcome<Figure> {
    let stored = AtomicU64::new(0);
    let ((), peak) = subject::peak_bytes(server, || {
        under_load(server.port, &stored, || std::thread::sleep(LOADED));
    })?;
    let stored = stored.into_inner() as f64 / LOADED.as_secs_f64();
    if stored == 0.0 {
        return Err("no report was taken: there was no load".into());
    }
    let stored = number(stored);
    let what = "resident memory with that data, under load, at the most";
    let beside = format!("{REPORTERS} connections that report batches, {stored} events/s");
    Ok(figure(
        what,
        Goal::AtMost(64.0),
        peak as f64 / MIB,
        " MiB",
        beside,
    ))
}

/// Reads the newest hundred matching events, over as many pages as they need. Returns the time in
/// the requests, the number of events, and the number of pages.
fn newest_hundred(
    client: &mut Client,
    filter: &str,
    admin: &str,
) -> Outcome<(Duration, usize, usize)> {
    let (mut took, mut found, mut pages) = (Duration::ZERO, 0, 0);
    let mut cursor = String::new();
    loop {
        let path = format!(
            "/api/admin/events?{filter}&limit={}{cursor}",
            100 - found.min(99)
        );
        let started = Instant::now();
        let answer = client.call("GET", &path, Some(admin), "")?;
        took += started.elapsed();
        let page: Value = serde_json::from_str(&answer)?;
        let events = page.get("events").and_then(Value::as_array);
        (found, pages) = (found + events.map_or(0, Vec::len), pages + 1);
        match page.get("next").and_then(Value::as_str) {
            Some(next) if found < 100 => cursor = format!("&cursor={next}"),
            _ => return Ok((took, found, pages)),
        }
    }
}

/// Runs a query up to `ASKS` times and returns the times in milliseconds. The first one, which
/// fills the caches, counts like the others.
fn repeat(mut ask: impl FnMut() -> Outcome<Option<Duration>>) -> Outcome<Option<Vec<f64>>> {
    let (mut times, started) = (Vec::new(), Instant::now());
    while times.len() < ASKS && (times.len() < FEWEST_ASKS || started.elapsed() < ASKING) {
        match ask()? {
            Some(took) => times.push(took.as_secs_f64() * 1e3),
            None => return Ok(None),
        }
    }
    Ok(Some(times))
}

fn p99(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (sorted.len() * 99).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

/// Reports batches on several connections while `act` runs, or until the server stops answering.
fn under_load(port: u16, stored: &AtomicU64, act: impl FnOnce()) {
    let over = AtomicBool::new(false);
    let users: Vec<String> = (0..USERS).map(|it| fill::user_id(it).to_string()).collect();
    let bodies = events::batches(&users, Dress::Ours);
    let report = |index: usize| -> Outcome<()> {
        let mut client = Client::connect(port)?;
        for body in bodies.iter().cycle().skip(index * 17) {
            if over.load(Ordering::Relaxed) {
                break;
            }
            client.call("POST", BATCHES, Some(&fill::session(0)), body)?;
            stored.fetch_add(batch_len() as u64, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for index in 0..REPORTERS {
            let report = &report;
            // An error is expected when the server is killed.
            scope.spawn(move || drop(report(index)));
        }
        act();
        over.store(true, Ordering::Relaxed);
    });
}
