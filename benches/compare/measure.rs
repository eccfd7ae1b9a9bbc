//! The measurements, each by itself. What is compared with the floor takes turns with it: floor, doorward, floor, doorward.

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde_json::json;

use crate::Outcome;
use crate::events::{self, USERS, batch_len};
use crate::figures::{Figure, Goal, number};
use crate::floor;
use crate::subject::{self, Client, Home, Killed, PASSWORD};
use crate::wrk::{self, Load, Run};

const BATCHES: &str = "/api/events/complex_clientapp";
/// What a report is answered with.
const STORED: &str = r#"{"result":"Event(s) created","count":100}"#;
const MIB: f64 = 1024.0 * 1024.0;
/// Connections that send events when their size on the disk is weighed, and batches that each of them sends.
const WEIGHING_CLIENTS: usize = 16;
const WEIGHED_BATCHES: usize = 1_250;

/// How long everything takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) rounds: usize,
    pub(crate) seconds: u32,
}

/// A server with accounts, and what it takes to speak to it.
pub(crate) struct Furnished {
    home: Home,
    server: Killed,
    users: Vec<String>,
    session: String,
    admin: String,
    pace: Pace,
}

/// A row of the table.
fn figure(what: &str, goal: Goal, value: f64, unit: &'static str, beside: String) -> Figure {
    Figure {
        what: what.to_owned(),
        goal,
        value,
        unit,
        beside,
    }
}

/// What does not depend on any data: size, start and memory of a server that has nothing to do. It has the default configuration:
/// an administrator's password in clear would be hashed at every start.
pub(crate) fn idle(pace: Pace) -> Outcome<Vec<Figure>> {
    let home = Home::new("empty")?;
    subject::stop(home.start("")?)?;
    let (mut starts, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..pace.rounds.max(5) {
        let started = Instant::now();
        let server = home.start("")?;
        starts.push(started.elapsed().as_secs_f64() * 1e3);
        resident.push(subject::resident_bytes(&server)? as f64 / MIB);
        subject::stop(server)?;
    }
    let size = std::fs::metadata(subject::BINARY)?.len() as f64 / MIB;
    let spread = spread(&starts);
    Ok(vec![
        figure(
            "release binary",
            Goal::AtMost(8.0),
            size,
            " MiB",
            String::new(),
        ),
        figure(
            "start, empty, to the first good answer",
            Goal::AtMost(20.0),
            median(starts),
            " ms",
            spread,
        ),
        figure(
            "resident memory, idle",
            Goal::AtMost(8.0),
            median(resident),
            " MiB",
            String::new(),
        ),
    ])
}

impl Furnished {
    /// Makes the accounts with cheap hashes, then starts anew with the default configuration.
    pub(crate) fn new(name: &str, pace: Pace) -> Outcome<Furnished> {
        let home = Home::new(name)?;
        let server = home.start(subject::CHEAP)?;
        let mut client = Client::connect(server.port)?;
        let accounts = (0..USERS).map(|index| client.sign_up(&format!("user{index}@example.org")));
        let accounts = accounts.collect::<Outcome<Vec<_>>>()?;
        subject::stop(server)?;

        let server = home.start(subject::ADMIN)?;
        let mut client = Client::connect(server.port)?;
        client.sign_up("dear@example.org")?;
        let login = json!({"username": "admin", "password": PASSWORD});
        let admin = client.ask("/api/token", &login, "token")?;
        let session = accounts
            .first()
            .map(|(_, token)| token.clone())
            .unwrap_or_default();
        let users = accounts.into_iter().map(|(id, _)| id).collect();
        Ok(Furnished {
            home,
            server,
            users,
            session,
            admin,
            pace,
        })
    }

    /// Reads: the check of a token and one's own account.
    pub(crate) fn reads(&self) -> Outcome<Vec<Figure>> {
        let check = self.token_check();
        let account = get("/v1/user".into(), Some(self.session.clone()));
        Ok(vec![
            self.beside_floor("token check, 64 connections", &check, 0.80)?,
            self.beside_floor("own account with a session, 64 connections", &account, 0.60)?,
        ])
    }

    fn token_check(&self) -> Load {
        get(format!("/api/token?token={}", self.admin), None)
    }

    /// A read as a part of what the floor does with an answer of the same size.
    fn beside_floor(&self, what: &str, load: &Load, least: f64) -> Outcome<Figure> {
        let mut client = Client::connect(self.server.port)?;
        let answer = client.call(load.method, &load.path, load.token.as_deref(), "")?;
        let floor = floor::start(answer.len())?;
        let (ours, bare) = self.take_turns(load, &floor, 64)?;
        let (ours, bare) = (rate(&ours), rate(&bare));
        let beside = format!("{}/s of {}/s", number(ours), number(bare));
        Ok(figure(
            what,
            Goal::AtLeast(least),
            ours / bare,
            " × floor",
            beside,
        ))
    }

    /// Durable events, one in each request.
    pub(crate) fn singles(&self) -> Outcome<Vec<Figure>> {
        let load = self.posts(events::singles(&self.users));
        let floor = floor::start(STORED.len())?;
        let row = |connections: u32| {
            let goal = if connections == 256 {
                Goal::AtLeast(90_000.0)
            } else {
                Goal::Context
            };
            let (ours, bare) = self.take_turns(&load, &floor, connections)?;
            let beside = format!(
                "p99 {} ms; floor {}/s",
                number(p99(&ours)),
                number(rate(&bare))
            );
            let what = format!("single events, {connections} connections");
            Ok(figure(&what, goal, rate(&ours), "/s", beside))
        };
        [16, 64, 256].into_iter().map(row).collect()
    }

    /// Durable events, a hundred in each request.
    pub(crate) fn batches(&self) -> Outcome<Vec<Figure>> {
        let load = self.posts(events::batches(&self.users));
        let floor = floor::start(STORED.len())?;
        let row = |connections: u32| {
            let goal = if connections == 16 {
                Goal::Context
            } else {
                Goal::AtLeast(2e6)
            };
            let (ours, bare) = self.take_turns(&load, &floor, connections)?;
            let [ours_rate, bare_rate] = [&ours, &bare].map(|runs| rate(runs) * batch_len() as f64);
            let beside = format!(
                "p99 {} ms; floor {}/s",
                number(p99(&ours)),
                number(bare_rate)
            );
            let what = format!("events in batches of 100, {connections} connections");
            Ok(figure(&what, goal, ours_rate, "/s", beside))
        };
        let mut rows = [16, 32, 64]
            .into_iter()
            .map(row)
            .collect::<Outcome<Vec<_>>>()?;
        let resident = subject::resident_bytes(&self.server)? as f64 / MIB;
        let what = "resident memory after all of this";
        rows.push(figure(
            what,
            Goal::AtMost(64.0),
            resident,
            " MiB",
            String::new(),
        ));
        Ok(rows)
    }

    /// Logins, and what a flood of wrong ones does to others.
    pub(crate) fn logins(&self) -> Outcome<Vec<Figure>> {
        let login = |password: &str| Load {
            method: "POST",
            path: "/api/auth".into(),
            token: None,
            bodies: vec![json!({"email": "dear@example.org", "password": password}).to_string()],
        };
        let cores = std::thread::available_parallelism()?.get() as f64;
        let (port, seconds) = (self.server.port, self.pace.seconds);
        let check = self.token_check();
        let (mut shares, mut hashes, mut slower, mut idle) = (vec![], vec![], vec![], vec![]);
        for _ in 0..self.pace.rounds {
            let hash = time_of_a_hash()?;
            let run = good(wrk::run(&login(PASSWORD), port, 8, seconds)?)?;
            shares.push(run.per_second / (cores / hash));
            hashes.push(hash * 1e3);

            let quiet = good(wrk::run(&check, port, 64, seconds)?)?;
            let flood = wrk::start(&login("wrong"), port, 16, seconds + 1)?;
            let flooded = good(wrk::run(&check, port, 64, seconds)?)?;
            flood.finish()?;
            slower.push(flooded.p99_ms / quiet.p99_ms);
            idle.push(quiet.p99_ms);
        }
        let (hash, idle) = (number(median(hashes)), number(median(idle)));
        let (share, slower) = (median(shares), median(slower));
        Ok(vec![
            figure(
                "logins",
                Goal::AtLeast(0.9),
                share,
                " × cores ÷ hash",
                format!("a hash takes {hash} ms"),
            ),
            figure(
                "token check p99 during a flood of wrong logins",
                Goal::AtMost(2.0),
                slower,
                " × idle",
                format!("idle {idle} ms"),
            ),
        ])
    }

    /// What a known number of events takes on the disk, and how fast it all starts again.
    pub(crate) fn weight(self) -> Outcome<Vec<Figure>> {
        let before = self.home.disk_bytes()?;
        let bodies = events::batches(&self.users);
        let send = |index: usize| -> Result<(), String> {
            let text = |error: Box<dyn std::error::Error>| error.to_string();
            let mut client = Client::connect(self.server.port).map_err(text)?;
            let bodies = bodies.iter().cycle().skip(index * WEIGHED_BATCHES);
            for body in bodies.take(WEIGHED_BATCHES) {
                client
                    .call("POST", BATCHES, Some(&self.session), body)
                    .map_err(text)?;
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..WEIGHING_CLIENTS)
                .map(|index| scope.spawn(move || send(index)))
                .collect();
            clients
                .into_iter()
                .try_for_each(|it| it.join().unwrap_or(Err("a client died".into())))
        })?;
        let events = (WEIGHING_CLIENTS * WEIGHED_BATCHES * batch_len()) as f64;
        subject::stop(self.server)?;
        let after = self.home.disk_bytes()?;
        let each = after.saturating_sub(before) as f64 / events;

        let mut starts = Vec::new();
        for _ in 0..self.pace.rounds {
            let started = Instant::now();
            let server = self.home.start(subject::ADMIN)?;
            starts.push(started.elapsed().as_secs_f64());
            subject::stop(server)?;
        }
        let (many, spread) = (number(events), spread(&starts));
        Ok(vec![
            figure(
                "disk per event",
                Goal::AtMost(15.0),
                each,
                " bytes",
                format!("after {many} events"),
            ),
            figure(
                "start with these events",
                Goal::AtMost(1.0),
                median(starts),
                " s",
                spread,
            ),
        ])
    }

    fn posts(&self, bodies: Vec<String>) -> Load {
        Load {
            method: "POST",
            path: BATCHES.into(),
            token: Some(self.session.clone()),
            bodies,
        }
    }

    fn take_turns(
        &self,
        load: &Load,
        floor: &Killed,
        connections: u32,
    ) -> Outcome<(Vec<Run>, Vec<Run>)> {
        let (mut ours, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..self.pace.rounds {
            bare.push(good(wrk::run(
                load,
                floor.port,
                connections,
                self.pace.seconds,
            )?)?);
            ours.push(good(wrk::run(
                load,
                self.server.port,
                connections,
                self.pace.seconds,
            )?)?);
        }
        Ok((ours, bare))
    }
}

fn get(path: String, token: Option<String>) -> Load {
    Load {
        method: "GET",
        path,
        token,
        bodies: Vec::new(),
    }
}

/// A run in which nothing was refused; one with refusals measures something else.
fn good(run: Run) -> Outcome<Run> {
    if run.failed > 0 {
        return Err(format!("{} requests failed under load", run.failed).into());
    }
    Ok(run)
}

/// One Argon2id hash with the default cost (19 MiB, two passes), on memory that is there already: the middle of eleven.
fn time_of_a_hash() -> Outcome<f64> {
    let wrong = |error: argon2::Error| format!("argon2: {error}");
    let params = Params::new(19 * 1024, 2, 1, Some(32)).map_err(wrong)?;
    let mut memory = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut times = Vec::new();
    for _ in 0..11 {
        let (started, mut hash) = (Instant::now(), [0; 32]);
        let password = PASSWORD.as_bytes();
        let made =
            argon2.hash_password_into_with_memory(password, &[7; 16], &mut hash, &mut memory);
        made.map_err(wrong)?;
        times.push(started.elapsed().max(Duration::from_nanos(1)).as_secs_f64());
    }
    Ok(median(times))
}

fn rate(runs: &[Run]) -> f64 {
    median(runs.iter().map(|run| run.per_second).collect())
}

fn p99(runs: &[Run]) -> f64 {
    median(runs.iter().map(|run| run.p99_ms).collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn spread(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{} to {}", number(least), number(most))
}
