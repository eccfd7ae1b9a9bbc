//! The rates of stored events: one in each request, and a hundred.

use crate::events::{self, Dress, batch_len};
use crate::figures::{Figure, Goal, figure, number};
use crate::floor;
use crate::measure::{BATCHES, Furnished, MIB, Said, Turns, get, p99, rate};
use crate::outcome::Outcome;
use crate::pocketbase::PocketBase;
use crate::subject::{self, Killed};
use crate::wrk::{self, Load};

/// The answer to a report of a batch. The floor answers with as many bytes.
const STORED: &str = r#"{"result":"Event(s) created","count":100}"#;
const SINGLES_GOAL: f64 = 90_000.0;
const BATCHED_GOAL: f64 = 2_000_000.0;
/// The floor's requests per second on the machine for which the goals above were set.
const FLOOR_THERE: f64 = 160_000.0;
/// The numbers of connections at which `PocketBase` is measured.
const RIVAL_SINGLES: u32 = 64;
const RIVAL_BATCHES: u32 = 32;

impl Furnished {
    /// Durable events, one in each request.
    pub(crate) fn singles(&self) -> Outcome<Said> {
        let load = self.posts(events::singles(&self.users, Dress::Ours));
        let rival = self.rival.as_ref().map(PocketBase::singles);
        let floor = floor::start(STORED.len())?;
        let (mut figures, mut versus) = (Vec::new(), Vec::new());
        for connections in [16, 64, 256] {
            let rival = rival.as_ref().filter(|_| connections == RIVAL_SINGLES);
            let turns = self.take_turns(&load, &floor, rival, connections)?;
            let goal = (connections == 256).then_some(SINGLES_GOAL);
            let what = format!("single events, {connections} connections");
            figures.extend(self.rows(&what, goal, 1, &turns, &floor)?);
            if connections == RIVAL_SINGLES {
                versus.push(turns.versus("single events", 1));
            }
        }
        Ok((figures, versus))
    }

    /// Durable events, a hundred in each request.
    pub(crate) fn batches(&self) -> Outcome<Said> {
        let load = self.posts(events::batches(&self.users, Dress::Ours));
        let rival = self.rival.as_ref().map(PocketBase::batches);
        let floor = floor::start(STORED.len())?;
        let (mut figures, mut versus) = (Vec::new(), Vec::new());
        for connections in [16, 32, 64] {
            let rival = rival.as_ref().filter(|_| connections == RIVAL_BATCHES);
            let turns = self.take_turns(&load, &floor, rival, connections)?;
            let goal = (connections != 16).then_some(BATCHED_GOAL);
            let what = format!("events in batches of 100, {connections} connections");
            figures.extend(self.rows(&what, goal, batch_len(), &turns, &floor)?);
            if connections == RIVAL_BATCHES {
                versus.push(turns.versus("events in batches of 100", batch_len()));
            }
        }
        let resident = subject::resident_bytes(&self.server)? as f64 / MIB;
        let what = "resident memory after all of this";
        let goal = Goal::AtMost(64.0);
        figures.push(figure(what, goal, resident, " MiB", String::new()));
        Ok((figures, versus))
    }

    /// The row of a rate and, if it has a goal, a row with its ratio to this machine's floor.
    fn rows(
        &self,
        what: &str,
        goal: Option<f64>,
        each: usize,
        turns: &Turns,
        floor: &Killed,
    ) -> Outcome<Vec<Figure>> {
        let [ours, bare] = [&turns.ours, &turns.floor].map(|runs| rate(runs) * each as f64);
        let beside = format!(
            "p99 {} ms; floor with the same bodies {}/s",
            number(p99(&turns.ours)),
            number(bare)
        );
        let absolute = goal.map_or(Goal::Context, Goal::AtLeast);
        let mut rows = vec![figure(what, absolute, ours, "/s", beside)];
        if let Some(goal) = goal {
            let floor = self.floor_here(floor)?;
            let requests = ours / each as f64;
            let beside = format!("{} requests/s of {}/s", number(requests), number(floor));
            rows.push(figure(
                &format!("the same, beside this machine's floor ({what})"),
                Goal::AtLeast(goal / each as f64 / FLOOR_THERE),
                requests / floor,
                " × floor",
                beside,
            ));
        }
        Ok(rows)
    }

    /// The floor's rate here for requests without a body: the same load as on the machine for which
    /// the goals were set.
    fn floor_here(&self, floor: &Killed) -> Outcome<f64> {
        let runs = (0..self.pace.rounds)
            .map(|_| wrk::run(&get("/".into(), None), floor.port, 64, self.pace.seconds))
            .collect::<Outcome<Vec<_>>>()?;
        Ok(rate(&runs))
    }

    fn posts(&self, bodies: Vec<String>) -> Load {
        Load {
            method: "POST",
            path: BATCHES.into(),
            token: Some(self.session.clone()),
            bodies,
        }
    }
}
