//! The measurements, one function each. A load that is compared with the floor takes turns with it:
//! floor, doorward, floor, doorward.

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde_json::json;

use crate::events::USERS;
use crate::figures::{Figure, Goal, figure, median, number, spread};
use crate::floor;
use crate::outcome::Outcome;
use crate::pocketbase::{self, PocketBase};
use crate::subject::{self, Client, Home, Killed, PASSWORD};
use crate::versus::Versus;
use crate::wrk::{self, Load, Run};

/// The path to which events are reported.
pub(crate) const BATCHES: &str = "/api/events/complex_clientapp";
pub(crate) const MIB: f64 = 1024.0 * 1024.0;

/// The number of rounds, and the length of each run in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) rounds: usize,
    pub(crate) seconds: u32,
}

/// A server with accounts, the tokens to use it, and the `PocketBase` to compare it with.
pub(crate) struct Furnished {
    pub(crate) server: Killed,
    pub(crate) users: Vec<String>,
    pub(crate) session: String,
    admin: String,
    pub(crate) rival: Option<PocketBase>,
    pub(crate) pace: Pace,
}

/// The results of a group of measurements.
pub(crate) type Said = (Vec<Figure>, Vec<Versus>);

/// The figures that do not depend on data: the size of the binary, start and memory of an idle
/// server. The configuration holds no administrator's password: the server hashes a password in
/// plain text at every start.
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
    /// Makes the accounts with cheap hashes, then restarts the server with the default hashes.
    pub(crate) fn new(pace: Pace) -> Outcome<Furnished> {
        let home = Home::new("load")?;
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
        let users: Vec<_> = accounts.into_iter().map(|(id, _)| id).collect();
        Ok(Furnished {
            rival: pocketbase::start(&users)?,
            server,
            users,
            session,
            admin,
            pace,
        })
    }

    /// Reads: the token check and the own account.
    pub(crate) fn reads(&self) -> Outcome<Said> {
        let check = self.token_check();
        let account = get("/v1/user".into(), Some(self.session.clone()));
        let rival = self.rival.as_ref().map(PocketBase::own_record);
        let check = self.beside_floor(&check, rival.as_ref(), "token checks")?;
        let account = self.beside_floor(&account, rival.as_ref(), "own account, with a session")?;
        let row = |what: &str, least: f64, versus: &Versus| {
            let floor = versus.floor.unwrap_or(f64::NAN);
            let beside = format!("{}/s of {}/s", number(versus.ours), number(floor));
            let share = versus.ours / floor;
            figure(what, Goal::AtLeast(least), share, " × floor", beside)
        };
        let figures = vec![
            row("token check, 64 connections", 0.80, &check),
            row("own account with a session, 64 connections", 0.60, &account),
        ];
        Ok((figures, vec![check, account]))
    }

    pub(crate) fn token_check(&self) -> Load {
        get(format!("/api/token?token={}", self.admin), None)
    }

    /// The rate of a read, beside the floor's with an answer of the same size.
    fn beside_floor(
        &self,
        load: &Load,
        rival: Option<&Load>,
        what: &'static str,
    ) -> Outcome<Versus> {
        let mut client = Client::connect(self.server.port)?;
        let answer = client.call(load.method, &load.path, load.token.as_deref(), "")?;
        let floor = floor::start(answer.len())?;
        let turns = self.take_turns(load, &floor, rival, 64)?;
        Ok(turns.versus(what, 1))
    }

    /// Logins with the right password.
    pub(crate) fn logins(&self) -> Outcome<Said> {
        let cores = std::thread::available_parallelism()?.get() as f64;
        let (port, seconds) = (self.server.port, self.pace.seconds);
        let login = logins_with(PASSWORD);
        let (mut shares, mut hashes, mut turns) = (vec![], vec![], Turns::default());
        for _ in 0..self.pace.rounds {
            let hash = time_of_a_hash()?;
            let run = good(wrk::run(&login, port, 8, seconds)?)?;
            shares.push(run.per_second / (cores / hash));
            hashes.push(hash * 1e3);
            turns.ours.push(run);
            if let Some(rival) = &self.rival {
                let run = wrk::run(&rival.logins(), rival.server.port, 8, seconds)?;
                turns.rival.push(good(run)?);
            }
        }
        let hash = number(median(hashes));
        let versus = Versus {
            floor: None,
            ..turns.versus("logins with a password", 1)
        };
        let figures = vec![figure(
            "logins",
            Goal::AtLeast(0.9),
            median(shares),
            " × cores ÷ hash",
            format!("a hash takes {hash} ms"),
        )];
        Ok((figures, vec![versus]))
    }

    /// Runs the load on the floor, on doorward and, if there is one, the rival's load, in turns.
    pub(crate) fn take_turns(
        &self,
        load: &Load,
        floor: &Killed,
        rival: Option<&Load>,
        connections: u32,
    ) -> Outcome<Turns> {
        let mut turns = Turns::default();
        let run = |load: &Load, port| good(wrk::run(load, port, connections, self.pace.seconds)?);
        for _ in 0..self.pace.rounds {
            turns.floor.push(run(load, floor.port)?);
            turns.ours.push(run(load, self.server.port)?);
            if let (Some(load), Some(rival)) = (rival, &self.rival) {
                turns.rival.push(run(load, rival.server.port)?);
            }
        }
        Ok(turns)
    }
}

/// The runs of the servers that took turns.
#[derive(Default)]
pub(crate) struct Turns {
    pub(crate) floor: Vec<Run>,
    pub(crate) ours: Vec<Run>,
    pub(crate) rival: Vec<Run>,
}

impl Turns {
    /// As a row of the comparison. `each` is the number of things that one request does.
    pub(crate) fn versus(&self, what: &'static str, each: usize) -> Versus {
        let times = |runs: &[Run]| rate(runs) * each as f64;
        Versus {
            what,
            floor: Some(times(&self.floor)),
            ours: times(&self.ours),
            // In a short run perhaps no slow login completes: a rate of zero means nothing.
            pocketbase: Some(times(&self.rival)).filter(|rate| *rate > 0.0),
        }
    }
}

pub(crate) fn get(path: String, token: Option<String>) -> Load {
    Load {
        method: "GET",
        path,
        token,
        bodies: Vec::new(),
    }
}

pub(crate) fn logins_with(password: &str) -> Load {
    let body = json!({"email": "dear@example.org", "password": password});
    Load {
        method: "POST",
        path: "/api/auth".into(),
        token: None,
        bodies: vec![body.to_string()],
    }
}

/// Returns a run without failures. A run with failures is an error: it measures something else.
pub(crate) fn good(run: Run) -> Outcome<Run> {
    if run.failed > 0 {
        return Err(format!("{} requests failed under load", run.failed).into());
    }
    Ok(run)
}

/// The time of one Argon2id hash with the default cost (19 MiB, two passes), in memory that is
/// allocated before: the median of eleven, in seconds.
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

pub(crate) fn rate(runs: &[Run]) -> f64 {
    median(runs.iter().map(|run| run.per_second).collect())
}

pub(crate) fn p99(runs: &[Run]) -> f64 {
    median(runs.iter().map(|run| run.p99_ms).collect())
}
